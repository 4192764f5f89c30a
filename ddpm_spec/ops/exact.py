"""`fractions.Fraction`: exact rational arithmetic, for laws that hold with `==`.

A numpy array of exact numbers holds one for each step of a path.
"""

import math
from fractions import Fraction

import numpy as np

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
TABLE["total"].register(np.ndarray, lambda steps: steps.sum(axis=-1))
