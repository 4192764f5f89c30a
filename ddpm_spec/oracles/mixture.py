"""Mixtures of normals with any covariances: a normal law, a point and a finite set of images are cases.

Given the component, (x_0, x_t) is jointly normal; the component given x_t follows from Bayes' rule.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ddpm_spec.schedule import Schedule

__all__ = ["Average", "Mixture", "gaussian", "lattice", "point"]

_REACH = 9.0
"""Quadrature covers ±9 standard deviations of each component; what lies outside has mass 2e-19."""
_NODES = {1: 2001, 2: 121}
"""Nodes of the trapezoidal rule per coordinate, by dimension."""


class Average(NamedTuple):
    """An expectation by the trapezoidal rule."""

    value: float
    error: float
    """The difference from the rule with half the nodes. For these analytic integrands the rule converges
    exponentially, so the error of `value` is far below; 0 where the value is in closed form."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """x_0 ~ Σ_k weights_k N(means_k, covariances_k) in D dimensions, in float64.

    Raises:
        ValueError: if the shapes disagree or the weights are not a probability.
    """

    schedule: Schedule
    weights: Tensor
    """Shape (K,)."""
    means: Tensor
    """Shape (K, D)."""
    covariances: Tensor
    """Shape (K, D, D), symmetric and positive semidefinite; 0 makes the component a point."""

    def __post_init__(self) -> None:
        K, D = self.means.shape
        if self.weights.shape != (K,) or self.covariances.shape != (K, D, D):
            raise ValueError(
                f"weights {tuple(self.weights.shape)} and covariances {tuple(self.covariances.shape)} do not "
                f"fit means ({K}, {D}); expected ({K},) and ({K}, {D}, {D})"
            )
        if (self.weights <= 0).any() or abs(self.weights.sum().item() - 1) > 1e-12:
            raise ValueError(f"weights {self.weights.tolist()} are not positive with sum 1")

    @property
    def D(self) -> int:
        """The dimension."""
        return self.means.shape[1]

    def level(self, t: int) -> tuple[float, float]:
        """ᾱ_t and 1 − ᾱ_t, t in 0..T."""
        steps = self.schedule.steps
        return steps.alpha_bar[t].item(), steps.one_minus_alpha_bar[t].item()

    def components(self, t: int) -> tuple[Tensor, Tensor]:
        """Means (K, D) and covariances (K, D, D) of x_t given the component."""
        alpha_bar, noise = self.level(t)
        eye = torch.eye(self.D, dtype=torch.float64)
        return alpha_bar**0.5 * self.means, alpha_bar * self.covariances + noise * eye

    # ----------------------------------------------------------------------------- given x_t (B, D)

    def _log_joint(self, x_t: Tensor, t: int) -> Tensor:
        """Log of weight times density of each component at x_t: (B, K)."""
        means, covariances = self.components(t)
        centred = x_t[:, None] - means
        squares = torch.einsum("bki,kij,bkj->bk", centred, torch.linalg.inv(covariances), centred)
        size = torch.logdet(covariances) + self.D * math.log(2 * math.pi)
        return self.weights.log() - (squares + size) / 2

    def log_density(self, x_t: Tensor, t: int) -> Tensor:
        """The logarithm of q(x_t) in nats, shape (B,)."""
        return self._log_joint(x_t, t).logsumexp(dim=1)

    def shares(self, x_t: Tensor, t: int) -> Tensor:
        """The probability of each component given x_t, shape (B, K)."""
        return self._log_joint(x_t, t).softmax(dim=1)

    def score(self, x_t: Tensor, t: int) -> Tensor:
        """∇ log q(x_t), shape (B, D): the components' scores weighted by their shares."""
        means, covariances = self.components(t)
        pulls = torch.einsum("kij,bkj->bki", torch.linalg.inv(covariances), means - x_t[:, None])
        return (self.shares(x_t, t)[..., None] * pulls).sum(dim=1)

    def _conditional(self, x_t: Tensor, t: int) -> tuple[Tensor, Tensor, Tensor]:
        """Given x_t and the component: means (B, K, D) and covariances (K, D, D) of x_0; and the shares."""
        alpha_bar, _ = self.level(t)
        means, covariances = self.components(t)
        gains = alpha_bar**0.5 * torch.linalg.solve(covariances, self.covariances).mT
        given = self.means + torch.einsum("kij,bkj->bki", gains, x_t[:, None] - means)
        return given, self.covariances - alpha_bar**0.5 * gains @ self.covariances, self.shares(x_t, t)

    def posterior_mean(self, x_t: Tensor, t: int) -> Tensor:
        """E[x_0 | x_t], shape (B, D)."""
        means, _, shares = self._conditional(x_t, t)
        return (shares[..., None] * means).sum(dim=1)

    def posterior_covariance(self, x_t: Tensor, t: int) -> Tensor:
        """Cov(x_0 | x_t), shape (B, D, D)."""
        means, covariances, shares = self._conditional(x_t, t)
        centred = means - (shares[..., None] * means).sum(dim=1, keepdim=True)
        between = torch.einsum("bk,bki,bkj->bij", shares, centred, centred)
        return between + torch.einsum("bk,kij->bij", shares, covariances)

    def eps(self, x_t: Tensor, t: Tensor) -> Tensor:
        """ε*(x_t, t) = E[ε | x_t], the network that minimises Eq. 14. `x_t`: (B, …), `t`: (B,) in 1..T."""
        flat = x_t.double().flatten(1)
        out = torch.empty_like(flat)
        for step in sorted(set(t.tolist())):
            alpha_bar, noise = self.level(step)
            rows = t == step
            mean = self.posterior_mean(flat[rows], step)
            out[rows] = (flat[rows] - alpha_bar**0.5 * mean) / noise**0.5
        return out.reshape(x_t.shape)

    # ---------------------------------------------------------------------------------- averages

    def expectation(self, function: Callable[[Tensor, Tensor], Tensor], t: int) -> Average:
        """E of function(x_t, k) over components k and x_t given k; D ≤ 2.

        `function` takes x_t of shape (B, D) and the component as a 0-dimensional integer tensor, and
        returns (B,).

        Raises:
            ValueError: if D > 2.
        """
        if self.D not in _NODES:
            raise ValueError(f"quadrature in {self.D} dimensions; at most {max(_NODES)}")
        axis = torch.linspace(-_REACH, _REACH, _NODES[self.D], dtype=torch.float64)
        z = torch.cartesian_prod(*[axis] * self.D).reshape(-1, self.D)
        weights = torch.exp(-(z**2).sum(dim=1) / 2)
        even = torch.arange(len(axis)) % 2 == 0
        coarse = torch.cartesian_prod(*[even] * self.D).reshape(-1, self.D).all(dim=1)
        full = half = 0.0
        means, covariances = self.components(t)
        for k, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
            values = function(mean + z @ torch.linalg.cholesky(covariance).mT, torch.tensor(k)) * weights
            full += (self.weights[k] * values.sum() / weights.sum()).item()
            half += (self.weights[k] * values[coarse].sum() / weights[coarse].sum()).item()
        return Average(full, abs(full - half))

    @cached_property
    def reduced(self) -> "Mixture":
        """For finitely many images: the same law in coordinates of the space that they span, D ≤ K − 1.

        What x_t holds at right angles to that space is noise, which says nothing about x_0. Elsewhere,
        and for a single image, the law itself.
        """
        if self.covariances.any() or len(self.weights) == 1:
            return self
        centred = self.means - self.means[0]
        _, sizes, basis = torch.linalg.svd(centred, full_matrices=False)
        means = centred @ basis[sizes > 1e-12 * sizes[0]].T
        D = means.shape[1]
        zero = torch.zeros(len(means), D, D, dtype=torch.float64)
        return Mixture(self.schedule, self.weights, means, zero)

    def posterior_variance(self, t: int) -> Average:
        """E tr Cov(x_0 | x_t) / D."""
        return _posterior_variance(self, t)

    def entropy(self, t: int = 0) -> Average:
        """h(x_t) in nats: differential, but the Shannon entropy H(x_0) of finitely many images at t = 0.

        Raises:
            ValueError: at t = 0 for a mixture of points and normals, which has neither.
        """
        if t == 0 and not self.covariances.any():
            return Average(-(self.weights * self.weights.log()).sum().item(), 0.0)
        _, covariances = self.components(t)
        if (torch.linalg.eigvalsh(covariances)[:, 0] <= 0).any():
            raise ValueError("a mixture of points and normals has no entropy at t = 0")
        if len(self.weights) == 1:
            return Average(
                (self.D * math.log(2 * math.pi * math.e) + torch.logdet(covariances[0]).item()) / 2, 0.0
            )
        law = self.reduced
        value, error = law.expectation(lambda x, k: -law.log_density(x, t), t)
        rest = (self.D - law.D) * math.log(2 * math.pi * math.e * self.level(t)[1]) / 2 if t else 0.0
        return Average(value + rest, error)

    def information(self, t: int) -> Average:
        """I(x_0; x_t) = h(x_t) − h(x_t | x_0) in nats, t in 1..T."""
        value, error = self.entropy(t)
        return Average(value - self.D * math.log(2 * math.pi * math.e * self.level(t)[1]) / 2, error)


@lru_cache(maxsize=1024)
def _posterior_variance(law: Mixture, t: int) -> Average:
    """Remembered: every term of the bound and every relation between them asks for it."""
    if len(law.weights) == 1:
        variances = torch.linalg.eigvalsh(law.covariances[0])
        alpha_bar, noise = law.level(t)
        return Average((variances * noise / (alpha_bar * variances + noise)).mean().item(), 0.0)
    flat = law.reduced
    total = flat.expectation(
        lambda x, k: flat.posterior_covariance(x, t).diagonal(dim1=-2, dim2=-1).sum(-1), t
    )
    return Average(total.value / law.D, total.error / law.D)


def gaussian(schedule: Schedule, mean: Tensor, covariance: Tensor) -> Mixture:
    """x_0 ~ N(mean, covariance); mean (D,), covariance (D, D)."""
    one = torch.ones(1, dtype=torch.float64)
    return Mixture(schedule, one, mean.double()[None], covariance.double()[None])


def lattice(schedule: Schedule, images: Tensor, weights: Tensor | None = None) -> Mixture:
    """x_0 is one of these images (K, …), by default each with probability 1/K."""
    means = images.double().flatten(1)
    K, D = means.shape
    if weights is None:
        weights = torch.full((K,), 1 / K, dtype=torch.float64)
    return Mixture(schedule, weights, means, torch.zeros(K, D, D, dtype=torch.float64))


def point(schedule: Schedule, image: Tensor) -> Mixture:
    """x_0 is always this image."""
    return lattice(schedule, image[None])
