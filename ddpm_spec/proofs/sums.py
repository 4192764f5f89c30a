"""Expressions with Σ and ∏ over t = first..T: are two the same for every number of steps T ≥ 1?

Decided by induction on T, not by a computer algebra's rules for sums: what is 0 at T = 1 and does not
change from T to T + 1 is 0. An index off by one, a term lost, a sum that does not telescope: each
shows at T = 1 or in the step.

A density along the path, such as q(x_t | x_{t−1}), is a positive function of t of which nothing else
is known, except for the identities that a rule brings along.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sympy as sp
from sympy.core.function import AppliedUndef

from ddpm_spec.ops.typeset import T, Term, t
from ddpm_spec.proofs.zero import Verdict, is_zero

__all__ = ["Identity", "PathLaw", "PathValue", "for_every_T", "for_this_T", "has_steps"]


@dataclass(frozen=True)
class PathLaw:
    """A density along the path: called with a step, the term that stands for it there."""

    name: str
    tex: Callable[[str, str], str]
    """How it is printed, from the names of x_t and x_{t−1}."""

    def __call__(self, step: sp.Expr | int) -> Term:
        """The density of step t, T or a number."""
        step = sp.sympify(step)
        return Term(self.tex(_x(step), _x(step - 1)), sp.Function(self.name, **self._assumed)(step))

    @property
    def _assumed(self) -> dict[str, bool]:
        return {"positive": True}


@dataclass(frozen=True)
class PathValue(PathLaw):
    """A real number for each step, such as a divergence."""

    @property
    def _assumed(self) -> dict[str, bool]:
        return {"real": True}


def _x(step: sp.Expr) -> str:
    index = sp.latex(step).replace(" ", "")
    return f"x_{index}" if len(index) == 1 else f"x_{{{index}}}"


@dataclass(frozen=True)
class Identity:
    """What is known of a density f: log f(t) for every t ≥ first, log f(T) for the last step, or log f(1).

    What holds of the last step holds of no other one, so it is put in before there is an induction on T.
    """

    of: Term
    """f(t), f(T) or f at a number."""
    log: Term
    """Its logarithm in other quantities of the same step."""
    first: int = 1

    @property
    def of_one_step(self) -> bool:
        """It is about one step, not about each."""
        return self.of.value.args != (t,)

    def put_in(self, expression: sp.Expr) -> sp.Expr:
        """The expression, a sum of logarithms, with the identity used wherever it holds."""
        for value in _densities(expression):
            (step,) = value.args
            if self.of_one_step:
                holds = value == self.of.value
            else:
                holds = value.func == self.of.value.func and step.subs(T, 1) >= self.first
            if holds:
                expression = expression.xreplace({sp.log(value): self.log.value.subs(t, step)})
        return expression


def has_steps(expression: sp.Expr) -> bool:
    """Whether it speaks about the steps of a path."""
    return bool(expression.has(sp.Sum, sp.Product) or _densities(expression))


def for_every_T(expression: sp.Expr, identities: Iterable[Identity] = ()) -> Verdict:
    """Whether the expression is 0 for every T ≥ 1, whatever the densities are.

    Raises:
        ValueError: if a sum or product is not over t = 1..T or t = 2..T.
    """
    identities, verdict = tuple(identities), Verdict("zero", "")
    for identity in identities:
        if identity.of_one_step:
            expression = identity.put_in(sp.expand_log(expression))
    for what, change in (("T = 1", _at_one(expression)), ("T to T + 1", _change(expression))):
        logs = sp.expand_log(change)
        for identity in identities:
            if not identity.of_one_step:
                logs = identity.put_in(logs)
        verdict = is_zero(_with_letters(logs))
        if not verdict.proved:
            return Verdict(verdict.outcome, f"{what}: {verdict.method}")
    return Verdict("zero", f"induction on T: 0 at T = 1, and no change from T to T + 1, {verdict.method}")


def for_this_T(expression: sp.Expr, steps: int, log_density: Callable[[str, int], sp.Expr]) -> sp.Expr:
    """The expression at T = steps, with the logarithm of each density put in by name and step."""
    for whole, entry, index, first in _wholes(expression):
        entries = [entry.subs(index, step) for step in range(first, steps + 1)]
        together = sp.Mul if isinstance(whole, sp.Product) else sp.Add
        expression = expression.xreplace({whole: together(*entries)})
    expression = sp.expand_log(expression.subs(T, steps))
    put = {}
    for value in _densities(expression):
        real = log_density(value.func.__name__, int(value.args[0]))
        put[sp.log(value) if value.is_positive else value] = real
    return expression.xreplace(put)


def _wholes(expression: sp.Expr) -> list[tuple[sp.Expr, sp.Expr, sp.Symbol, int]]:
    """The sums and products with their entry, index and first step."""
    found = []
    for whole in expression.atoms(sp.Sum, sp.Product):
        entry, (index, first, last) = whole.args
        if last != T or first not in (1, 2) or entry.has(T):
            raise ValueError(f"{whole}: a sum over the steps is over t = 1..T or t = 2..T")
        found.append((whole, entry, index, int(first)))
    return found


def _at_one(expression: sp.Expr) -> sp.Expr:
    """The expression at T = 1, where what starts at t = 2 is empty."""
    for whole, entry, index, first in _wholes(expression):
        empty = sp.Integer(isinstance(whole, sp.Product))
        expression = expression.xreplace({whole: entry.subs(index, 1) if first == 1 else empty})
    return expression.subs(T, 1)


def _change(expression: sp.Expr) -> sp.Expr:
    """The expression at T + 1 less that at T, with what a sum or product is up to T as a letter."""
    here = there = expression
    afterwards = {}
    for whole, entry, index, _ in _wholes(expression):
        is_product = isinstance(whole, sp.Product)
        up_to_T = sp.Symbol(f"[{whole}]", **{"positive" if is_product else "real": True})
        last, beyond = entry.subs(index, T + 1), sp.Dummy()
        here, there = here.xreplace({whole: up_to_T}), there.xreplace({whole: beyond})
        afterwards[beyond] = up_to_T * last if is_product else up_to_T + last
    return there.subs(T, T + 1).xreplace(afterwards) - here


def _densities(expression: sp.Expr) -> set[sp.Expr]:
    return {
        value
        for value in expression.atoms(AppliedUndef)
        if len(value.args) == 1 and value.args[0].is_integer and value.args[0].free_symbols <= {T, t}
    }


def _with_letters(expression: sp.Expr) -> sp.Expr:
    """Each density at each step, and any other unknown function, as a letter of its own."""
    unknown = expression.atoms(AppliedUndef)
    kinds = {value: "positive" if value.is_positive else "real" for value in unknown}
    return expression.xreplace({value: sp.Symbol(str(value), **{kinds[value]: True}) for value in kinds})
