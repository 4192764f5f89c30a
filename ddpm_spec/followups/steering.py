"""Steering a model that was trained without conditions.

By a measurement (DPS; Chung et al. 2023), by a reference image (ILVR; Choi et al. 2021).
"""

from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, sqrt

__all__ = ["denoiser_slope", "dps_excess", "ilvr_step", "measurement_score", "norm_step"]


def denoiser_slope(residual: Number, at: Step) -> Number:
    """∂x̂_0/∂x_t = √ᾱ_t Var(x_0 | x_t) / (1−ᾱ_t), of the exact denoiser in one dimension.

    `residual`: Var(x_0 | x_t), for data of any law. Any shape. Rounding: 3(1+κ)u.
    """
    return sqrt(at.alpha_bar) * residual / at.one_minus_alpha_bar


def measurement_score(y: Number, x_0: Number, slope: Number, variance: Number) -> Number:
    """∂/∂x_t log N(y; x̂_0(x_t), variance), for a measurement y of the image itself. Any shape.

    `slope`: ∂x̂_0/∂x_t. DPS takes the variance σ_y² of the measurement's noise; for normal data the exact
    score has σ_y² + Var(x_0 | x_t) in its place.
    """
    return slope * (y - x_0) / variance


def dps_excess(residual: Number, noise_variance: Number) -> Number:
    """(σ_y² + Var(x_0 | x_t)) / σ_y² > 1, by which DPS's score is too large for normal data.

    Rounding: 2(1+κ)u.
    """
    return (noise_variance + residual) / noise_variance


def norm_step(step: Number, norm: Number) -> Number:
    """ζ = 2 ζ' ‖y − x̂_0‖: a step of ζ along ∇‖y − x̂_0‖ is one of ζ' along ∇‖y − x̂_0‖².

    `step`: ζ', of the rule with the square; `norm`: ‖y − x̂_0‖. The authors' code differentiates the norm
    without the square. Rounding: 2(1+κ)u.
    """
    return 2 * step * norm


def ilvr_step(proposal: Number, low: Number, reference_low: Number) -> Number:
    """x_{t−1} = x'_{t−1} − φ(x'_{t−1}) + φ(y_{t−1}), ILVR's step. Any common shape.

    `proposal`: x'_{t−1}, a step of Algorithm 2; `low`: φ of it; `reference_low`: φ(y_{t−1}) of the
    reference with the noise of Eq. 4 at t−1. φ is a linear low-pass filter.
    """
    return proposal - low + reference_low
