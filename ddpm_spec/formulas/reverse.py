"""The reverse process p_θ in terms of what a network predicts (§3.2 and §4.3, Eqs. 11 and 15)."""

from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, exp, sqrt

__all__ = ["learned_variance", "mean_from_eps", "predict_x_0", "x_0_from_mean"]


def predict_x_0(x_t: Number, eps: Number, at: Step) -> Number:
    """x̂_0, the x_0 that x_t and the noise ε imply, Eq. 15: Eq. 4 solved for x_0.

    Any shape. Near t = T the division by √ᾱ_t magnifies an error in ε by 1/√ᾱ_T (157 with the
    paper's schedule). Rounding: 2(1+κ)u.
    """
    return (x_t - sqrt(at.one_minus_alpha_bar) * eps) / sqrt(at.alpha_bar)


def mean_from_eps(x_t: Number, eps: Number, at: Step) -> Number:
    """μ_θ(x_t, t) from the predicted noise, Eq. 11. Any shape. Rounding: 2(1+κ)u."""
    return 1 / sqrt(at.alpha) * (x_t - at.beta / sqrt(at.one_minus_alpha_bar) * eps)


def x_0_from_mean(x_t: Number, mean: Number, at: Step) -> Number:
    """The x_0 whose posterior mean at x_t is `mean`: Eq. 7 solved for x_0. Any shape.

    Needed where a network that predicts μ̃_t is clipped. Rounding: 2(1+κ)u.
    """
    from_x_t = sqrt(at.alpha) * at.one_minus_alpha_bar_prev * x_t
    return (at.one_minus_alpha_bar * mean - from_x_t) / (sqrt(at.alpha_bar_prev) * at.beta)


def learned_variance(log_variance: Number) -> Number:
    """σ_t² of the learned diagonal Σ_θ in Table 2, which the network gives as its logarithm."""
    return exp(log_variance)
