"""What is not algebra: slopes, integrals, limits, averages and inequalities, as terms and as rules.

A slope or an integral stands in a line as sympy's unevaluated object, so that a line says what is
sought and the next one what it comes to. An inequality names what was left out, and why that has a
sign.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import sympy as sp

from ddpm_spec.formulas import gaussian
from ddpm_spec.ops.symbolic import normal_cdf
from ddpm_spec.ops.typeset import Level, Term
from ddpm_spec.proofs.engine import By, Expectation, Form, Line, Normal, Rule, Value
from ddpm_spec.proofs.zero import Undecided, Verdict, is_zero, sign_of

__all__ = [
    "AtLeast",
    "AtMost",
    "Averaged",
    "AveragedBy",
    "Backwards",
    "BySeries",
    "Calculus",
    "ChangeOfVariable",
    "DensityFalls",
    "Jensen",
    "Pointwise",
    "Tangent",
    "cdf",
    "compared",
    "density",
    "factorial",
    "integral",
    "limit",
    "sinh",
    "slope",
]

# --------------------------------------------------------------------------------------------- terms


def slope(f: Term, x: Term) -> Term:
    """∂f/∂x, to be carried out."""
    tex = rf"\frac{{\partial}}{{\partial {x.tex}}}\left[{f.tex}\right]"
    return Term(tex, sp.Derivative(f.value, x.value), Level.FUNCTION)


def integral(f: Term, x: Term, lower: Term, upper: Term) -> Term:
    """∫ f dx from lower to upper, to be carried out."""
    tex = rf"\int_{{{lower.tex}}}^{{{upper.tex}}} {f.bracketed(Level.PRODUCT)}\, d{x.tex}"
    return Term(tex, sp.Integral(f.value, (x.value, lower.value, upper.value)), Level.PRODUCT)


def limit(f: Term, x: Term) -> Term:
    """The limit of f as x grows without bound, to be carried out."""
    tex = rf"\lim_{{{x.tex} \to \infty}} {f.bracketed(Level.PRODUCT)}"
    return Term(tex, sp.Limit(f.value, x.value, sp.oo), Level.PRODUCT)


def density(x: Term, mean: Term, variance: Term) -> Term:
    """The density of N(mean, variance) at x."""
    tex = rf"\mathcal{{N}}\left({x.tex};\; {mean.tex},\; {variance.tex}\right)"
    return Term(tex, sp.exp(gaussian.log_density(x, mean, variance).value), Level.FUNCTION)


def cdf(x: Term) -> Term:
    """Φ(x)."""
    return Term(rf"\Phi\left({x.tex}\right)", normal_cdf(x.value))


def sinh(x: Term) -> Term:
    """The hyperbolic sine."""
    return Term(rf"\sinh\left({x.tex}\right)", sp.sinh(x.value))


def factorial(n: Term) -> Term:
    """n! for a whole number."""
    return Term(f"{n.bracketed(Level.ATOM)}!", sp.factorial(n.value))


# --------------------------------------------------------------------------------------------- rules


class Comparison(Rule, Protocol):
    """A rule that also says how the two lines compare."""

    @property
    def relation(self) -> str:
        """=, ≥, ≤ or >."""


def compared(form: Form, reason: str, rule: Comparison, where: tuple[tuple[str, Term], ...] = ()) -> Line:
    """A line that is related to the one before it as its rule says."""
    return Line(form, reason, rule, where, relation=rule.relation)


@dataclass(frozen=True)
class Calculus:
    """The two lines are the same quantity, once slopes, integrals and limits are carried out."""

    def check(self, previous: Form, this: Form) -> Verdict:
        """Carry out what stands there on either side, by sympy, and compare."""
        if not (isinstance(previous, Value) and isinstance(this, Value)):
            return Verdict("not zero", "only values are carried out")
        verdict = is_zero(_carried_out(previous.term.value) - _carried_out(this.term.value))
        return Verdict(verdict.outcome, f"{verdict.method}, after differentiating or integrating by sympy")


def _carried_out(expression: sp.Expr) -> sp.Expr:
    """The expression with its slopes, integrals and limits done."""
    done = expression.xreplace({i: _integrated(i) for i in expression.atoms(sp.Integral)})
    done = sp.combsimp(done.doit())
    done = done.replace(sp.sinh, lambda x: (sp.exp(x) - sp.exp(-x)) / 2)
    return done.replace(sp.erfc, lambda x: 1 - sp.erf(x))


def _integrated(integral: sp.Integral) -> sp.Expr:
    """The integral, with letters in the place of long limits while sympy integrates."""
    (x, *limits) = integral.limits[0]
    letters = [limit if limit.is_number else letter for limit, letter in zip(limits, _LIMITS, strict=True)]
    return _integral(integral.function, x, *letters).xreplace(dict(zip(letters, limits, strict=True)))


_LIMITS = sp.Dummy("lower", real=True), sp.Dummy("upper", real=True)


@cache
def _integral(f: sp.Expr, x: sp.Symbol, lower: sp.Expr, upper: sp.Expr) -> sp.Expr:
    return sp.integrate(f, (x, lower, upper))


@dataclass(frozen=True)
class Backwards(By):
    """Another derivation leads from this line to the previous one."""

    def check(self, previous: Form, this: Form) -> Verdict:
        """The lemma, read from its end to its start."""
        return super().check(this, previous)


@dataclass(frozen=True)
class AtLeast:
    """This line is the previous one less something that is not negative, or with `strict` positive."""

    dropped: Term
    strict: bool = False

    @property
    def relation(self) -> str:
        """How the two lines compare."""
        return ">" if self.strict else r"\ge"

    def check(self, previous: Form, this: Form) -> Verdict:
        """The difference is what is said to be left out, and that has the sign."""
        return _left_out(previous, this, self.dropped, self.strict)


@dataclass(frozen=True)
class AtMost:
    """This line is the previous one and something more that is not negative."""

    added: Term
    relation = r"\le"

    def check(self, previous: Form, this: Form) -> Verdict:
        """The difference is what is said to be added, and that has the sign."""
        return _left_out(this, previous, self.added, strict=False)


@dataclass(frozen=True)
class Tangent:
    """A logarithm lies below its tangent: in this line w − 1 stands where log w stood, with its factor."""

    w: Term
    """Positive."""
    times: Term
    """The factor, not negative."""
    relation = r"\le"

    def check(self, previous: Form, this: Form) -> Verdict:
        """The lines differ by factor · (w − 1 − log w), and neither factor nor that is negative."""
        before, after = _under_one_average(previous, this)
        if before is None or after is None:
            return Verdict("not zero", "the lines have to be values, or averages over the same variable")
        w = self.w.value
        difference = is_zero(after - before - self.times.value * (w - 1 - sp.log(w)))
        if not difference.proved:
            return difference
        try:
            _not_negative(w, strict=True)
            _not_negative(self.times.value, strict=False)
        except Undecided as reason:
            return Verdict("not zero", str(reason))
        return Verdict("zero", f"{difference.method}; {_above_logarithm()}")


def _under_one_average(previous: Form, this: Form) -> tuple[sp.Expr, sp.Expr] | tuple[None, None]:
    """What the lines hold, where both are plain or both averages over the same variable."""
    if isinstance(previous, Value) and isinstance(this, Value):
        return previous.term.value, this.term.value
    if not (isinstance(previous, Expectation) and isinstance(this, Expectation)):
        return None, None
    if previous.z.value != this.z.value:
        return None, None
    return previous.integrand.value, this.integrand.value


@cache
def _above_logarithm() -> str:
    """Why log w ≤ w − 1 for every w > 0: the gap is 0 at w = 1, and its slope has the sign of w − 1."""
    w = sp.Symbol("w", positive=True)
    gap = w - 1 - sp.log(w)
    assert gap.subs(w, 1) == 0  # noqa: S101 (a fact, not an input)
    assert is_zero(sp.diff(gap, w) - (w - 1) / w).proved  # noqa: S101
    return "w − 1 − log w is 0 at w = 1 and its slope is (w − 1)/w"


@dataclass(frozen=True)
class Averaged:
    """E[X] is put in for X where the line is affine in it, or with `at_most` a bound on E[X]."""

    of: Term
    """X."""
    mean: Term
    """E[X], or what it does not exceed; the reason of the line says why."""
    times: Term
    """The factor of X, free of what is averaged over; with `at_most` not negative."""
    at_most: bool = False

    @property
    def relation(self) -> str:
        """How the two lines compare."""
        return r"\le" if self.at_most else "="

    def check(self, previous: Form, this: Form) -> Verdict:
        """The lines differ by factor · (X − E[X]); a plain line holds nothing that is averaged over."""
        if not isinstance(previous, Expectation):
            return Verdict("not zero", "only an average has a mean")
        random = self.of.value.free_symbols
        if random & (self.times.value.free_symbols | self.mean.value.free_symbols):
            return Verdict("not zero", f"the line is not affine in {self.of.tex}")
        if isinstance(this, Expectation) and this.z.value == previous.z.value:
            after = this.integrand.value
        elif isinstance(this, Value) and not random & this.term.value.free_symbols:
            after = this.term.value
        else:
            return Verdict("not zero", f"{self.of.tex} is not averaged out")
        try:
            sign = _not_negative(self.times.value, strict=False) if self.at_most else ""
        except Undecided as reason:
            return Verdict("not zero", str(reason))
        gap = self.times.value * (self.of.value - self.mean.value)
        difference = is_zero(previous.integrand.value - after - gap)
        return Verdict(difference.outcome, "; ".join(filter(None, (difference.method, sign))))


@dataclass(frozen=True)
class AveragedBy(By):
    """As `Averaged` with `at_most`, where another derivation shows the bound, on a multiple of X."""

    averaged: Averaged = field(kw_only=True)
    unit: Term = field(kw_only=True)
    """The lemma goes from E[unit · X] to what unit · E[X] does not exceed; positive."""
    relation = r"\le"

    def check(self, previous: Form, this: Form) -> Verdict:
        """The lemma is about X, never goes down and holds; the lines differ as for `Averaged`."""
        start, end = self.ends()
        if not (isinstance(start, Expectation) and isinstance(end, Value)):
            return Verdict("not zero", f"“{self.lemma.title}” bounds no average")
        if not (isinstance(previous, Expectation) and previous.z.value == start.z.value):
            return Verdict("not zero", "the average is not over what the lemma's is")
        if any(line.relation not in ("=", r"\le") for line in self.lemma.lines):
            return Verdict("not zero", f"“{self.lemma.title}” is no bound from above")
        unit = self.unit.value
        for shown, used in ((start.integrand, self.averaged.of), (end.term, self.averaged.mean)):
            about = is_zero(shown.value - unit * used.value)
            if not about.proved:
                return Verdict("not zero", f"“{self.lemma.title}” has {shown.tex}, this line {used.tex}")
        if not (self.averaged.at_most and unit.is_positive):
            return Verdict("not zero", "a bound needs a positive unit, and bounds")
        return self.holds(self.averaged.check(previous, this))


def _left_out(large: Form, small: Form, part: Term, strict: bool) -> Verdict:
    if not (isinstance(large, Value) and isinstance(small, Value)):
        return Verdict("not zero", "only values have a size")
    difference = is_zero(large.term.value - small.term.value - part.value)
    if not difference.proved:
        return difference
    try:
        return Verdict("zero", f"{difference.method}; {_not_negative(part.value, strict)}")
    except Undecided as reason:
        return Verdict("not zero", str(reason))


def _not_negative(expression: sp.Expr, strict: bool) -> str:
    """Why it is not negative on its domain, factor by factor.

    Raises:
        Undecided: if that is not seen.
    """
    total = 1
    for factor in sp.Mul.make_args(sp.factor(expression)):
        base, power = factor.as_base_exp()
        if base.is_positive or (not strict and base.is_nonnegative and power.is_positive):
            continue
        if not strict and power.is_Integer and power.is_even and power.is_positive and _is_real(base):
            continue
        if not power.is_Integer:
            raise Undecided(f"the sign of {factor} is not known")
        total *= sign_of(base) ** (power % 2)
    if total < 0:
        raise Undecided(f"{expression} is negative")
    return "each factor of what is left out is a square or has one sign on the domain"


def _is_real(expression: sp.Expr) -> bool:
    """Whether it is real on its domain: no root of what may be negative."""
    for power in expression.atoms(sp.Pow):
        if power.exp.is_Rational and power.exp.q == 2:
            _not_negative(power.base, strict=False)
    return all(symbol.is_real for symbol in expression.free_symbols)


@dataclass(frozen=True)
class DensityFalls:
    """A density less a larger one: the sign of the difference of their logarithms."""

    small: Normal
    large: Normal
    gap: Term
    """log large − log small, which is positive."""
    relation = "<"

    def check(self, previous: Form, this: Form) -> Verdict:
        """The previous line is that difference, this line is 0, and the gap is as said."""
        if not (isinstance(previous, Value) and isinstance(this, Value) and this.term.value == 0):
            return Verdict("not zero", "two densities are compared with 0")
        small, large = self.small.term.value, self.large.term.value
        difference = is_zero(previous.term.value - sp.exp(small) + sp.exp(large))
        if not difference.proved:
            return difference
        return _left_out(Value(self.large.term), Value(self.small.term), self.gap, strict=True)


@dataclass(frozen=True)
class ChangeOfVariable:
    """In the logarithm of an integral over x, put x = x(s), increasing; what is free of s moves out."""

    x: Term
    """x(s)."""
    s: Term

    def check(self, previous: Form, this: Form) -> Verdict:
        """The limits correspond, and so do the integrands, up to a factor free of s."""
        (one, before), (other, after) = _only_integral(previous), _only_integral(this)
        if one is None or other is None:
            return Verdict("not zero", "each line needs one integral")
        (x, *limits), (s, *new_limits) = one.limits[0], other.limits[0]
        jacobian = sp.diff(self.x.value, s)
        if s != self.s.value or not jacobian.is_positive:
            return Verdict("not zero", f"{self.x.tex} does not increase with {self.s.tex}")
        for old, new in zip(limits, new_limits, strict=True):
            mapped = self.x.value.subs(s, new)
            if mapped != old and not is_zero(mapped - old).proved:
                return Verdict("not zero", f"{new} is not where {old} goes")
        factor = _log(one.function).subs(x, self.x.value) + sp.log(jacobian) - _log(other.function)
        free = is_zero(sp.diff(factor, s))
        if not free.proved:
            return free
        factor = factor.subs(s, new_limits[0])
        mass = sp.Dummy(positive=True)
        left = before.xreplace({sp.log(one): factor + sp.log(mass)})
        return is_zero(sp.expand_log(left - after.xreplace({other: mass}), force=True))


@dataclass(frozen=True)
class Pointwise:
    """In the logarithm of an integral the exponent grows everywhere by something not negative."""

    added: Term
    relation = r"\le"

    def check(self, previous: Form, this: Form) -> Verdict:
        """The exponents differ by what is said, and that has the sign."""
        (one, before), (other, after) = _only_integral(previous), _only_integral(this)
        if one is None or other is None or one.limits != other.limits:
            return Verdict("not zero", "each line needs one integral, over the same range")
        mass = sp.Dummy(positive=True)
        around = is_zero(before.xreplace({one: mass}) - after.xreplace({other: mass}))
        if not around.proved:
            return around
        return _left_out(_exponent(other), _exponent(one), self.added, strict=False)


@dataclass(frozen=True)
class Jensen:
    """log E[e^f] ≥ E[f] over a uniform variable: the logarithm is concave."""

    relation = r"\ge"

    def check(self, previous: Form, this: Form) -> Verdict:
        """The weights sum to one, and both lines average the same f."""
        (one, before), (other, after) = _only_integral(previous), _only_integral(this)
        if one is None or other is None or one.limits != other.limits:
            return Verdict("not zero", "each line needs one integral, over the same range")
        _, lower, upper = one.limits[0]
        parts = (
            before - sp.log(one / (upper - lower)),
            after - other / (upper - lower),
            sp.log(one.function) - other.function,
        )
        if any(sp.expand_log(part, force=True).expand() != 0 for part in parts):
            return Verdict("not zero", "these are not log E[e^f] and E[f]")
        return Verdict("zero", "Jensen's inequality for the uniform law on the range")


@dataclass(frozen=True)
class BySeries(By):
    """log(sinh x / x) ≤ x²/6, by comparing power series term by term.

    The coefficients of x²ᵏ are 1/(2k+1)! and 1/(6ᵏ k!), with quotient 1 at k = 0. The lemma says that
    the quotient changes from k to k + 1 by a factor of at most 1.
    """

    relation = r"\le"

    def check(self, previous: Form, this: Form) -> Verdict:
        """The lines are those two, the coefficients are as said, and the lemma is about them."""
        if not (isinstance(previous, Value) and isinstance(this, Value)):
            return Verdict("not zero", "only values are compared")
        sinhs = previous.term.value.atoms(sp.sinh)
        if len(sinhs) != 1:
            return Verdict("not zero", "there is no hyperbolic sine to bound")
        x = next(iter(sinhs)).args[0]
        for line, claimed in ((previous, sp.log(sp.sinh(x) / x)), (this, x**2 / 6)):
            verdict = is_zero(line.term.value - claimed)
            if not verdict.proved:
                return verdict
        if not (x.is_positive and self._lemma_applies() and self.lemma.check().proved and _series_agree()):
            return Verdict("not zero", "the coefficients do not compare")
        return Verdict("zero", f"“{self.lemma.title}”; both series are summed over the same powers of x")

    def _lemma_applies(self) -> bool:
        start, end = self.lemma.lines[0].form, self.lemma.end
        if not (isinstance(start, Value) and isinstance(end, Value) and end.term.value == 1):
            return False
        (k,) = start.term.value.free_symbols
        quotient = 6**k * sp.factorial(k) / sp.factorial(2 * k + 1)
        falls = isinstance(self.lemma.lines[-1].rule, AtMost)
        return falls and sp.combsimp(start.term.value - quotient.subs(k, k + 1) / quotient) == 0


def _series_agree() -> bool:
    """The first coefficients of sinh(x)/x and exp(x²/6) in x² are those of the lemma."""
    x, k = sp.Symbol("x"), range(6)
    ours = sp.Poly(sp.series(sp.sinh(x) / x, x, 0, 12).removeO(), x)
    above = sp.Poly(sp.series(sp.exp(x**2 / 6), x, 0, 12).removeO(), x)
    return all(
        ours.coeff_monomial(x ** (2 * i)) * sp.factorial(2 * i + 1) == 1
        and above.coeff_monomial(x ** (2 * i)) * 6**i * sp.factorial(i) == 1
        for i in k
    )


def _only_integral(form: Form) -> tuple[Any, Any]:
    """The one integral of a line, or None, and the whole line."""
    whole = form.term.value if isinstance(form, Value) else sp.Integer(0)
    integrals = whole.atoms(sp.Integral)
    return (next(iter(integrals)) if len(integrals) == 1 else None), whole


def _exponent(integral: sp.Integral) -> Value:
    return Value(Term("", _log(integral.function)))


def _log(positive: sp.Expr) -> sp.Expr:
    """The logarithm of a positive product, as a sum."""
    return sp.expand_log(sp.log(positive), force=True)
