"""The reverse process p_θ in terms of a prediction of the noise (§3.2 and §4.3, Eqs. 11 and 15)."""

from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, sqrt

__all__ = ["mean_from_eps", "predict_x_0"]


def predict_x_0(x_t: Number, eps: Number, at: Step) -> Number:
    """x̂_0, the x_0 that x_t and the noise ε imply, Eq. 15: Eq. 4 solved for x_0.

    Any shape. Near t = T the division by √ᾱ_t magnifies an error in ε by 1/√ᾱ_T (157 with the
    paper's schedule). Rounding: 2(1+κ)u.
    """
    return (x_t - sqrt(at.one_minus_alpha_bar) * eps) / sqrt(at.alpha_bar)


def mean_from_eps(x_t: Number, eps: Number, at: Step) -> Number:
    """μ_θ(x_t, t) from the predicted noise, Eq. 11. Any shape. Rounding: 2(1+κ)u."""
    return 1 / sqrt(at.alpha) * (x_t - at.beta / sqrt(at.one_minus_alpha_bar) * eps)
