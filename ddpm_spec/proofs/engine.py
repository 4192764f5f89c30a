"""Derivations as objects: a chain of lines, each checked against the one before it.

A line holds a *form* (what stands there, as terms that carry LaTeX and a sympy value), the reason a
reader is given, and a *rule* that decides whether it follows. The last line must equal the formula of
the paper run on the same terms, so a derivation ends at the function that trains. The site prints
these objects; there is no second copy of a derivation.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Protocol

import sympy as sp

from ddpm_spec.formulas import gaussian
from ddpm_spec.ops import Number
from ddpm_spec.ops.typeset import Level, Term
from ddpm_spec.proofs.sums import for_every_T, has_steps
from ddpm_spec.proofs.zero import Verdict, is_positive, is_zero

__all__ = [
    "By",
    "Check",
    "Derivation",
    "Equal",
    "Expectation",
    "FalseStep",
    "Form",
    "Integral",
    "IntegrateOut",
    "Line",
    "Moments",
    "Normal",
    "Proof",
    "Rule",
    "Value",
    "Within",
]


class FalseStep(Exception):
    """A line does not follow from the one before it; the message names derivation, line and why."""


# --------------------------------------------------------------------------------------------- forms


@dataclass(frozen=True)
class Value:
    """A plain quantity."""

    term: Term

    @property
    def tex(self) -> str:
        """How it is printed."""
        return self.term.tex


@dataclass(frozen=True)
class Normal:
    """log N(x; mean, variance), printed as the law it is."""

    x: Term
    mean: Term
    variance: Term

    @property
    def tex(self) -> str:
        """How it is printed."""
        return rf"\log\mathcal{{N}}\left({self.x.tex};\; {self.mean.tex},\; {self.variance.tex}\right)"

    @property
    def term(self) -> Term:
        """The log-density written out, by the formula of `formulas.gaussian`."""
        density: Term = gaussian.log_density(self.x, self.mean, self.variance)
        return density

    @property
    def name(self) -> Term:
        """The log-density as one symbol, to stand in a longer expression."""
        return Term(self.tex, self.term.value, Level.FUNCTION)


@dataclass(frozen=True)
class Integral:
    """log ∫ exp(exponent) dy over the whole line."""

    exponent: Term
    y: Term

    @property
    def tex(self) -> str:
        """How it is printed."""
        return rf"\log\int \exp\left\{{{self.exponent.tex}\right\}}\, d{self.y.tex}"


@dataclass(frozen=True)
class Expectation:
    """E[integrand] over a standard normal z, or over a law that z names, such as q."""

    integrand: Term
    z: Term

    @property
    def tex(self) -> str:
        """How it is printed."""
        return rf"\mathbb{{E}}_{{{self.z.tex}}}\left[{self.integrand.tex}\right]"


Form = Value | Normal | Integral | Expectation


def same(a: Form, b: Form) -> Verdict:
    """Whether two forms are the same quantity."""
    if isinstance(a, Normal) and isinstance(b, Normal):
        pairs = ((a.x, b.x), (a.mean, b.mean), (a.variance, b.variance))
        return _all(is_zero(p.value - q.value) for p, q in pairs)
    if isinstance(a, Value | Normal) and isinstance(b, Value | Normal):
        return _zero(a.term.value - b.term.value)
    if isinstance(a, Integral) and isinstance(b, Integral) and a.y.value == b.y.value:
        return is_zero(a.exponent.value - b.exponent.value)
    if isinstance(a, Expectation) and isinstance(b, Expectation) and a.z.value == b.z.value:
        return _zero(a.integrand.value - b.integrand.value)
    return Verdict("not zero", f"{type(a).__name__} and {type(b).__name__} cannot be compared")


def _zero(difference: sp.Expr) -> Verdict:
    """Whether two quantities agree, for every number of steps where they speak about steps."""
    return for_every_T(difference) if has_steps(difference) else is_zero(difference)


def _all(verdicts: Any) -> Verdict:
    """The weakest of several verdicts."""
    order = ("not zero", "zero at the points tried", "zero")
    weakest: Verdict = min(verdicts, key=lambda verdict: order.index(verdict.outcome))
    return weakest


# --------------------------------------------------------------------------------------------- rules


class Rule(Protocol):
    """Decides whether a line follows from the previous one."""

    def check(self, previous: Form, this: Form) -> Verdict:
        """The verdict on this line."""


@dataclass(frozen=True)
class Equal:
    """The two lines are the same quantity."""

    def check(self, previous: Form, this: Form) -> Verdict:
        """Compare by the zero test."""
        return same(previous, this)


@dataclass(frozen=True)
class By:
    """Another derivation leads from the previous line to this one: it is proved, then applied."""

    lemma: "Derivation"
    at: tuple[tuple[Term, Term], ...] = ()
    """Letters of the lemma, real or positive, and what stands for them here, as real or positive."""

    def check(self, previous: Form, this: Form) -> Verdict:
        """The lemma starts at the previous line, ends at this one, and holds."""
        start, end = self.ends()
        return self.holds(_all((same(previous, start), same(end, this))))

    def ends(self) -> tuple[Form, Form]:
        """The lemma's first and last form, for the terms that it is applied to."""
        put = {letter.value: term.value for letter, term in self.at}
        return _with(self.lemma.lines[0].form, put), _with(self.lemma.end, put)

    def holds(self, applies: Verdict) -> Verdict:
        """The verdict on the line, given that on whether the lemma applies."""
        if applies.outcome == "not zero":
            return applies
        for letter, term in self.at:
            if letter.value.is_positive and not is_positive(term.value):
                return Verdict("not zero", f"{term.tex} is not known to be positive, as {letter.tex} is")
        if not (applies.proved and self.lemma.check().proved):
            return Verdict("zero at the points tried", f"“{self.lemma.title}” is not fully proved here")
        return Verdict("zero", f"“{self.lemma.title}”, proved for these arguments")


def _with(form: Form, put: dict[sp.Expr, sp.Expr]) -> Form:
    """The form with other values in the place of letters."""
    changed: dict[str, Any] = {
        name: replace(term, value=term.value.xreplace(put)) for name, term in vars(form).items()
    }
    return replace(form, **changed)


@dataclass(frozen=True)
class Within(By):
    """Another derivation, applied to a part of a sum: its start stands there and its end replaces it."""

    def check(self, previous: Form, this: Form) -> Verdict:
        """The lines differ by what the lemma's ends differ by, and the lemma holds."""
        forms = previous, this, *self.ends()
        if not all(isinstance(form, Value | Normal) for form in forms):
            return Verdict("not zero", "only plain quantities have parts")
        before, after, start, end = (form.term.value for form in forms)  # type: ignore[union-attr]
        return self.holds(_zero(before - after - start + end))


@dataclass(frozen=True)
class IntegrateOut:
    """In log ∫ exp(log N(y; …) + rest) dy the density integrates to one and the rest remains."""

    density: Normal

    def check(self, previous: Form, this: Form) -> Verdict:
        """The exponent splits as claimed, the rest is free of y, and a normal density has mass one."""
        if not (isinstance(previous, Integral) and isinstance(this, Value | Normal)):
            return Verdict("not zero", "only an integral can be integrated out")
        y = previous.y.value
        outside = (self.density.mean, self.density.variance, this.term)
        if self.density.x.value != y or any(y in term.value.free_symbols for term in outside):
            return Verdict("not zero", f"{previous.y.tex} is not integrated out")
        if _normal_mass() != 1:
            return Verdict("not zero", "the normal density does not integrate to 1")
        split = is_zero(previous.exponent.value - self.density.term.value - this.term.value)
        return Verdict(split.outcome, f"{split.method}; ∫ N(y; m, v) dy = 1 by integration")


@cache
def _normal_mass() -> sp.Expr:
    """∫ N(y; m, v) dy for any real m and positive v, by sympy, on the formula that the proofs use."""
    y, m, v = sp.Symbol("y", real=True), sp.Symbol("m", real=True), sp.Symbol("v", positive=True)
    return sp.simplify(sp.integrate(sp.exp(gaussian.log_density(y, m, v)), (y, -sp.oo, sp.oo)))


@dataclass(frozen=True)
class Moments:
    """E[z] = 0 and E[z²] = 1 put into the expectation of a polynomial of degree two in z."""

    def check(self, previous: Form, this: Form) -> Verdict:
        """Expand in powers of z and replace them."""
        if not (isinstance(previous, Expectation) and isinstance(this, Value)):
            return Verdict("not zero", "only an expectation has moments")
        powers = sp.Poly(previous.integrand.value, previous.z.value)
        if powers.degree() > 2:
            return Verdict("not zero", f"degree {powers.degree()} in {previous.z.tex}")
        mean = powers.coeff_monomial(1) + powers.coeff_monomial(previous.z.value**2)
        return is_zero(mean - this.term.value)


# --------------------------------------------------------------------------------------- derivations


@dataclass(frozen=True)
class Line:
    """One line of a derivation."""

    form: Form
    reason: str
    """Why it follows, for the reader; Markdown, with mathematics between dollars."""
    rule: Rule = field(default_factory=Equal)
    where: tuple[tuple[str, Term], ...] = ()
    """Names that the line uses and what they stand for."""
    node: str = ""
    """The id of the paper's equation that the line is, where a derivation passes through several."""
    relation: str = "="
    """How the line is related to the one before it."""

    @property
    def tex(self) -> str:
        """How the line is printed."""
        return self.form.tex


@dataclass(frozen=True)
class Check:
    """What the engine found for one line."""

    verdict: Verdict
    seconds: float


@dataclass(frozen=True)
class Proof:
    """The outcome of checking a derivation: one check for each line after the first, one for the end."""

    derivation: "Derivation"
    checks: tuple[Check, ...]
    end: Check

    @property
    def proved(self) -> bool:
        """Every step was decided by algebra, none only at sample points."""
        return all(check.verdict.proved for check in (*self.checks, self.end))

    @property
    def seconds(self) -> float:
        """Time spent."""
        return sum(check.seconds for check in (*self.checks, self.end))


@dataclass(frozen=True)
class Derivation:
    """A chain of lines from a starting point to a formula of the paper."""

    title: str
    nodes: tuple[str, ...]
    """What it establishes, by id in `paper.NODES`; empty for a part of a larger derivation."""
    lines: tuple[Line, ...]
    end: Form
    """The formula run on the terms of this derivation; the last line must equal it."""
    end_tex: str = ""
    """The left-hand side, printed before the end."""
    formulas: tuple[Callable[..., Number], ...] = ()
    """The functions that were run on symbols to build the end."""
    assumptions: tuple[str, ...] = ()
    """What is taken for granted, for the reader."""

    def check(self) -> Proof:
        """Check every line.

        Raises:
            FalseStep: at the first line that does not follow.
        """
        checks = []
        for number, (previous, line) in enumerate(zip(self.lines, self.lines[1:], strict=False), start=2):
            checks.append(self._timed(f"line {number} ({line.reason})", line.rule, previous.form, line.form))
        end = self._timed("the end", Equal(), self.lines[-1].form, self.end)
        return Proof(self, tuple(checks), end)

    def _timed(self, what: str, rule: Rule, previous: Form, this: Form) -> Check:
        start = time.perf_counter()
        verdict = rule.check(previous, this)
        if verdict.outcome == "not zero":
            raise FalseStep(f"{self.title}: {what} does not follow: {verdict.method}")
        return Check(verdict, time.perf_counter() - start)

    @property
    def lemmas(self) -> tuple["Derivation", ...]:
        """The derivations that this one applies."""
        return tuple(line.rule.lemma for line in self.lines if isinstance(line.rule, By))
