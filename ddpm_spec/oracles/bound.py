"""The bound of Eq. 5 under the exact denoiser, from the posterior variance of x_0 alone, in nats per example.

Given x_t, the exact reverse mean misses the posterior's mean of Eq. 7 by a multiple of x_0 − E[x_0 | x_t],
so the expected divergence needs E tr Cov(x_0 | x_t) and nothing else of the data.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ddpm_spec.oracles.mixture import Average, Mixture

__all__ = ["Posterior", "decoder_term", "optimal_variance", "posterior", "prior_term", "step_term"]


class Posterior(NamedTuple):
    """The law q(x_{t−1} | x_t, x_0) = N(from_x_0 · x_0 + from_x_t · x_t, variance)."""

    from_x_0: float
    from_x_t: float
    variance: float


def posterior(law: Mixture, t: int) -> Posterior:
    """Two independent normal measurements of x_{t−1}, from x_0 and from x_t, joined by their precisions.

    t in 2..T; every operation is on positive numbers, so nothing cancels.
    """
    steps = law.schedule.steps
    alpha, beta = steps.alpha[t].item(), steps.beta[t].item()
    alpha_bar, noise = law.level(t - 1)
    variance = 1 / (1 / noise + alpha / beta)
    return Posterior(variance * alpha_bar**0.5 / noise, variance * alpha**0.5 / beta, variance)


def optimal_variance(law: Mixture, t: int) -> Average:
    """The σ_t² that minimises L_{t−1} with the exact mean: that of x_{t−1} given x_t, averaged. t in 2..T."""
    gain, _, variance = posterior(law, t)
    spread = law.posterior_variance(t)
    return Average(variance + gain**2 * spread.value, gain**2 * spread.error)


def step_term(law: Mixture, t: int, variance: float) -> Average:
    """E L_{t−1} with the exact mean and σ_t² = variance, t in 2..T."""
    best = optimal_variance(law, t)
    ratio = posterior(law, t).variance / variance
    return Average(
        law.D * (best.value / variance - 1 - math.log(ratio)) / 2, law.D * best.error / variance / 2
    )


def prior_term(law: Mixture) -> float:
    """E L_T: the divergence of q(x_T | x_0) from N(0, I), averaged over x_0."""
    alpha_bar, noise = law.level(law.schedule.T)
    second = (law.means**2).sum(dim=1) + law.covariances.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    squares = (law.weights * second).sum().item()
    return (alpha_bar * squares + law.D * (noise - 1 - math.log(noise))) / 2


def decoder_term(law: Mixture, variance: float, levels: int) -> Average:
    """E L_0 of a finite set of images with σ_1² = variance: −log of the bins of Eq. 13 at E[x_0 | x_1].

    Raises:
        ValueError: if the data are not finitely many images.
    """
    if law.covariances.any():
        raise ValueError("the discrete decoder codes finitely many images")
    flat = law.reduced
    half_bin = 1 / (levels - 1)

    def cost(x_1: Tensor, k: Tensor) -> Tensor:
        mean = flat.shares(x_1, 1) @ law.means
        image = law.means[k]
        upper = torch.where(image > 1 - half_bin, math.inf, (image + half_bin - mean) / variance**0.5)
        lower = torch.where(image < half_bin - 1, -math.inf, (image - half_bin - mean) / variance**0.5)
        return -_log_interval(lower, upper).sum(dim=1)

    return flat.expectation(cost, 1)


def _log_interval(lower: Tensor, upper: Tensor) -> Tensor:
    """log(Φ(upper) − Φ(lower)), from the tail in which both ends keep their digits."""
    flip = lower > -upper
    low, high = torch.where(flip, -upper, lower), torch.where(flip, -lower, upper)
    log_low, log_high = torch.special.log_ndtr(low), torch.special.log_ndtr(high)
    return log_high + torch.log(-torch.expm1(log_low - log_high))
