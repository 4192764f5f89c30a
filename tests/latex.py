"""A reader of LaTeX, to check that what a page prints is what was proved.

It knows fractions, roots, powers, products by juxtaposition, sums, logarithms, brackets, and Σ and ∏ over
t up to T. It takes the value of every other run of symbols from a table of letters, in which a letter
that depends on t is a function of t. It shares nothing with the writer.
"""

import math
import re
from collections.abc import Callable, Mapping

__all__ = ["Letters", "evaluate"]

Letters = Mapping[str, float | Callable[[int], float]]

_SPACING = re.compile(r"\\[,;]|&|\\begin\{aligned\}|\\end\{aligned\}|\\\\")


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
        while value is not None and self.take("^{"):
            value **= self.sum()
            self.expect("}")
        return value

    def atom(self) -> float | None:
        if self.take(r"\left("):
            return self.group(r"\right)")
        if self.take(r"\frac{") or self.take(r"\tfrac{"):
            numerator = self.group("}")
            self.expect("{")
            return numerator / self.group("}")
        if self.take(r"\sqrt{"):
            return math.sqrt(self.group("}"))
        if self.take(r"\log"):
            argument = self.factor()
            if argument is None:
                raise ValueError(f"a logarithm of nothing in {self.tex!r}")
            return math.log(argument)
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

    def group(self, closing: str) -> float:
        value = self.sum()
        self.expect(closing)
        return value
