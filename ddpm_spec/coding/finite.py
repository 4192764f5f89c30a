"""A diffusion model on finitely many states, in which every law of Algorithms 3 and 4 is a table.

x_0 is one of the grey levels; x_1..x_T take values on a grid of real numbers. The laws are the model's own
normal densities (Eqs. 1, 2 and 11) at the points of the grid, normalised over the grid; the posterior of
Eq. 6 is then Bayes' rule on the tables, and the decoder is Eq. 13 as it stands. As the grid grows wider and
finer the tables become the model; on any grid they are a model of their own, with its own bound by Eq. 5.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ddpm_spec.coding.draws import Array, divergence
from ddpm_spec.diffusion import Diffusion, Network
from ddpm_spec.formulas import decoder, forward, gaussian

__all__ = ["FiniteDiffusion", "on_grid"]


@dataclass(frozen=True, eq=False)
class FiniteDiffusion:
    """Tables of probabilities; L grey levels, S states; steps are keyed by t."""

    prior: Array
    """p(x_T), shape (S,)."""
    marginals: dict[int, Array]
    """q(x_t | x_0) for t in 1..T, shape (L, S)."""
    posteriors: dict[int, Array]
    """q(x_{t−1} | x_t, x_0) for t in 2..T, shape (L, S, S): x_0, x_t, x_{t−1}."""
    reverse: dict[int, Array]
    """p_θ(x_{t−1} | x_t) for t in 2..T, shape (S, S): x_t, x_{t−1}."""
    decoder: Array
    """p_θ(x_0 | x_1), shape (S, L)."""

    @property
    def T(self) -> int:
        """The number of steps."""
        return len(self.marginals)

    def terms(self) -> Array:
        """L_T, L_{T−1}, …, L_1, L_0 of Eq. 5 in bits for each grey level, shape (L, T + 1), exactly."""
        columns = [divergence(self.marginals[self.T], self.prior)]
        for t in range(self.T, 1, -1):
            steps = divergence(self.posteriors[t], self.reverse[t])
            columns.append((self.marginals[t] * steps).sum(axis=1))
        columns.append(-(self.marginals[1] * np.log2(self.decoder.T)).sum(axis=1))
        return np.stack(columns, axis=1)

    def likelihood(self) -> Array:
        """p_θ(x_0) by summing over every path, shape (L,)."""
        law = self.prior
        for t in range(self.T, 1, -1):
            law = law @ self.reverse[t]
        shown: Array = law @ self.decoder
        return shown


def on_grid(model: Diffusion, network: Network, grid: Tensor, levels: int) -> FiniteDiffusion:
    """The tables of a model and its network. `grid`: (S,), float64."""
    schedule, values = model.schedule, torch.linspace(-1, 1, levels, dtype=torch.float64)
    T, column = schedule.T, grid[:, None, None, None]
    steps, reverse = {}, {}
    for t in range(1, T + 1):
        time = torch.full((len(grid),), t)
        at = schedule.at(time[0], like=grid)
        before = values if t == 1 else grid
        steps[t] = _on(grid, forward.q_step_mean(before, at)[:, None], forward.q_step_variance(at))
        mean, variance = model.reverse_law(network, column, time)
        mean, variance = mean.reshape(-1, 1), variance.expand_as(mean).reshape(-1, 1)
        if t == 1:
            shown = decoder.log_bin_probability(values, mean, variance, levels).exp().numpy()
        else:
            reverse[t] = _on(grid, mean, variance)
    marginals = {1: steps[1]}
    posteriors = {}
    for t in range(2, T + 1):
        joint = marginals[t - 1][:, None, :] * steps[t].T[None]
        marginals[t] = joint.sum(axis=2)
        posteriors[t] = joint / marginals[t][:, :, None]
    prior = _on(grid, torch.zeros(1, 1), torch.ones(1, 1))[0]
    return FiniteDiffusion(prior, marginals, posteriors, reverse, shown)


def _on(grid: Tensor, mean: Tensor, variance: Tensor) -> Array:
    """N(mean, variance) at the points of the grid, normalised there: a row for each mean."""
    table: Array = gaussian.log_density(grid, mean.double(), variance.double()).softmax(dim=1).numpy()
    return table
