"""Later work in the manner of many repositories: time from 0, tables as buffers, all in the images' type.

It is one of three that were written independently. No law may fail on it, in any precision.
"""

import torch
from torch import Tensor

from ddpm_spec.laws import Stated


class Halves(Stated):
    """The tables are float64 for float64, float32 for all else; coefficients are cast to the images' type."""

    first_time, arrays, shape = 0, "torch", (2, 1, 2)

    def __init__(self, betas: Tensor, precision: str) -> None:
        self.precision = precision
        self.betas = betas.to(torch.float64 if precision == "float64" else torch.float32)
        self.alpha_bars = torch.cumprod(1.0 - self.betas, dim=0)

    def bar(self, k: int) -> Tensor:
        return self.alpha_bars[k] if k >= 0 else torch.ones((), dtype=self.betas.dtype)

    def ddim_step(self, net, x: Tensor, k: int, before: int, z: Tensor, eta: float) -> Tensor:
        bar, bar_before = self.bar(k), self.bar(before)
        eps = net(x, torch.full((len(x),), k))
        sigma = eta * ((1 - bar_before) / (1 - bar) * (1 - bar / bar_before)).sqrt()
        x_0 = (1 / bar).sqrt().to(x) * x - (1 / bar - 1).sqrt().to(x) * eps
        # The noise is found again from x̂_0, as where that may have been clipped.
        again = ((1 / bar).sqrt().to(x) * x - x_0) / (1 / bar - 1).sqrt().to(x)
        direction = (1 - bar_before - sigma**2).sqrt().to(x)
        return x_0 * bar_before.sqrt().to(x) + direction * again + sigma.to(x) * z

    def learned_variance(self, answer: Tensor, k: int) -> Tensor:
        j = max(k, 1)
        low = (self.betas[j] * (1 - self.bar(j - 1)) / (1 - self.bar(j))).log().to(answer)
        high = self.betas[k].log().to(answer)
        fraction = (answer + 1) / 2
        return (fraction * high + (1 - fraction) * low).exp()

    def roots(self, k: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        bars = self.alpha_bars[k].view(-1, 1, 1, 1)
        return bars.sqrt().to(x), (1 - bars).sqrt().to(x)

    def velocity(self, x_0: Tensor, eps: Tensor, k: Tensor) -> Tensor:
        signal, noise = self.roots(k, x_0)
        return signal * eps - noise * x_0

    def x_0_from_velocity(self, x_t: Tensor, v: Tensor, k: Tensor) -> Tensor:
        signal, noise = self.roots(k, x_t)
        return signal * x_t - noise * v

    def eps_from_velocity(self, x_t: Tensor, v: Tensor, k: Tensor) -> Tensor:
        signal, noise = self.roots(k, x_t)
        return noise * x_t + signal * v

    def time_embedding(self, k: Tensor, dim: int) -> Tensor:
        half = dim // 2
        log = torch.log(torch.tensor(10_000.0, dtype=self.betas.dtype))
        frequencies = torch.exp(-log * torch.arange(half, dtype=self.betas.dtype) / (half - 1))
        angles = k.to(self.betas.dtype)[:, None] * frequencies
        paired = torch.stack([angles.cos(), angles.sin()], dim=2).flatten(1)
        return paired.to(getattr(torch, self.precision))

    def average(self, decay: float, values: list[float]) -> list[Tensor]:
        mean = torch.tensor(values[0], dtype=self.betas.dtype)
        averages = [mean]
        for value in values[1:]:
            mean = mean - (1 - decay) * (mean - torch.tensor(value, dtype=self.betas.dtype))
            averages.append(mean.to(getattr(torch, self.precision)))
        return averages

    def to_model(self, pixels: Tensor) -> Tensor:
        return ((pixels.to(self.betas.dtype) / 255 - 0.5) / 0.5).to(getattr(torch, self.precision))

    def to_pixels(self, x: Tensor) -> Tensor:
        return (x.to(self.betas.dtype) * 127.5 + 128).clamp(0, 255).to(torch.uint8)
