"""Normal data: the best denoiser is affine and every law of the reverse process stays normal.

Written with the conditioning rule of a bivariate normal, from covariances, and not with the paper's
formulas, so that it can judge them.
"""

from dataclasses import dataclass

from torch import Tensor

from ddpm_spec.schedule import Schedule

__all__ = ["GaussianData"]


@dataclass(frozen=True)
class GaussianData:
    """x_0 ~ N(mean, variance) in every coordinate, independently; `variance` may be 0."""

    schedule: Schedule
    mean: float
    variance: float

    def marginal(self, t: int) -> tuple[float, float]:
        """Mean and variance of q(x_t), t in 0..T."""
        steps = self.schedule.steps
        alpha_bar, noise = steps.alpha_bar[t].item(), steps.one_minus_alpha_bar[t].item()
        return alpha_bar**0.5 * self.mean, alpha_bar * self.variance + noise

    def eps(self, x_t: Tensor, t: Tensor) -> Tensor:
        """E[ε | x_t], the network that minimises Eq. 14. `x_t`: (B, …), `t`: (B,) in 1..T; float64 inside."""
        steps = self.schedule.steps
        shape = (len(t),) + (1,) * (x_t.ndim - 1)
        alpha_bar, noise = steps.alpha_bar[t].reshape(shape), steps.one_minus_alpha_bar[t].reshape(shape)
        # Cov(ε, x_t) = √(1−ᾱ), Var(x_t) = ᾱ v + 1 − ᾱ.
        gain = noise.sqrt() / (alpha_bar * self.variance + noise)
        return gain * (x_t.double() - alpha_bar.sqrt() * self.mean)

    def reverse_coefficients(self, t: int) -> tuple[float, float, float]:
        """(a, b, c) with E[x_{t−1} | x_t] = a + b x_t and Var[x_{t−1} | x_t] = c, t in 1..T.

        From Cov(x_{t−1}, x_t) = √α_t Var(x_{t−1}); c is the exact optimal σ_t².
        """
        alpha = self.schedule.steps.alpha[t].item()
        (mean_prev, var_prev), (mean, var) = self.marginal(t - 1), self.marginal(t)
        slope = alpha**0.5 * var_prev / var
        return mean_prev - slope * mean, slope, var_prev - slope**2 * var
