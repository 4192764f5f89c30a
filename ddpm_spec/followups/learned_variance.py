"""The reverse variance: learned (Nichol and Dhariwal 2021) and optimal (Bao et al. 2022, twice)."""

from ddpm_spec.formulas.interpolation import mix
from ddpm_spec.formulas.objective import eps_weight
from ddpm_spec.formulas.posterior import posterior_variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, exp, log, one

__all__ = ["analytic_variance", "imperfect_variance", "interpolated_variance", "noise_error", "noise_gain"]


def interpolated_variance(v: Number, small: Number, large: Number) -> Number:
    """Σ_θ = exp(v log β_t + (1−v) log β̃_t), of Improved DDPM, a coordinate.

    v: the network's output brought to [0, 1]; small, large: β̃_t and β_t. At t = 1, where β̃_1 = 0 has no
    logarithm, the authors' code puts β̃_2 in its place.
    """
    return exp(mix(log(small), log(large), v))


def noise_gain(at: Step) -> Number:
    """β_t² / (α_t (1−ᾱ_t)), by which an error in the noise becomes one in the mean of Eq. 11.

    Eq. 12's weight without its 2σ_t². Rounding: 3(1+κ)u.
    """
    return 2 * eps_weight(one(at.beta), at)


def imperfect_variance(eps_error: Number, at: Step) -> Number:
    """The best σ_t² for a network as it is: β̃_t + β_t²/(α_t(1−ᾱ_t)) · E(ε − ε_θ)².

    eps_error: the mean squared error of ε_θ at step t, a coordinate. From "Estimating the Optimal
    Covariance with Imperfect Mean" (Bao et al. 2022).
    """
    return posterior_variance(at) + noise_gain(at) * eps_error


def noise_error(score_square: Number, at: Step) -> Number:
    """1 − (1−ᾱ_t) E‖∇ log q_t‖²/D, the error of the exact prediction of the noise, a coordinate.

    score_square: E‖∇ log q_t(x_t)‖²/D. The exact prediction is −√(1−ᾱ_t) ∇ log q_t.
    """
    return 1 - at.one_minus_alpha_bar * score_square


def analytic_variance(score_square: Number, at: Step) -> Number:
    """The best σ_t² under the exact mean, from the mean squared score (Analytic-DPM; Bao et al. 2022).

    score_square: E‖∇ log q_t(x_t)‖²/D. Between β̃_t and β_t/α_t for any data.
    """
    return imperfect_variance(noise_error(score_square, at), at)
