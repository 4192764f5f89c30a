"""`mpmath.mpf`: as many digits as `mpmath.mp.dps` asks for, the reference of the rounding bounds."""

import mpmath
from mpmath import mpf

from ddpm_spec.ops import TABLE

__all__ = ["log_normal_interval"]


def log_normal_interval(lower: mpf, upper: mpf) -> mpf:
    """log(Φ(upper) − Φ(lower)) from the difference itself, both ends taken in the left tail.

    The working precision is raised by what the difference cancels, so the plain formula is the
    reference for the stable one.
    """
    if lower + upper > 0:
        lower, upper = -upper, -lower
    with mpmath.workdps(mpmath.mp.dps + 30):
        return +mpmath.log(mpmath.ncdf(upper) - mpmath.ncdf(lower))


TABLE["sqrt"].register(mpf, mpmath.sqrt)
TABLE["exp"].register(mpf, mpmath.exp)
TABLE["log"].register(mpf, mpmath.log)
TABLE["one"].register(mpf, lambda like: mpf(1))
TABLE["two_pi"].register(mpf, lambda like: 2 * mpmath.pi())
TABLE["log_normal_interval"].register(mpf, log_normal_interval)
