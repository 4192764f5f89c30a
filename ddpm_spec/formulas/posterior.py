"""The forward process run backwards, given x_0 (§2, Eqs. 6 and 7)."""

from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, sqrt

__all__ = ["posterior_mean", "posterior_variance"]


def posterior_mean(x_0: Number, x_t: Number, at: Step) -> Number:
    """μ̃_t(x_t, x_0), the mean of q(x_{t−1} | x_t, x_0), Eq. 7.

    `x_0`, `x_t`: any shape; the fields of `at` broadcast against it. Rounding: 2(1+κ)u.
    """
    return (
        sqrt(at.alpha_bar_prev) * at.beta / at.one_minus_alpha_bar * x_0
        + sqrt(at.alpha) * at.one_minus_alpha_bar_prev / at.one_minus_alpha_bar * x_t
    )


def posterior_variance(at: Step) -> Number:
    """β̃_t, the variance of q(x_{t−1} | x_t, x_0), Eq. 7; 0 at t = 1. Rounding: 2(1+κ)u."""
    return at.one_minus_alpha_bar_prev / at.one_minus_alpha_bar * at.beta
