"""A reader of LaTeX, to check that what a page prints is what was proved.

It knows fractions, roots, powers, products by juxtaposition, sums, logarithms, sines, brackets, Σ and ∏
over t up to T, normal densities, Φ and Γ, and slopes, integrals and limits, which it finds numerically. It
takes the value of every other run of symbols from a table of letters, in which a letter that depends on t
is a function of t. It shares nothing with the writer.
"""

import math
import re
from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np

__all__ = ["Letters", "evaluate"]

Letters = Mapping[str, float | Callable[[int], float]]

_SPACING = re.compile(r"\\[,;]|\\cdot|&|\\begin\{aligned\}|\\end\{aligned\}|\\\\")


def evaluate(tex: str, letters: Letters) -> float:
    """The value of an expression, given those of its letters (as they are spelt in LaTeX).

    Raises:
        ValueError: at anything that it cannot read.
    """
    reader = _Reader(_SPACING.sub(" ", tex), {_SPACING.sub(" ", name): letters[name] for name in letters})
    value = reader.sum()
    if reader.rest():
        raise ValueError(f"cannot read {reader.rest()!r} in {tex!r}")
    return value


class _Reader:
    def __init__(self, tex: str, letters: Letters) -> None:
        self.tex, self.at, self.t = tex, 0, 0
        # Longest first: \bar\alpha_{t-1} before \bar\alpha_t before \alpha_t.
        self.letters = sorted(letters.items(), key=lambda item: -len(item[0]))

    def rest(self) -> str:
        return self.tex[self.at :].strip()

    def take(self, token: str) -> bool:
        while self.at < len(self.tex) and self.tex[self.at] == " ":
            self.at += 1
        if self.tex.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def expect(self, token: str) -> None:
        if not self.take(token):
            raise ValueError(f"expected {token!r} before {self.rest()!r} in {self.tex!r}")

    def sum(self) -> float:
        self.take("+")
        value = -self.product() if self.take("-") else self.product()
        while True:
            if self.take("+"):
                value += self.product()
            elif self.take("-"):
                value -= self.product()
            else:
                return value

    def product(self) -> float:
        value = self.factor()
        if value is None:
            raise ValueError(f"expected a factor before {self.rest()!r} in {self.tex!r}")
        while (factor := self.factor()) is not None:
            value *= factor
        return value

    def factor(self) -> float | None:
        """One factor with its powers, or None where no factor starts."""
        value = self.atom()
        while value is not None:
            if self.take("^{"):
                value **= self.group("}")
            elif self.take("!"):
                value = math.gamma(value + 1)
            else:
                break
        return value

    def atom(self) -> float | None:
        if self.take(r"\left("):
            return self.group(r"\right)")
        if self.take(r"\left["):
            return self.group(r"\right]")
        if self.take(r"\frac{\partial}{\partial "):
            return self.slope()
        if self.take(r"\int_{"):
            return self.integral()
        if self.take(r"\lim_{"):
            name = self.name(r" \to \infty}")
            return self.at_value(name, 1e13, self.at)
        if self.take(r"\frac{") or self.take(r"\tfrac{"):
            numerator = self.group("}")
            self.expect("{")
            return numerator / self.group("}")
        if self.take(r"\sqrt{"):
            return math.sqrt(self.group("}"))
        for name, function in ((r"\log", math.log), (r"\sin ", math.sin), (r"\cos ", math.cos)):
            if self.take(name):
                argument = self.factor()
                if argument is None:
                    raise ValueError(f"{name} of nothing in {self.tex!r}")
                return function(argument)
        if self.take(r"\mathcal{N}\left("):
            x, mean, variance = self.group(";"), self.group(","), self.group(r"\right)")
            return math.exp(-((x - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
        if self.take(r"\Phi\left("):
            return math.erfc(-self.group(r"\right)") / math.sqrt(2)) / 2
        if self.take(r"\Gamma\left("):
            return math.gamma(self.group(r"\right)"))
        if self.take(r"\sinh\left("):
            return math.sinh(self.group(r"\right)"))
        if self.take("e^{"):
            return math.exp(self.group("}"))
        if self.take(r"\infty"):
            return math.inf
        for sign, together in ((r"\sum_{t=", sum), (r"\prod_{t=", math.prod)):
            if self.take(sign):
                return together(self.steps())
        for name, value in self.letters:
            if self.take(name):
                return value(self.t) if callable(value) else value
        if self.take(r"\pi"):
            return math.pi
        number = re.match(r"\d+", self.rest())
        if number:
            self.expect(number[0])
            return float(number[0])
        return None

    def steps(self) -> list[float]:
        """The product that follows, read once for each t."""
        first = int(self.group("}"))
        self.expect("^{")
        last, values = int(self.group("}")), []
        start = self.at
        for self.t in range(first, last + 1):
            self.at = start
            values.append(self.product())
        return values

    def name(self, closing: str) -> str:
        """The letter up to what closes it."""
        end = self.tex.index(closing, self.at)
        name = self.tex[self.at : end].strip()
        self.at = end + len(closing)
        return name

    def at_value(self, name: str, value: float, start: int) -> float:
        """The product that starts there, with another value for one letter."""
        letters, self.at = self.letters, start
        others = [(letter, v) for letter, v in letters if letter != name]
        position = sum(len(letter) >= len(name) for letter, _ in others)
        self.letters = [*others[:position], (name, value), *others[position:]]
        result = self.product()
        self.letters = letters
        return result

    def slope(self) -> float:
        """The slope of the bracket that follows, by differences of order six."""
        name = self.name("}")
        start, h = self.at, 2e-3
        (centre,) = [value for letter, value in self.letters if letter == name]
        values = {k: self.at_value(name, centre + k * h, start) for k in (-3, -2, -1, 1, 2, 3)}
        odd = {k: values[k] - values[-k] for k in (1, 2, 3)}
        return (45 * odd[1] - 9 * odd[2] + odd[3]) / (60 * h)

    def integral(self) -> float:
        """The integral of the product that follows, by Gauss's rule; ±∞ is 12 from 0."""
        lower = max(self.group("}"), -12.0)
        self.expect("^{")
        upper = min(self.group("}"), 12.0)
        start = self.at
        self.product()
        self.expect("d")
        name = re.match(r"\w+", self.rest())
        if not name:
            raise ValueError(f"an integral over nothing in {self.tex!r}")
        nodes, weights = np.polynomial.legendre.leggauss(10)
        panels = np.linspace(lower, upper, 1 + math.ceil(upper - lower))
        total = 0.0
        for a, b in pairwise(panels):
            for node, weight in zip(nodes, weights, strict=True):
                x = float(a + (b - a) * (node + 1) / 2)
                total += float(weight * (b - a) / 2) * self.at_value(name[0], x, start)
        self.expect(f"d{name[0]}")
        return total

    def group(self, closing: str) -> float:
        value = self.sum()
        self.expect(closing)
        return value
