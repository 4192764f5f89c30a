"""Lower bounds of the terms of Eq. 5 and of Eq. 14 that no network gets below.

They hold for every network and, but for `loss_floor`, for every law of the data. The paper does not
state them; they say how much of its 1.78 + 1.97 bits/dim (§4.3) was settled before training began.
Rates and codelengths are in nats per coordinate.
"""

from ddpm_spec.formulas.bound import variance_mismatch
from ddpm_spec.formulas.posterior import posterior_variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.formulas.variance import marginal_variance
from ddpm_spec.ops import Number, infinity, log_normal_interval, one, sqrt

__all__ = ["clipped_edge_floor", "interior_floor", "loss_floor", "step_floor"]


def step_floor(variance: Number, at: Step) -> Number:
    """The constant C of Eq. 8, which is the least L_{t−1} of Eq. 5 for t in 2..T.

    `variance`: σ_t². ½ [log(β_t/β̃_t) + β̃_t/β_t − 1] for σ_t² = β_t and 0 for σ_t² = β̃_t. Reached where
    μ_θ = μ̃_t at every x_t, which needs data at a single point. Rounding: that of `gaussian.kl`.
    """
    return variance_mismatch(posterior_variance(at), variance)


def interior_floor(variance: Number, levels: Number) -> Number:
    """−log(2Φ(δ/σ_1) − 1), the least L_0 of a pixel that is neither −1 nor 1 (Eq. 13).

    `variance`: σ_1²; levels ≥ 3, δ = 1/(levels − 1). Reached by a mean in the middle of the pixel's bin.
    """
    half_width = one(variance) / (levels - 1) / sqrt(variance)
    return -log_normal_interval(-half_width, half_width)


def clipped_edge_floor(variance: Number, levels: Number) -> Number:
    """−log Φ(δ/σ_1), the least L_0 (Eq. 13) of a pixel at ±1 where x̂_0 is clipped to [−1, 1].

    Without the clip the mean can move out of the range and the floor is 0. Since Φ(r) ≥ 2Φ(r) − 1 this
    is also, with the clip, the least L_0 of any pixel. `variance`: σ_1²; levels ≥ 2.
    """
    half_width = one(variance) / (levels - 1) / sqrt(variance)
    return -log_normal_interval(-half_width, infinity(variance))


def loss_floor(data_variance: Number, at: Step) -> Number:
    """ᾱ_t v / V_t, the least E(ε − ε_θ)² of a coordinate at step t for x_0 ~ N(m, v) (Eq. 14).

    Reached by E[ε | x_t]; averaged over t it is the minimum of L_simple / D. Any other law of this
    variance can be guessed better. Rounding: 2(1+κ)u.
    """
    return at.alpha_bar * data_variance / marginal_variance(data_variance, at)
