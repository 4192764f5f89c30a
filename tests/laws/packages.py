"""Small stand-ins, written here, for the shapes in which most packages come."""

from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


def take(table: Tensor, t: Tensor, x: Tensor) -> Tensor:
    return table[t].to(x.dtype).view(-1, *[1] * (x.ndim - 1))


class GaussianDiffusion(nn.Module):
    """Holds its network, has float32 buffers, draws its own noise, clips, and ends in [0, 1]."""

    def __init__(self, model: nn.Module, image_size: int = 2, timesteps: int = 8) -> None:
        super().__init__()
        self.model, self.channels, self.image_size = model, 3, image_size
        betas = torch.linspace(0.02, 0.35, timesteps, dtype=torch.float64)
        bars = (1 - betas).cumprod(0)
        before = F.pad(bars[:-1], (1, 0), value=1.0)
        tables = {
            "betas": betas,
            "alphas_cumprod": bars,
            "to_x_0": (1 / bars).sqrt(),
            "to_noise": (1 / bars - 1).sqrt(),
            "posterior_variance": betas * (1 - before) / (1 - bars),
            "of_x_0": betas * before.sqrt() / (1 - bars),
            "of_x_t": (1 - before) * (1 - betas).sqrt() / (1 - bars),
        }
        for name, table in tables.items():
            self.register_buffer(name, table.float())

    def q_sample(self, x_start, t, noise=None):
        noise = torch.randn_like(x_start) if noise is None else noise
        bars = take(self.alphas_cumprod, t, x_start)
        return bars.sqrt() * x_start + (1 - bars).sqrt() * noise

    def q_posterior(self, x_start, x_t, t):
        mean = take(self.of_x_0, t, x_t) * x_start + take(self.of_x_t, t, x_t) * x_t
        variance = take(self.posterior_variance, t, x_t)
        return mean, variance, variance.clamp(min=1e-20).log()

    def predict_start_from_noise(self, x_t, t, noise):
        return take(self.to_x_0, t, x_t) * x_t - take(self.to_noise, t, x_t) * noise

    def p_mean_variance(self, x, t, clip_denoised=True):
        x_start = self.predict_start_from_noise(x, t, self.model(x, t))
        if clip_denoised:
            x_start = x_start.clamp(-1, 1)
        return self.q_posterior(x_start, x, t)

    @torch.inference_mode()
    def p_sample(self, x, t: int):
        mean, _, log_variance = self.p_mean_variance(x, torch.full((len(x),), t))
        noise = torch.randn_like(x) if t > 0 else 0.0
        return mean + (0.5 * log_variance).exp() * noise, mean

    def p_sample_loop(self, shape):
        x = torch.randn(shape)
        for t in reversed(range(len(self.betas))):
            x, _ = self.p_sample(x, t)
        return self.unnormalize(x)

    def normalize(self, x):
        return 2 * x - 1

    def unnormalize(self, x):
        return (x + 1) / 2

    def p_losses(self, x_start, t, noise=None):
        noise = torch.randn_like(x_start) if noise is None else noise
        return F.mse_loss(self.model(self.q_sample(x_start, t, noise), t), noise)

    def forward(self, x):
        t = torch.randint(0, len(self.betas), (len(x),))
        return self.p_losses(self.normalize(x), t)


class Improved:
    """The older shape: the network is passed in, answers are dictionaries, tables are NumPy's."""

    def __init__(self, betas) -> None:
        self.betas = np.asarray(betas)
        self.alphas_cumprod = np.cumprod(1 - self.betas)
        self.model_mean_type = SimpleNamespace(name="EPSILON")

    def at(self, table, t, x):
        return torch.from_numpy(table)[t].float().view(-1, *[1] * (x.ndim - 1)).expand(x.shape)

    def q_sample(self, x_start, t, noise=None):
        root, rest = np.sqrt(self.alphas_cumprod), np.sqrt(1 - self.alphas_cumprod)
        return self.at(root, t, x_start) * x_start + self.at(rest, t, x_start) * noise

    def q_posterior_mean_variance(self, x_start, x_t, t):
        bars, before = self.alphas_cumprod, np.append(1.0, self.alphas_cumprod[:-1])
        first = self.betas * np.sqrt(before) / (1 - bars)
        second = (1 - before) * np.sqrt(1 - self.betas) / (1 - bars)
        mean = self.at(first, t, x_t) * x_start + self.at(second, t, x_t) * x_t
        variance = self.at(self.betas * (1 - before) / (1 - bars), t, x_t)
        return mean, variance, variance.clamp(min=1e-20).log()

    def _predict_xstart_from_eps(self, x_t, t, eps):
        bars = self.alphas_cumprod
        return self.at(np.sqrt(1 / bars), t, x_t) * x_t - self.at(np.sqrt(1 / bars - 1), t, x_t) * eps

    def p_mean_variance(self, model, x, t, clip_denoised=True):
        x_start = self._predict_xstart_from_eps(x, t, model(x, t))
        x_start = x_start.clamp(-1, 1) if clip_denoised else x_start
        mean, _, _ = self.q_posterior_mean_variance(x_start, x, t)
        return {"mean": mean, "variance": self.at(self.betas, t, x), "pred_xstart": x_start}

    def p_sample(self, model, x, t, clip_denoised=True):
        out = self.p_mean_variance(model, x, t, clip_denoised)
        moving = (t != 0).float().view(-1, *[1] * (x.ndim - 1))
        noise = torch.randn_like(x)
        return {"sample": out["mean"] + moving * out["variance"].sqrt() * noise, **out}

    def p_sample_loop(self, model, shape, clip_denoised=True):
        x = torch.randn(*shape, device=next(model.parameters()).device)
        for t in reversed(range(len(self.betas))):
            x = self.p_sample(model, x, torch.tensor([t] * shape[0]), clip_denoised)["sample"]
        return x

    def training_losses(self, model, x_start, t, noise=None):
        missed = (noise - model(self.q_sample(x_start, t, noise), t)) ** 2
        return {"loss": missed.mean(dim=(1, 2, 3))}


class Scheduler:
    """Tables, `add_noise` and `step`; what a step returns is for the test to choose."""

    def __init__(self, returns: str = "object", T: int = 8) -> None:
        self.returns, self.config = returns, {"prediction_type": "epsilon", "clip_sample": False}
        self.betas = torch.linspace(0.02, 0.35, T)
        self.alphas_cumprod = (1 - self.betas).cumprod(0)
        self.set_timesteps(T)

    def set_timesteps(self, steps: int) -> None:
        self.timesteps = torch.linspace(len(self.betas) - 1, 0, steps).round().long()

    def add_noise(self, x, noise, t):
        bars = take(self.alphas_cumprod, t, x)
        return bars.sqrt() * x + (1 - bars).sqrt() * noise

    def step(self, output, t, sample):
        later = self.timesteps[self.timesteps < t]
        bars = self.alphas_cumprod[t]
        before = self.alphas_cumprod[later[0]] if len(later) else torch.tensor(1.0)
        alpha = bars / before
        x_0 = (sample - (1 - bars).sqrt() * output) / bars.sqrt()
        mean = (before.sqrt() * (1 - alpha) * x_0 + alpha.sqrt() * (1 - before) * sample) / (1 - bars)
        sigma = ((1 - before) / (1 - bars) * (1 - alpha)).sqrt()
        x = mean + (sigma * torch.randn_like(sample) if len(later) else 0)
        if self.returns == "object":
            return SimpleNamespace(prev_sample=x, pred_original_sample=x_0)
        return (x, x_0) if self.returns == "tuple" else x
