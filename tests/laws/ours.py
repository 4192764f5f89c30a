"""The package's own implementation, as the laws read it."""

import numpy as np
import torch

from ddpm_spec.diffusion import Diffusion
from ddpm_spec.formulas import bound, posterior, reverse
from ddpm_spec.laws import Array, Network


class Ours:
    def __init__(self, model: Diffusion, levels: int) -> None:
        self.model, self.levels = model, levels
        self.betas = model.schedule.steps.beta.numpy()[1:]
        self.alpha_bars = model.schedule.steps.alpha_bar.numpy()[1:]

    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        return rows(self.model.q_sample(images(x_0), torch.tensor(t), images(eps)))

    def posterior(self, x_0: Array, x_t: Array, t: int) -> tuple[Array, float]:
        mean = posterior.posterior_mean(torch.tensor(x_0), torch.tensor(x_t), self.at(t))
        return mean.numpy(), posterior.posterior_variance(self.at(t)).item()

    def predict_x_0(self, x_t: Array, t: int, eps: Array) -> Array:
        return reverse.predict_x_0(torch.tensor(x_t), torch.tensor(eps), self.at(t)).numpy()

    def variance(self, t: int) -> float:
        x = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
        return self.model.reverse_law(lambda x, t: x, x, torch.tensor([t]))[1].item()

    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        return rows(self.model.p_sample(on_images(network), images(x_t), t, images(z)))

    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        return self.model.loss(on_images(network), images(x_0), torch.tensor(t), images(eps)).item()

    def prior_term(self, x_0: Array) -> Array:
        return bound.prior_term(torch.tensor(x_0), self.at(len(self.betas))).sum(dim=1).numpy()

    def bound_term(self, network: Network, x_0: Array, t: int, eps: Array) -> Array:
        time = torch.full((len(x_0),), t)
        x_0, eps = np.broadcast_arrays(x_0, eps)
        return self.model.bound_term(on_images(network), images(x_0), time, images(eps), self.levels).numpy()

    def at(self, t: int):
        return self.model.schedule.at(torch.tensor(t), like=torch.zeros(1, dtype=torch.float64))


def images(x: Array) -> torch.Tensor:
    return torch.tensor(x)[:, None, None]


def rows(x: torch.Tensor) -> Array:
    return x[:, 0, 0].numpy()


def on_images(network: Network):
    return lambda x, t: images(network(rows(x), t.numpy()))
