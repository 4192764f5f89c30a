"""Scores of samples as estimates: FID (Chong and Forsyth 2020) and KID (Bińkowski et al. 2018).

Both compare features of two sets of images. What is stated here is what the number of samples does: the
first is biased, the second is not.
"""

from ddpm_spec.ops import Number, one, sqrt, two_pi

__all__ = [
    "cubic_kernel",
    "deviation_mean",
    "frechet",
    "kernel_distance",
    "next_deviation_mean",
    "off_diagonal_mean",
    "scaled_bias",
]


def frechet(mean: Number, deviation: Number, mean_p: Number, deviation_p: Number) -> Number:
    """(m − m')² + (s − s')², FID of two normal laws of one feature, by their standard deviations."""
    return (mean - mean_p) ** 2 + (deviation - deviation_p) ** 2


def next_deviation_mean(c_4: Number, count: Number) -> Number:
    """c_4(N+1) = √((N−1)/N) / c_4(N), from c_4(N) with N = `count`."""
    return sqrt((count - one(c_4)) / count) / c_4


def deviation_mean(count: int, like: Number) -> Number:
    """c_4(N), the mean of the standard deviation s of N ≥ 2 draws of N(0, 1), with s² unbiased.

    In the arithmetic of `like`: by `next_deviation_mean` from c_4(2) = √(2/π).
    """
    c_4 = 2 / sqrt(two_pi(like))
    for n in range(2, count):
        c_4 = next_deviation_mean(c_4, n)
    return c_4


def scaled_bias(c_4: Number, count: Number) -> Number:
    """N E[FID_N] = 1 + 2N (1 − c_4(N)), for N draws of one normal feature against its exact law.

    In units of the feature's variance. The true distance is 0; this tends to 3/2 as N grows.
    """
    return 1 + 2 * count * (1 - c_4)


def cubic_kernel(product: Number, dimension: Number) -> Number:
    """k(x, y) = (xᵀy/d + 1)³, KID's kernel; `product`: xᵀy of two vectors of d features. Any shape."""
    return (product / dimension + 1) ** 3


def off_diagonal_mean(total: Number, diagonal: Number, count: Number) -> Number:
    """The mean of k(x_i, x_j) over i ≠ j, from the sums of all N² entries and of the N on the diagonal."""
    return (total - diagonal) / (count * (count - 1))


def kernel_distance(within: Number, within_p: Number, between: Number) -> Number:
    """MMD² = E k(x, x') + E k(y, y') − 2 E k(x, y), from the three means.

    With the two means of `off_diagonal_mean` it is the U-statistic, KID: without bias, so it may be negative.
    """
    return within + within_p - 2 * between
