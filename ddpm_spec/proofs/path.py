"""The laws of a path x_0..x_T as letters, and the rules by which expressions in them are rewritten."""

from dataclasses import dataclass, field

import sympy as sp
from sympy.core.function import AppliedUndef

from ddpm_spec.ops import log, sqrt
from ddpm_spec.ops.typeset import Level, Steps, T, Term, letter, product, t
from ddpm_spec.proofs.engine import By, Expectation, Form, Normal, Value
from ddpm_spec.proofs.letters import Z
from ddpm_spec.proofs.sums import Identity, PathLaw, PathValue, for_every_T
from ddpm_spec.proofs.zero import Verdict, is_zero

__all__ = [
    "FORWARD",
    "JOINT",
    "PRIOR",
    "Q_GIVEN",
    "Q_MARGINAL",
    "Q_POSTERIOR",
    "Q_REVERSE",
    "Q_STEP",
    "Average",
    "Given",
    "Jensen",
    "Meaning",
    "P",
    "Put",
    "Q",
    "divergence",
    "integral",
]

Q = letter("q")
"""The law of the path, over which the bound is averaged."""

PRIOR = PathLaw("prior", lambda x, prev: f"p({x})")
P = PathLaw("p", lambda x, prev: rf"p_\theta({prev} \mid {x})")
Q_STEP = PathLaw("q_step", lambda x, prev: rf"q({x} \mid {prev})")
Q_GIVEN = PathLaw("q_given", lambda x, prev: rf"q({x} \mid x_0)")
Q_POSTERIOR = PathLaw("q_posterior", lambda x, prev: rf"q({prev} \mid {x}, x_0)")
Q_MARGINAL = PathLaw("q_marginal", lambda x, prev: f"q({x})")
Q_REVERSE = PathLaw("q_reverse", lambda x, prev: rf"q({prev} \mid {x})")

JOINT: Term = PRIOR(T) * product(Steps(P(t), 1))
"""p_θ(x_{0:T}), Eq. 1."""
FORWARD: Term = product(Steps(Q_STEP(t), 1))
"""q(x_{1:T} | x_0), Eq. 2."""


def divergence(name: str, q: PathLaw, p: PathLaw) -> PathValue:
    """D_KL(q ‖ p) of two laws along the path, as a number for each step."""
    return PathValue(
        name, lambda x, prev: rf"D_{{\mathrm{{KL}}}}\left({q.tex(x, prev)} \,\|\, {p.tex(x, prev)}\right)"
    )


Meaning = tuple[tuple[Term, Form], ...]
"""What letters stand for in a lemma: the law of a density, the value of a number."""


def _real(expression: sp.Expr, meaning: Meaning) -> sp.Expr:
    """An expression in letters with what they stand for put in."""
    put = {
        sp.log(letter.value) if isinstance(form, Normal) else letter.value: form.term.value
        for letter, form in meaning
        if isinstance(form, Normal | Value)
    }
    return sp.expand_log(expression).xreplace(put)


@dataclass(frozen=True)
class Given:
    """Identities that hold by definition, or by an assumption that the derivation lists."""

    identities: tuple[Identity, ...]
    on_average: bool = False
    """They hold after averaging over q only, so the lines must be affine in the logarithms."""

    def check(self, previous: Form, this: Form) -> Verdict:
        """The lines agree for every T once the identities are put in."""
        return _rewritten(previous, this, self.identities, self.on_average)


def _rewritten(
    previous: Form, this: Form, identities: tuple[Identity, ...], on_average: bool = False
) -> Verdict:
    if isinstance(previous, Value) and isinstance(this, Value) and not on_average:
        return for_every_T(previous.term.value - this.term.value, identities)
    if not (isinstance(previous, Expectation) and isinstance(this, Expectation)):
        return Verdict("not zero", "both lines have to be averages over the path, or values on it")
    if previous.z.value != Q.value or this.z.value != Q.value:
        return Verdict("not zero", "both averages have to be over q")
    lines = previous.integrand.value, this.integrand.value
    if on_average and not all(_is_affine(line) for line in lines):
        return Verdict("not zero", "what holds on average only may be used in sums of logarithms only")
    return for_every_T(lines[0] - lines[1], identities)


def _is_affine(line: sp.Expr) -> bool:
    """Whether it is a sum of logarithms and numbers of single steps with rational coefficients."""
    line = sp.expand_log(line)
    entries = [whole.args[0] for whole in line.atoms(sp.Sum)]
    rest = line.xreplace({whole: sp.Dummy() for whole in line.atoms(sp.Sum)})
    for part in (rest, *entries):
        logs = part.xreplace({value: sp.Dummy() for value in part.atoms(sp.log)})
        plain = logs.xreplace({value: sp.Dummy() for value in logs.atoms(AppliedUndef)})
        poly = sp.Poly(plain, *plain.free_symbols) if plain.free_symbols else sp.Poly(plain, sp.Dummy())
        if poly.total_degree() > 1 or not all(c.is_Rational for c in poly.coeffs()):
            return False
    return True


@dataclass(frozen=True)
class Put(By):
    """log f is replaced by what the lemma proves it to be, at every step where that holds."""

    identity: Identity = field(kw_only=True)
    meaning: Meaning = field(kw_only=True)
    """The lemma's laws by the letters of the path."""

    def check(self, previous: Form, this: Form) -> Verdict:
        """The lemma says the identity and holds; with it the lines agree for every T."""
        start, end = self.ends()
        if not (isinstance(start, Value | Normal) and isinstance(end, Value | Normal)):
            return Verdict("not zero", f"“{self.lemma.title}” is not about plain quantities")
        said = (
            (sp.log(self.identity.of.value), start.term.value),
            (self.identity.log.value, end.term.value),
        )
        return _says(self, said, _rewritten(previous, this, (self.identity,)))


@dataclass(frozen=True)
class Average(By):
    """E_q[log ratio] is replaced by E_q[value], the inner average over one variable being the lemma's.

    This is the tower property: average first over that variable, given the others.
    """

    ratio: Term = field(kw_only=True)
    """log f − log g, or −log g, in letters."""
    value: Term = field(kw_only=True)
    """Its average over f, or over g where there is no f."""
    over: Term = field(kw_only=True)
    """The density of the variable that is averaged over."""
    instead_of: Term = field(kw_only=True)
    """g, whose logarithm is solved for."""
    meaning: Meaning = field(kw_only=True)
    first: int = field(default=1, kw_only=True)
    """The first step at which it is used."""

    def check(self, previous: Form, this: Form) -> Verdict:
        """The lemma averages this ratio to this value; with it the lines agree for every T."""
        start, end = self.ends()
        law = next(form for letter, form in self.meaning if letter.value == self.over.value)
        if not (isinstance(start, Expectation) and start.z.value == Z.value and isinstance(end, Value)):
            return Verdict("not zero", f"“{self.lemma.title}” is not about an average")
        if not isinstance(law, Normal):
            return Verdict("not zero", f"{self.over.tex} is not a normal law")
        draw: Term = law.mean + sqrt(law.variance) * Z
        averaged = _real(self.ratio.value, self.meaning).xreplace({law.x.value: draw.value})
        solved = log(self.instead_of) + self.ratio - self.value
        identity = Identity(self.instead_of, solved, self.first)
        if sp.expand_log(solved.value).has(sp.log(self.instead_of.value)):
            return Verdict("not zero", f"the ratio does not hold −log {self.instead_of.tex}")
        said = (averaged, start.integrand.value), (self.value.value, end.term.value)
        return _says(self, said, _rewritten(previous, this, (identity,), on_average=True))


def _says(rule: "Put | Average", said: tuple[tuple[sp.Expr, sp.Expr], ...], rewritten: Verdict) -> Verdict:
    """The verdict on a line: it follows, the lemma is about these letters, and the lemma holds."""
    if rewritten.outcome == "not zero":
        return rewritten
    for letters, real in said:
        verdict = is_zero(_real(letters, rule.meaning) - real)
        if not verdict.proved:
            return Verdict(verdict.outcome, f"“{rule.lemma.title}” says something else: {verdict.method}")
    lemma = rule.holds(rewritten)
    return Verdict(lemma.outcome, f"{lemma.method}; {rewritten.method}")


def integral(density: Term) -> Term:
    """∫ density dx_{1:T}, of which nothing is known but what is integrated."""
    value = sp.Function("integral", positive=True)(density.value)
    return Term(rf"\int {density.tex}\, dx_{{1:T}}", value, Level.FUNCTION)


@dataclass(frozen=True)
class Jensen:
    """−log E_w[R] ≤ E_w[−log R], assumed for every R > 0. What is checked is that R is the same."""

    weight: Term
    """The density w, so that E_w[R] = ∫ w R."""
    ratio: Term
    """R."""

    def check(self, previous: Form, this: Form) -> Verdict:
        """The previous line averages −log ∫ w R and this one −log R."""
        if not (isinstance(previous, Expectation) and isinstance(this, Expectation)):
            return Verdict("not zero", "Jensen's inequality is about averages")
        before = previous.integrand.value + sp.log(integral(self.weight * self.ratio).value)
        after = this.integrand.value + sp.log(self.ratio.value)
        if previous.z.value != this.z.value or before != 0 or after != 0:
            return Verdict("not zero", "the two lines are not −log E[R] and E[−log R] for this R")
        return Verdict("zero", "Jensen's inequality, which is assumed, for the R of both lines")
