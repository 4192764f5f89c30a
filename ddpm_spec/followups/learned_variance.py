"""The reverse variance: learned (Nichol and Dhariwal 2021) and optimal (Bao et al. 2022, twice)."""

from ddpm_spec.formulas.interpolation import mix
from ddpm_spec.formulas.objective import eps_weight
from ddpm_spec.formulas.posterior import posterior_variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.formulas.variance import explained_variance
from ddpm_spec.ops import Number, exp, log, one, sqrt

__all__ = [
    "analytic_variance",
    "bounded_variance",
    "family_gain",
    "family_variance",
    "hybrid_loss",
    "imperfect_variance",
    "interpolated_variance",
    "noise_error",
    "noise_gain",
]


def interpolated_variance(v: Number, small: Number, large: Number) -> Number:
    """Σ_θ = exp(v log β_t + (1−v) log β̃_t), of Improved DDPM, a coordinate.

    `v`: the network's output brought to [0, 1]; `small`, `large`: β̃_t and β_t. At t = 1, where β̃_1 = 0 has no
    logarithm, the authors' code puts β̃_2 in its place.
    """
    return exp(mix(log(small), log(large), v))


def hybrid_loss(simple: Number, term: Number, weight: Number, T: Number) -> Number:
    """L_simple + λ T L_{t−1}, for uniform t in 1..T an estimate of L_hybrid = L_simple + λ L_vlb.

    Of Improved DDPM, on learning Σ_θ. `simple`, `term`: both losses at step t, a scalar or (B,), each in a
    unit of its own; `weight`: λ, 0.001 there for bits/dim and L_simple divided by D. The mean in `term` is
    held fixed. L_vlb is L without L_T, which nothing moves. Rounding: 2(1+κ)u.
    """
    return simple + weight * (T * term)


def noise_gain(at: Step) -> Number:
    """β_t² / (α_t (1−ᾱ_t)), by which an error in the noise becomes one in the mean of Eq. 11.

    Eq. 12's weight without its 2σ_t². Rounding: 3(1+κ)u.
    """
    return 2 * eps_weight(one(at.beta), at)


def imperfect_variance(eps_error: Number, at: Step) -> Number:
    """The best σ_t² for a network as it is: β̃_t + β_t²/(α_t(1−ᾱ_t)) · E(ε − ε_θ)².

    `eps_error`: the mean squared error of ε_θ at step t, a coordinate. From "Estimating the Optimal
    Covariance with Imperfect Mean" (Bao et al. 2022).
    """
    return posterior_variance(at) + noise_gain(at) * eps_error


def noise_error(score_square: Number, at: Step) -> Number:
    """1 − (1−ᾱ_t) E‖∇ log q_t‖²/D, the error of the exact prediction of the noise, a coordinate.

    `score_square`: E‖∇ log q_t(x_t)‖²/D. The exact prediction is −√(1−ᾱ_t) ∇ log q_t.
    """
    return 1 - at.one_minus_alpha_bar * score_square


def analytic_variance(score_square: Number, at: Step) -> Number:
    """The best σ_t² under the exact mean, from the mean squared score (Analytic-DPM; Bao et al. 2022).

    `score_square`: E‖∇ log q_t(x_t)‖²/D. Between β̃_t and β_t/α_t for any data.
    """
    return imperfect_variance(noise_error(score_square, at), at)


def family_gain(variance: Number, at: Step) -> Number:
    """(√((1−ᾱ_t)/α_t) − √(1−ᾱ_{t−1}−λ²))², the gain of an error in the noise in DDIM's mean.

    `variance`: λ², the variance of DDIM's q(x_{t−1} | x_t, x_0). At λ² = β̃_t it is `noise_gain`.
    """
    here, noise = at.one_minus_alpha_bar / at.alpha, at.one_minus_alpha_bar_prev - variance
    return (sqrt(here) - sqrt(noise)) ** 2


def family_variance(eps_error: Number, variance: Number, at: Step) -> Number:
    """The best σ_t² for any member of DDIM's family: λ² plus `family_gain` times E(ε − ε_θ)².

    `eps_error`: as in `imperfect_variance`, or `noise_error` under the exact mean; `variance`: λ².
    """
    return variance + family_gain(variance, at) * eps_error


def bounded_variance(width: Number, at: Step) -> Number:
    """β̃_t + (√ᾱ_{t−1} β_t/(1−ᾱ_t))² (w/2)², above the best σ_t² of data in an interval of width w.

    Images in [−1, 1] have w = 2.
    """
    return explained_variance((width / 2) ** 2, at)
