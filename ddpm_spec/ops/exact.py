"""`fractions.Fraction`: exact rational arithmetic, for laws that hold with `==`.

The logarithm of a rational is exact too, as a sum of logarithms of primes: by unique factorisation two
such sums are equal only where their coefficients are. A numpy array holds one number for each step of a
path.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ddpm_spec.ops import TABLE

__all__ = ["Logarithms", "TwoPi", "sqrt"]


def sqrt(x: Fraction) -> Fraction:
    """The exact root of the square of a rational, never rounded.

    Raises:
        ValueError: for anything else.
    """
    numerator, denominator = math.isqrt(max(x.numerator, 0)), math.isqrt(x.denominator)
    root = Fraction(numerator, denominator)
    if root * root != x:
        raise ValueError(f"{x} is not the square of a rational number")
    return root


@dataclass(frozen=True)
class TwoPi:
    """A rational multiple of 2π."""

    factor: Fraction

    def __mul__(self, other: Fraction) -> "TwoPi":
        return TwoPi(self.factor * other)


@dataclass(frozen=True, eq=False)
class Logarithms:
    """A rational number plus rational multiples of the logarithms of primes and of 2π."""

    parts: Mapping[str | int, Fraction]
    """The coefficients, none of them 0: of "1", of "log 2π", and of log p by the prime p."""

    def __add__(self, other: "Logarithms | Fraction | int") -> "Logarithms":
        parts = dict(self.parts)
        for name, coefficient in _logarithms(other).parts.items():
            parts[name] = parts.get(name, Fraction(0)) + coefficient
        return Logarithms({name: coefficient for name, coefficient in parts.items() if coefficient})

    def __mul__(self, other: Fraction | int) -> "Logarithms":
        return Logarithms({name: coefficient * other for name, coefficient in self.parts.items() if other})

    def __neg__(self) -> "Logarithms":
        return self * -1

    def __sub__(self, other: "Logarithms | Fraction | int") -> "Logarithms":
        return self + -other

    def __rsub__(self, other: Fraction | int) -> "Logarithms":
        return -self + other

    def __truediv__(self, other: Fraction | int) -> "Logarithms":
        return self * (Fraction(1) / other)

    __radd__, __rmul__ = __add__, __mul__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Logarithms | Fraction | int):
            return NotImplemented
        return self.parts == _logarithms(other).parts

    __hash__ = None  # type: ignore[assignment] # equal to a Fraction, whose hash is its own

    def __float__(self) -> float:
        logs = {"1": 1.0, "log 2π": math.log(2 * math.pi)}
        return math.fsum(
            float(c) * (logs[name] if isinstance(name, str) else math.log(name))
            for name, c in self.parts.items()
        )


def _logarithms(x: Logarithms | Fraction | int) -> Logarithms:
    return x if isinstance(x, Logarithms) else Logarithms({"1": Fraction(x)} if x else {})


def log(x: Fraction) -> Logarithms:
    """The logarithm of a positive rational, exactly."""
    if x <= 0:
        raise ValueError(f"{x} has no logarithm")
    total = Logarithms({})
    for number, sign in ((x.numerator, 1), (x.denominator, -1)):
        for prime in _primes(number):
            total = total + Logarithms({prime: Fraction(sign)})
    return total


def _primes(number: int) -> Iterator[int]:
    """The prime factors, each as often as it divides."""
    prime = 2
    while prime * prime <= number:
        while number % prime == 0:
            yield prime
            number //= prime
        prime += 1
    if number > 1:
        yield number


TABLE["sqrt"].register(Fraction, sqrt)
TABLE["log"].register(Fraction, log)
TABLE["log"].register(TwoPi, lambda x: log(x.factor) + Logarithms({"log 2π": Fraction(1)}))
TABLE["one"].register(Fraction, lambda like: Fraction(1))
TABLE["two_pi"].register(Fraction, lambda like: TwoPi(Fraction(1)))
TABLE["total"].register(np.ndarray, lambda steps: steps.sum(axis=-1))
