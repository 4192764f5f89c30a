r"""`Term`: a number type whose arithmetic writes LaTeX in the order of the code, beside a sympy value.

A formula run on sympy symbols comes back in sympy's order, with fractions joined and factors sorted:
no reader recognises Eq. 7. Run on terms it comes back twice, as the paper prints it and as the sympy
expression that a proof compares. Both are built by the same operation, so they cannot disagree.

    >>> beta, x = letter(r"\beta_t", 1 - sp.Symbol("alpha", real=True)), letter("x_t")
    >>> (beta / (1 + x)).tex
    '\\frac{\\beta_t}{1 + x_t}'
    >>> (beta / (1 + x)).value
    (1 - alpha)/(x_t + 1)
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import sympy as sp

from ddpm_spec.ops import TABLE, Number
from ddpm_spec.ops import symbolic as symbolic

__all__ = ["Condition", "Level", "Steps", "T", "Term", "letter", "named", "product", "rows", "t"]


class Level(IntEnum):
    """How tightly the outermost operation binds; a looser operand is bracketed."""

    SUM = 1
    PRODUCT = 2
    FUNCTION = 3
    ATOM = 4


@dataclass(frozen=True)
class Condition:
    """A comparison of two terms, the first argument of `ops.where`."""

    tex: str
    value: Any


@dataclass(frozen=True, eq=False)
class Term:
    """An expression: how it is written and what it is."""

    tex: str
    value: sp.Expr
    level: Level = Level.ATOM
    negated: "Term | None" = None
    """The operand, where this term is −operand: a sign is pulled out of products and quotients."""

    def bracketed(self, level: Level) -> str:
        """The LaTeX of this term as the operand of an operation that binds as tightly as `level`."""
        return self.tex if self.level >= level else rf"\left({self.tex}\right)"

    def __add__(self, other: "Operand") -> "Term":
        other = _term(other)
        if other.tex == "0":
            return self
        sign = "" if other.tex.startswith("-") else "+ "
        return Term(f"{self.tex} {sign}{other.tex}", self.value + other.value, Level.SUM)

    def __sub__(self, other: "Operand") -> "Term":
        other = _term(other)
        return Term(f"{self.tex} - {other.bracketed(Level.PRODUCT)}", self.value - other.value, Level.SUM)

    def __mul__(self, other: "Operand") -> "Term":
        other = _term(other)
        if other.tex == "1":
            return self
        if self.negated:
            return -(self.negated * other)
        left = self.bracketed(Level.PRODUCT)
        if self.level == Level.FUNCTION:
            left = rf"\left({left}\right)"
        right = other.bracketed(Level.PRODUCT)
        tight = self.value.is_Integer or right.startswith(r"\left") or left.endswith("}")
        return Term(left + (" " if tight else r"\,") + right, self.value * other.value, Level.PRODUCT)

    def __truediv__(self, other: "Operand") -> "Term":
        other = _term(other)
        if self.negated:
            return -(self.negated / other)
        value = self.value / other.value
        if self.level == Level.FUNCTION and other.value.is_Integer:
            return Term(rf"\tfrac{{1}}{{{other.tex}}} {self.tex}", value, Level.PRODUCT)
        return Term(rf"\frac{{{self.tex}}}{{{other.tex}}}", value)

    def __pow__(self, power: int) -> "Term":
        simple = self.level == Level.ATOM and "^" not in self.tex
        plain = simple and not self.tex.startswith((r"\sqrt", r"\frac", "-"))
        base = self.tex if plain else rf"\left({self.tex}\right)"
        return Term(f"{base}^{{{power}}}", self.value**power)

    def __neg__(self) -> "Term":
        return Term(f"-{self.bracketed(Level.PRODUCT)}", -self.value, Level.SUM, negated=self)

    def __radd__(self, other: int) -> "Term":
        return _term(other) + self

    def __rsub__(self, other: int) -> "Term":
        return _term(other) - self

    def __rmul__(self, other: int) -> "Term":
        return _term(other) * self

    def __rtruediv__(self, other: int) -> "Term":
        return _term(other) / self

    def __lt__(self, other: "Operand") -> Condition:
        other = _term(other)
        return Condition(f"{self.tex} < {other.tex}", sp.factor(self.value - other.value) < 0)

    def __gt__(self, other: "Operand") -> Condition:
        other = _term(other)
        return Condition(f"{self.tex} > {other.tex}", sp.factor(self.value - other.value) > 0)


Operand = Term | int


def _term(x: Number) -> Term:
    if isinstance(x, Term):
        return x
    value = sp.sympify(x)
    if not (value.is_Integer):
        raise TypeError(f"{x!r}: a formula on the page holds integers and named quantities only")
    return Term(sp.latex(value), value, Level.SUM if value.is_negative else Level.ATOM)


T, t = sp.Symbol("T", integer=True, positive=True), sp.Symbol("t", integer=True, positive=True)
"""The number of steps, and the step, where neither is a number."""


@dataclass(frozen=True, eq=False)
class Steps:
    """A term for each step t = first..T, T any number: what `ops.total` sums.

    Arithmetic is that of an array with one entry a step.
    """

    term: Term
    """The entry of step `t`."""
    first: int

    def __add__(self, other: "Steps") -> "Steps":
        return self._with(self.term + self._entry(other))

    def __sub__(self, other: "Steps") -> "Steps":
        return self._with(self.term - self._entry(other))

    def __mul__(self, other: "Steps") -> "Steps":
        return self._with(self.term * self._entry(other))

    def __neg__(self) -> "Steps":
        return self._with(-self.term)

    def _with(self, term: Term) -> "Steps":
        return Steps(term, self.first)

    def _entry(self, other: "Steps") -> Term:
        if self.first != other.first:
            raise ValueError(f"steps from {self.first} on and steps from {other.first} on do not pair up")
        return other.term

    def written(self, sign: str, value: type[sp.Expr]) -> Term:
        """The sum or the product over the steps."""
        tex = rf"\{sign}_{{t={self.first}}}^{{T}} {self.term.bracketed(Level.PRODUCT)}"
        return Term(tex, value(self.term.value, (t, self.first, T)), Level.FUNCTION)


def product(steps: Steps) -> Term:
    """∏ over the steps."""
    return steps.written("prod", sp.Product)


def letter(tex: str, value: sp.Expr | None = None, *, level: Level = Level.ATOM) -> Term:
    """A quantity under the paper's own name, by default a real symbol of that name.

    `level=Level.SUM` is for a name such as 1−ᾱ_t that must bracket itself inside a product.
    """
    return Term(tex, sp.Symbol(tex, real=True) if value is None else value, level)


def named(tex: str, term: Term) -> Term:
    """The same value under a short name, as in "with λ = …"."""
    return Term(tex, term.value)


def rows(*terms: Term) -> Term:
    """A sum broken over several lines, one summand each, so that it fits a phone."""
    lines = [terms[0].tex, *(t.tex if t.tex.startswith("-") else f"+ {t.tex}" for t in terms[1:])]
    tex = r"\begin{aligned}" + r" \\ ".join(f"&{line}" for line in lines) + r"\end{aligned}"
    return Term(tex, sp.Add(*(t.value for t in terms)), Level.SUM)


def _prefix(name: str, function: Any) -> Any:
    """A function that is written before its argument, such as log x."""

    def apply(x: Term) -> Term:
        return Term(rf"\{name} {x.bracketed(Level.FUNCTION)}", function(x.value), Level.FUNCTION)

    return apply


def _where(condition: Condition, x: Number, y: Number) -> Term:
    x, y = _term(x), _term(y)
    if condition.value in (sp.true, sp.false):
        return x if condition.value else y  # known from what the letters stand for
    cases = rf"{x.tex} & {condition.tex} \\ {y.tex} & \text{{otherwise}}"
    value = symbolic.where(condition.value, x.value, y.value)
    return Term(rf"\begin{{cases}}{cases}\end{{cases}}", value)


def _log_normal_interval(lower: Term, upper: Term) -> Term:
    tex = rf"\log\left[\Phi\left({upper.tex}\right) - \Phi\left({lower.tex}\right)\right]"
    return Term(tex, symbolic.log_normal_interval(lower.value, upper.value), Level.FUNCTION)


TABLE["sqrt"].register(Term, lambda x: Term(rf"\sqrt{{{x.tex}}}", sp.sqrt(x.value)))
TABLE["exp"].register(Term, lambda x: Term(rf"e^{{{x.tex}}}", sp.exp(x.value)))
TABLE["log"].register(Term, _prefix("log", sp.log))
TABLE["sin"].register(Term, _prefix("sin", sp.sin))
TABLE["cos"].register(Term, _prefix("cos", sp.cos))
TABLE["tanh"].register(Term, _prefix("tanh", sp.tanh))
TABLE["one"].register(Term, lambda like: _term(1))
TABLE["two_pi"].register(Term, lambda like: Term(r"2\pi", 2 * sp.pi, Level.PRODUCT))
TABLE["infinity"].register(Term, lambda like: Term(r"\infty", sp.oo))
TABLE["where"].register(Condition, _where)
TABLE["log_normal_interval"].register(Term, _log_normal_interval)
TABLE["total"].register(Steps, lambda steps: steps.written("sum", sp.Sum))
