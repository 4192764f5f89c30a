"""Facts about the normal law that the paper uses without number (§2, "closed form expressions").

All formulas are per coordinate: every covariance in the paper is a multiple of the identity (or,
in one row of Table 2, diagonal), so log-densities and divergences are sums over coordinates.
"""

from ddpm_spec.ops import Number, log, two_pi

__all__ = ["entropy", "kl", "linear_mean", "linear_variance", "log_density"]


def log_density(x: Number, mean: Number, variance: Number) -> Number:
    """The logarithm of N(x; mean, variance) in nats, per coordinate: the law of Eqs. 1 and 2.

    Shapes broadcast. Rounding: 2(1+κ)u.
    """
    return -((x - mean) ** 2) / (2 * variance) - log(two_pi(variance) * variance) / 2


def kl(mean: Number, variance: Number, mean_p: Number, variance_p: Number) -> Number:
    """D_KL(N(mean, variance) ‖ N(mean_p, variance_p)) in nats, per coordinate.

    The closed form behind every term of Eq. 5 but L_0. Shapes broadcast. Where the two laws nearly
    agree the terms cancel, so the error is 4u times the sum of their sizes, not of their sum; the bound
    is therefore evaluated in float64.
    """
    ratio = variance / variance_p
    return (ratio - 1 - log(ratio) + (mean - mean_p) ** 2 / variance_p) / 2


def entropy(variance: Number) -> Number:
    """H of N(m, variance) in nats, per coordinate: ½ log(2πe · variance).

    For H(x_0) beside Eq. 5 (App. A). Shapes broadcast. Rounding: 2(1+κ)u.
    """
    return (log(two_pi(variance) * variance) + 1) / 2


def linear_mean(mean: Number, scale: Number) -> Number:
    """Mean of scale · y + noise for y of this mean and noise of mean 0: a step of Eq. 2."""
    return scale * mean


def linear_variance(variance: Number, scale_squared: Number, noise_variance: Number) -> Number:
    """Variance of scale · y + noise for y and noise independent: a step of Eq. 2.

    Takes the square of the scale, since that is what the schedule holds (α_t, not √α_t).
    """
    return scale_squared * variance + noise_variance
