"""`fractions.Fraction`: exact rational arithmetic, for laws that hold with `==`."""

import math
from fractions import Fraction

from ddpm_spec.ops import TABLE

__all__ = ["sqrt"]


def sqrt(x: Fraction) -> Fraction:
    """The exact root of the square of a rational; anything else is refused, never rounded."""
    numerator, denominator = math.isqrt(max(x.numerator, 0)), math.isqrt(x.denominator)
    root = Fraction(numerator, denominator)
    if root * root != x:
        raise ValueError(f"{x} is not the square of a rational number")
    return root


TABLE["sqrt"].register(Fraction, sqrt)
TABLE["one"].register(Fraction, lambda like: Fraction(1))
