"""The limit of many steps: the VP-SDE and its probability-flow ODE (Song et al. 2021).

Time runs from 0 to 1 and β(t) is linear in it; β_t of DDPM is β(t/T)/T up to terms of order 1/T.
"""

from ddpm_spec.formulas.interpolation import mix
from ddpm_spec.ops import Number, exp, sqrt

__all__ = ["flow", "flow_velocity", "limit_alpha_bar", "limit_rate", "sde_drift", "variance_slope"]


def limit_rate(time: Number, first: Number, last: Number) -> Number:
    """β(t) = (1−t) β(0) + t β(1); DDPM's schedule has 0.1 and 20."""
    return mix(first, last, time)


def limit_alpha_bar(time: Number, first: Number, last: Number) -> Number:
    """ᾱ(t) = exp(−∫₀ᵗ β) = exp(−t β(0) − ½ t² (β(1) − β(0))).

    The mean of x(t) given x_0 is √ᾱ(t) x_0, the variance 1 − ᾱ(t): Eq. 4 in the limit.
    """
    return exp(-(time * first) - time**2 * (last - first) / 2)


def sde_drift(x: Number, rate: Number) -> Number:
    """−½ β(t) x, the drift of dx = −½ β(t) x dt + √β(t) dw. Any shape."""
    return -(rate * x) / 2


def flow_velocity(x: Number, score: Number, rate: Number) -> Number:
    """dx/dt = −½ β(t) (x + ∇ log p_t(x)), the ODE with the marginals of the SDE. Any shape."""
    return sde_drift(x + score, rate)


def variance_slope(variance: Number, rate: Number) -> Number:
    """V' = β (1 − V), how the variance of x(t) changes, for data of any law."""
    return rate * (1 - variance)


def flow(x: Number, variance_from: Number, variance_to: Number) -> Number:
    """x √(V_to / V_from), where the ODE takes x for normal data of mean 0. Any shape."""
    return x * sqrt(variance_to / variance_from)
