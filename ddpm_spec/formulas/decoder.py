"""The discrete decoder p_θ(x_0 | x_1) (§3.3, Eq. 13), for any number of grey levels."""

from ddpm_spec.ops import Number, infinity, log, log_normal_interval, one, sqrt, tanh, two_pi, where

__all__ = ["log_bin_probability", "log_bin_probability_tanh", "tanh_cdf"]


def log_bin_probability(x_0: Number, mean: Number, variance: Number, levels: Number) -> Number:
    """The logarithm of p_θ(x_0^i | x_1), Eq. 13, in nats, per coordinate.

    `x_0`: data with `levels` equally spaced values from −1 to 1 (256 in the paper, δ = 1/255; 17 for
    the digits, δ = 1/16). `mean`, `variance`: μ_θ(x_1, 1) and σ_1². Shapes broadcast. The first and the
    last bin reach to −∞ and +∞; they are told apart at the middle of the bin edge, so that a rounded
    ±1 still counts as one. Rounding: 2u times the sum of |log p|, of the log-cdf at either end as it
    enters, and of what an error in an end of the bin moves; the difference of the two cancels where the
    bin is narrow against σ.
    """
    half_bin = one(x_0) / (levels - 1)
    sigma = sqrt(variance)
    upper = where(x_0 > 1 - half_bin, infinity(x_0), (x_0 + half_bin - mean) / sigma)
    lower = where(x_0 < half_bin - 1, -infinity(x_0), (x_0 - half_bin - mean) / sigma)
    return log_normal_interval(lower, upper)


def tanh_cdf(x: Number) -> Number:
    """Φ(x) as ½ (1 + tanh(√(2/π) (x + 0.044715 x³))), off by up to 1.8e-4.

    For Eq. 13. Not in the paper; its official code uses it. Symmetric like Φ, and its slope falls with |x|.
    """
    return (1 + tanh(2 / sqrt(two_pi(x)) * (x + 44715 * x**3 / 10**6))) / 2


def log_bin_probability_tanh(x_0: Number, mean: Number, variance: Number, levels: Number) -> Number:
    """`log_bin_probability` with `tanh_cdf` for Φ and no probability below 1e-12, in nats.

    What the official code evaluates in place of Eq. 13. The bins still sum to one before the floor. With
    it they sum to more where a bin is far from the mean, and the number is no longer a codelength; the
    cost of a coordinate never exceeds 12 log 10. The difference of the two cdfs is formed as it stands:
    where p is small its error is u/p.
    """
    half_bin = one(x_0) / (levels - 1)
    sigma = sqrt(variance)
    upper = where(x_0 > 1 - half_bin, infinity(x_0), (x_0 + half_bin - mean) / sigma)
    lower = where(x_0 < half_bin - 1, -infinity(x_0), (x_0 - half_bin - mean) / sigma)
    probability = tanh_cdf(upper) - tanh_cdf(lower)
    least = one(x_0) / 10**12
    return log(where(probability < least, least, probability))
