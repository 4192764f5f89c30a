"""Algorithm 2: one draw from p_θ(x_{t−1} | x_t)."""

from ddpm_spec.ops import Number, sqrt

__all__ = ["p_sample"]


def p_sample(mean: Number, variance: Number, z: Number) -> Number:
    """x_{t−1} = μ_θ + σ_t z, line 4 of Algorithm 2, for z ~ N(0, I), or z = 0 at t = 1.

    `mean`, `z`: any common shape; `variance` is σ_t². Rounding: 2(1+κ)u.
    """
    return mean + sqrt(variance) * z
