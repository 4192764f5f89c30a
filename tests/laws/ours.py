"""The package's own implementation, as the laws read it."""

import torch
from torch import Tensor

from ddpm_spec.diffusion import Diffusion, Network
from ddpm_spec.formulas import bound, posterior, reverse
from ddpm_spec.laws.protocol import Precision


class Ours:
    arrays, shape = "torch", (1, 1, 3)

    def __init__(self, model: Diffusion, levels: int, precision: Precision = "float64") -> None:
        self.model, self.levels, self.precision = model, levels, precision
        self.betas, self.alpha_bars = model.schedule.steps.beta[1:], model.schedule.steps.alpha_bar[1:]
        self.q_sample, self.p_sample, self.loss = model.q_sample, model.p_sample, model.loss

    def posterior(self, x_0: Tensor, x_t: Tensor, t: int) -> tuple[Tensor, Tensor]:
        at = self.at(t, x_t)
        return posterior.posterior_mean(x_0, x_t, at), posterior.posterior_variance(at)

    def predict_x_0(self, x_t: Tensor, t: int, eps: Tensor) -> Tensor:
        return reverse.predict_x_0(x_t, eps, self.at(t, x_t))

    def variance(self, t: int) -> Tensor:
        x = torch.zeros(1, *self.shape, dtype=getattr(torch, self.precision))
        return self.model.reverse_law(lambda x, t: x, x, torch.tensor([t]))[1]

    def prior_term(self, x_0: Tensor) -> Tensor:
        return bound.prior_term(x_0, self.at(len(self.betas), x_0)).flatten(1).sum(dim=1)

    def bound_term(self, network: Network, x_0: Tensor, t: int, eps: Tensor) -> Tensor:
        return self.model.bound_term(network, x_0, torch.full((len(x_0),), t), eps, self.levels)

    def at(self, t: int, x: Tensor):
        return self.model.schedule.at(torch.tensor(t), like=x)
