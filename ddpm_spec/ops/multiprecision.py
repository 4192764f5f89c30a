"""`mpmath.mpf`: as many digits as `mpmath.mp.dps` asks for, the reference of the rounding bounds."""

import mpmath
from mpmath import mpf

from ddpm_spec.ops import TABLE

__all__ = ["log_normal_interval"]


def log_normal_interval(lower: mpf, upper: mpf) -> mpf:
    """log(Φ(upper) − Φ(lower)) by the plain formula, with 30 digits to spare for what it cancels.

    The larger end is taken in the left tail, where Φ has its digits; a probability near 1 is had from
    what lies outside the interval.
    """
    if lower + upper > 0:
        lower, upper = -upper, -lower
    with mpmath.workdps(mpmath.mp.dps + 30):
        outside = mpmath.ncdf(lower) + mpmath.ncdf(-upper)
        if 2 * outside < 1:
            return +mpmath.log1p(-outside)
        return +mpmath.log(mpmath.ncdf(upper) - mpmath.ncdf(lower))


TABLE["sqrt"].register(mpf, mpmath.sqrt)
TABLE["exp"].register(mpf, mpmath.exp)
TABLE["log"].register(mpf, mpmath.log)
TABLE["sin"].register(mpf, mpmath.sin)
TABLE["cos"].register(mpf, mpmath.cos)
TABLE["tanh"].register(mpf, mpmath.tanh)
TABLE["one"].register(mpf, lambda like: mpf(1))
TABLE["two_pi"].register(mpf, lambda like: 2 * mpmath.pi())
TABLE["infinity"].register(mpf, lambda like: mpmath.inf)
TABLE["log_normal_interval"].register(mpf, log_normal_interval)
