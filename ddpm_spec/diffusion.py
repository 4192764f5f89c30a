"""The model: a schedule, the formulas and a network that predicts the noise.

Every line of mathematics here is a call into `formulas`; this file decides only which step goes
where. Time is 1-based: t = 1..T.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from ddpm_spec.formulas import bound, forward, objective, posterior, reverse, sampling
from ddpm_spec.formulas.step import Step
from ddpm_spec.schedule import Schedule

__all__ = ["BoundTerms", "Diffusion", "Network", "Variance"]

Network = Callable[[Tensor, Tensor], Tensor]
"""ε_θ(x_t, t): takes x_t of shape (B, C, H, W) and integer t of shape (B,) in 1..T."""

Variance = Literal["beta", "beta_tilde"]
"""σ_t² = β_t or σ_t² = β̃_t, the two choices of §3.2."""


class BoundTerms(NamedTuple):
    """The bound of Eq. 5, in nats per example."""

    prior: Tensor
    """L_T, shape (B,)."""
    steps: Tensor
    """L_1..L_{T−1}, shape (B, T − 1); column k is L_{k+1}, the term of t = k + 2."""
    decoder: Tensor
    """L_0, shape (B,)."""

    @property
    def total(self) -> Tensor:
        """L = L_T + Σ L_{t−1} + L_0, shape (B,)."""
        return self.prior + self.steps.sum(dim=1) + self.decoder


@dataclass(frozen=True)
class Diffusion:
    """The forward process, the reverse process and the bound of one model (§2–§3).

    Raises:
        ValueError: if `variance` is neither of the paper's choices.
    """

    schedule: Schedule
    variance: Variance = "beta"
    """σ_t²; at t = 1, where β̃_1 = 0 leaves Eq. 13 undefined, β̃_2 stands in for it."""
    clip: bool = False
    """Clip the implied x̂_0 to [−1, 1], as the official code does; Algorithm 2 has no clip."""

    def __post_init__(self) -> None:
        if self.variance not in get_args(Variance):
            raise ValueError(f"variance is {self.variance!r}; choose from {get_args(Variance)}")

    def q_sample(self, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """x_t ~ q(x_t | x_0) for noise ε, Eq. 4. Shapes (B, …), t of shape (B,) in 1..T."""
        return forward.q_sample(x_0, eps, self.schedule.at(t, like=x_0))

    def loss(self, network: Network, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """L_simple, Eq. 14 divided by D, averaged over the batch (Algorithm 1): a scalar.

        x_0: (B, C, H, W) in [−1, 1]; t: (B,) in 1..T; eps: like x_0, ε ~ N(0, I).
        The error is formed in float32 or better, whatever the network computes in.
        """
        eps_hat = network(self.q_sample(x_0, t, eps), t)
        return objective.simple_loss(eps, eps_hat.to(eps.dtype)).mean()

    def p_mean(self, x_t: Tensor, eps_hat: Tensor, at: Step) -> Tensor:
        """μ_θ(x_t, t): Eq. 11, or with `clip` Eq. 7 at the clipped x̂_0 of Eq. 15."""
        if not self.clip:
            return reverse.mean_from_eps(x_t, eps_hat, at)
        x_0 = reverse.predict_x_0(x_t, eps_hat, at).clamp(-1, 1)
        return posterior.posterior_mean(x_0, x_t, at)

    def p_variance(self, t: Tensor, at: Step, *, like: Tensor) -> Tensor:
        """σ_t² of p_θ(x_{t−1} | x_t), in the shape of the fields of `at`."""
        if self.variance == "beta":
            return at.beta
        # For t = 1 the step at t = 2 stands in: β̃_1 is 0.
        return posterior.posterior_variance(self.schedule.at(t.clamp(min=2), like=like))

    @torch.no_grad()
    def p_sample(self, network: Network, x_t: Tensor, t: int, z: Tensor) -> Tensor:
        """x_{t−1} ~ p_θ(x_{t−1} | x_t): one step of Algorithm 2.

        x_t: (B, C, H, W); z: like x_t, ε ~ N(0, I). At t = 1 no noise is added, whatever z is.
        """
        time = torch.full((len(x_t),), t, device=x_t.device)
        at = self.schedule.at(time[0], like=x_t)
        mean = self.p_mean(x_t, network(x_t, time).to(x_t.dtype), at)
        if t == 1:
            return mean
        return sampling.p_sample(mean, self.p_variance(time[0], at, like=x_t), z)

    def sample(
        self, network: Network, shape: tuple[int, ...], noise: Callable[[int], Tensor]
    ) -> Iterator[Tensor]:
        """Algorithm 2: yields x_{T−1}, …, x_0, each of this shape, (B, C, H, W).

        `noise(t)` returns x_T ~ N(0, I) for t = T + 1 and the step's z for t in T..2.
        """
        x_t = noise(self.schedule.T + 1)
        if x_t.shape != shape:
            raise ValueError(f"the noise has shape {tuple(x_t.shape)}, not {shape}")
        for t in range(self.schedule.T, 0, -1):
            x_t = self.p_sample(network, x_t, t, noise(t) if t > 1 else x_t)
            yield x_t

    def bound_term(self, network: Network, x_0: Tensor, t: int, eps: Tensor, levels: int) -> Tensor:
        """L_{t−1} of Eq. 5 at the x_t that ε gives, in nats per example, shape (B,).

        L_0 by the discrete decoder for t = 1, a divergence for t in 2..T. One draw of ε gives an
        unbiased estimate of the expectation over q. Computed in float64 but for the network.
        """
        x_0, eps = x_0.double(), eps.double()
        time = torch.full((len(x_0),), t, device=x_0.device)
        at = self.schedule.at(time[0], like=x_0)
        x_t = forward.q_sample(x_0, eps, at)
        with torch.no_grad():
            eps_hat = network(x_t.float(), time).double()
        mean, variance = self.p_mean(x_t, eps_hat, at), self.p_variance(time[0], at, like=x_0)
        if t == 1:
            return bound.decoder_term(x_0, mean, variance, levels).flatten(1).sum(dim=1)
        return bound.step_term(x_0, x_t, mean, variance, at).flatten(1).sum(dim=1)

    def bound(
        self,
        network: Network,
        x_0: Tensor,
        levels: int,
        noise: Callable[[int], Tensor],
    ) -> BoundTerms:
        """Every term of Eq. 5 on these examples, in nats: T network calls.

        x_0: (B, C, H, W), `levels` grey levels scaled to [−1, 1]. `noise(t)` returns ε for step t.
        """
        T = self.schedule.T
        terms = [self.bound_term(network, x_0, t, noise(t), levels) for t in range(1, T + 1)]
        x_0 = x_0.double()
        last = self.schedule.at(torch.tensor(T, device=x_0.device), like=x_0)
        prior = bound.prior_term(x_0, last).flatten(1).sum(dim=1)
        return BoundTerms(prior, torch.stack(terms[1:], dim=1), terms[0])
