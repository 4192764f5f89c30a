"""Algorithm 2 with the exact denoiser of normal data: every law along the chain, without random numbers."""

import torch
from torch import Tensor

from ddpm_spec.oracles.mixture import Mixture

__all__ = ["Normal", "reverse_step", "sampler_marginals"]

Normal = tuple[Tensor, Tensor]
"""Mean (D,) and covariance (D, D)."""


def reverse_step(law: Mixture, t: int) -> tuple[Tensor, Tensor, Tensor]:
    """(a, B, C) with E[x_{t−1} | x_t] = a + B x_t and Cov(x_{t−1} | x_t) = C, t in 1..T.

    From Cov(x_{t−1}, x_t) = √α_t Cov(x_{t−1}).

    Raises:
        ValueError: if the data are a mixture, for which the mean is not affine.
    """
    if len(law.weights) > 1:
        raise ValueError("only for normal data, or a point, is the reverse mean affine")
    root = law.schedule.steps.alpha[t].item() ** 0.5
    (mean_prev,), (before,) = law.components(t - 1)
    (mean,), (after,) = law.components(t)
    slope = root * torch.linalg.solve(after, before).mT
    return mean_prev - slope @ mean, slope, before - root * slope @ before


def sampler_marginals(law: Mixture, variances: Tensor) -> list[Normal]:
    """The laws of x_T, …, x_0 of Algorithm 2 from x_T ~ N(0, I) with the exact denoiser.

    `variances[t]` is σ_t² for t in 2..T; shape (T + 1,). The last step adds no noise. By the tower
    property the mean of Eq. 11 at the exact ε* is E[x_{t−1} | x_t].
    """
    eye = torch.eye(law.D, dtype=torch.float64)
    mean, covariance = torch.zeros(law.D, dtype=torch.float64), eye
    laws = [(mean, covariance)]
    for t in range(law.schedule.T, 0, -1):
        a, slope, _ = reverse_step(law, t)
        mean = a + slope @ mean
        covariance = slope @ covariance @ slope.mT + (variances[t] if t > 1 else 0.0) * eye
        laws.append((mean, covariance))
    return laws
