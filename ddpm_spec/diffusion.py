"""The model: a schedule, the formulas and a network that predicts the noise.

Every line of mathematics here is a call into `formulas`; this file decides only which step goes
where. Time is 1-based: t = 1..T.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from ddpm_spec.formulas import bound, forward, gaussian, objective, posterior, reverse, sampling
from ddpm_spec.schedule import Schedule

__all__ = ["BoundTerms", "Diffusion", "Network", "Variance"]

Network = Callable[[Tensor, Tensor], Tensor]
"""ε_θ(x_t, t): takes x_t of shape (B, C, H, W), float32 or float64, and integer t of shape (B,) in 1..T.

It returns the noise in that shape and in whatever dtype it computes in; the caller casts.
"""

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
    """σ_t²; at t = 1, where β̃_1 = 0 leaves Eq. 13 undefined, β̃_2 stands in."""
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

    def reverse_law(self, network: Network, x_t: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Mean and variance of p_θ(x_{t−1} | x_t), Eq. 1 with Eq. 11.

        With `clip` the mean is Eq. 7 at the clipped x̂_0 of Eq. 15, which is the same where nothing is
        clipped.

        Returns:
            The mean, in shape and dtype of x_t, and σ_t², 0-dimensional.
        """
        time = torch.full((len(x_t),), t, device=x_t.device)
        at = self.schedule.at(time[0], like=x_t)
        eps_hat = network(x_t, time).to(x_t.dtype)
        if self.clip:
            x_0 = reverse.predict_x_0(x_t, eps_hat, at).clamp(-1, 1)
            mean = posterior.posterior_mean(x_0, x_t, at)
        else:
            mean = reverse.mean_from_eps(x_t, eps_hat, at)
        if self.variance == "beta":
            return mean, forward.q_step_variance(at)
        # β̃_1 is 0; at t = 1 the step at t = 2 stands in.
        return mean, posterior.posterior_variance(self.schedule.at(time[0].clamp(min=2), like=x_t))

    @torch.no_grad()
    def p_sample(self, network: Network, x_t: Tensor, t: int, z: Tensor) -> Tensor:
        """x_{t−1} ~ p_θ(x_{t−1} | x_t): one step of Algorithm 2.

        x_t: (B, C, H, W); z: like x_t, z ~ N(0, I). At t = 1 no noise is added, whatever z is. The
        result has the dtype of x_t.
        """
        mean, variance = self.reverse_law(network, x_t, t)
        return mean if t == 1 else sampling.p_sample(mean, variance, z)

    def sample(self, network: Network, noise: Callable[[int], Tensor]) -> Iterator[Tensor]:
        """Algorithm 2: yields x_{T−1}, …, x_0, each of shape (B, C, H, W).

        `noise(t)` returns x_T ~ N(0, I) for t = T + 1 and the step's z ~ N(0, I) for t in T..2, all of
        that shape.
        """
        x_t = noise(self.schedule.T + 1)
        for t in range(self.schedule.T, 0, -1):
            x_t = self.p_sample(network, x_t, t, noise(t) if t > 1 else x_t)
            yield x_t

    @torch.no_grad()
    def bound_term(self, network: Network, x_0: Tensor, t: int, eps: Tensor, levels: int) -> Tensor:
        """L_{t−1} of Eq. 5 at the x_t that ε gives, in nats per example, shape (B,).

        L_0 by the discrete decoder for t = 1, a divergence for t in 2..T. One draw of ε gives an
        unbiased estimate of the expectation over q. Computed in float64 but for the network.
        """
        x_0 = x_0.double()
        at = self.schedule.at(torch.tensor(t, device=x_0.device), like=x_0)
        x_t = forward.q_sample(x_0, eps.double(), at)
        mean, variance = self.reverse_law(network, x_t, t)
        if t == 1:
            return _per_example(bound.decoder_term(x_0, mean, variance, levels))
        return _per_example(bound.step_term(x_0, x_t, mean, variance, at))

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
        prior = _per_example(bound.prior_term(x_0, last))
        return BoundTerms(prior, torch.stack(terms[1:], dim=1), terms[0])

    @torch.no_grad()
    def path_bound(
        self, network: Network, x_0: Tensor, levels: int, noise: Callable[[int], Tensor]
    ) -> Tensor:
        """The same bound as it is defined, by Eq. 3, from one path x_1..x_T drawn step by step from Eq. 2.

        In nats per example, shape (B,); T network calls. Its expectation is that of `bound`, its
        variance is larger, and it shares only the network's mean with it: a check, not a way to report.
        Takes what `bound` takes; `noise(t)` is the noise of step t.
        """
        x_t = x_0 = x_0.double()
        total = torch.zeros(len(x_0), dtype=torch.float64, device=x_0.device)
        for t in range(1, self.schedule.T + 1):
            x_prev, at = x_t, self.schedule.at(torch.tensor(t, device=x_0.device), like=x_0)
            q = forward.q_step_mean(x_prev, at), forward.q_step_variance(at)
            x_t = sampling.p_sample(*q, noise(t).double())
            mean, variance = self.reverse_law(network, x_t, t)
            if t == 1:
                cost = bound.decoder_term(x_0, mean, variance, levels)
            else:
                cost = -gaussian.log_density(x_prev, mean, variance)
            total += _per_example(cost + gaussian.log_density(x_t, *q))
        return total - _per_example(gaussian.log_density(x_t, torch.zeros_like(x_t), torch.ones_like(x_t)))


def _per_example(terms: Tensor) -> Tensor:
    """Sum over all but the first dimension."""
    return terms.flatten(1).sum(dim=1)
