"""Which known mistakes an implementation has made: those that break the same laws by the same amounts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ddpm_spec.laws.betas import cosine_betas, paper_betas
from ddpm_spec.laws.law import LAWS, Case, Law
from ddpm_spec.laws.mistakes.catalogue import CATALOGUE, Mistake
from ddpm_spec.laws.plain import Plain
from ddpm_spec.laws.protocol import Array
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.runner import Result
from ddpm_spec.laws.subject import Subject

__all__ = ["WITHIN", "Cause", "causes"]

WITHIN = 0.01
"""How far an amount may be from the mistake's, relative to it."""

WHOLE = frozenset({"training", "loop", "chain", "few-step", "state"})
"""Groups of laws that run whole chains, which takes long: for mistakes about chains, and likely ones."""


@dataclass(frozen=True)
class Cause:
    """A known mistake, and the broken laws that it explains."""

    mistake: Mistake
    laws: frozenset[str]


def causes(adapter: object, results: Sequence[Result]) -> tuple[Cause, ...]:
    """The known mistakes that explain what is broken, those that explain most of it first.

    A mistake is built on the implementation's β_t, in its precision and with the parts that it has. It
    is a cause if every law that it breaks is broken by the implementation as well, by the same amount
    within 1 % where that is worst, and if a right implementation on the same β_t does not do it. One
    that explains less than another is left out. Where the β_t themselves are broken, mistakes are built
    on those that may have been meant.

    Args:
        adapter: what was judged.
        results: what `check` found.
    """
    failed = [result for result in results if result.outcome in ("failed", "error")]
    subject = Subject(adapter)
    if not failed:
        return ()
    question = _Question(_Asked(subject), failed, [r.law for r in results if r.outcome == "passed"])
    found: dict[str, Cause] = {}
    for betas in _schedules(subject, failed):
        right = _like(Plain(betas, subject.levels), subject)
        for mistake in CATALOGUE.values():
            made = _like(mistake.on(betas, subject.levels, subject.precision), subject)
            explained = question.explained(made, right, of_chains=mistake.of_chains)
            if explained:
                found.setdefault(mistake.what, Cause(mistake, explained))
    most = [one for one in found.values() if not any(one.laws < other.laws for other in found.values())]
    return tuple(sorted(most, key=lambda cause: -len(cause.laws)))


def _schedules(subject: Subject, failed: Sequence[Result]) -> Iterator[Array]:
    """Their β_t; if they are broken or they have none, the others that they may have meant."""
    betas = np.array([]) if subject.betas is None else subject.betas
    T = len(betas) or 1000
    inside = (betas > 0) & (betas < 1)
    if inside.any():
        yield np.interp(np.arange(T), np.arange(T)[inside], betas[inside])
    if not len(betas) or any(one.law.id.startswith(("forward/betas", "schedule/")) for one in failed):
        # The paper's has 1,000 steps, and their number may be what is wrong.
        yield from (paper_betas(steps) for steps in {T, 1000} if abs(steps - T) <= 1)
        yield cosine_betas(T)


class _Asked:
    """An implementation, and what laws measure on it."""

    def __init__(self, subject: Subject) -> None:
        self.subject, self.reference = subject, Reference(subject)

    def cases(self, law: Law, times: Sequence[int]) -> list[Case]:
        """All that the law measures at these steps; where it raises, one case that is not a number."""
        if self.subject.parts(law.needs):
            return []
        self.reference.only = tuple(times)
        try:
            with np.errstate(all="ignore"):
                return list(law.cases(self.reference, self.subject))
        except Exception:  # whatever their code raises
            return [Case(np.inf, 0.0, "error")]


def _like(model: Any, subject: Subject) -> _Asked:
    return _Asked(Subject(_Like(model, subject)))


class _Question:
    """Does another implementation do the same?"""

    def __init__(self, theirs: _Asked, failed: Sequence[Result], passed: Sequence[Law]) -> None:
        self.theirs, self.passed = theirs, passed
        # What looks at a single step first: it costs least.
        worst = {
            result.law: result.where for result in sorted(failed, key=lambda one: isinstance(one.where, str))
        }
        self.times = sorted({where for where in worst.values() if isinstance(where, int)}) or [1]
        self.at = {law: [where] if isinstance(where, int) else self.times for law, where in worst.items()}
        T = 1000 if theirs.subject.betas is None else len(theirs.subject.betas)
        self.elsewhere = sorted({*self.times[:8], 1, 2, 3, T // 2, T})
        self.cases = {law: theirs.cases(law, at) for law, at in self.at.items()}

    def explained(self, other: _Asked, right: _Asked, *, of_chains: bool) -> frozenset[str]:
        """The laws that this one breaks as they do, and a right one does not, if it breaks no other."""
        broken: list[Law] = []
        for law, cases in sorted(self.cases.items(), key=lambda item: item[0].group in WHOLE):
            if law.group in WHOLE and not broken and not of_chains:
                break
            found = other.cases(law, self.at[law])
            if _breaks(found):
                if not _same(found, cases, strict=True):
                    return frozenset()
                broken.append(law)
        explained = [
            law for law in broken if not _same(right.cases(law, self.at[law]), self.cases[law], strict=True)
        ]
        # The few that are left: does it also do nothing else, here and at other steps?
        if not explained or any(_breaks(other.cases(law, self.times)) for law in self.passed):
            return frozenset()
        for law in broken:
            here, there = (one.cases(law, self.elsewhere) for one in (self.theirs, other))
            if not _same(here, there, strict=False):
                return frozenset()
        return frozenset(law.id for law in explained)


def _breaks(cases: Sequence[Case]) -> bool:
    return any(not case.deviation <= case.allowed for case in cases)


def _same(ones: Sequence[Case], others: Sequence[Case], *, strict: bool) -> bool:
    """Whether all deviations are the same, but for rounding; the one that stands out most without that."""
    if len(ones) != len(others):
        return False
    pairs = list(zip(ones, others, strict=True))
    if any(_differ(*pair, but_for_rounding=True) for pair in pairs):
        return False
    worst = max(pairs, key=lambda pair: _excess(pair[1]), default=None)
    return not (strict and worst and _differ(*worst))


def _excess(case: Case) -> float:
    excess = case.deviation / (case.allowed or 1e-300)
    return excess if np.isfinite(excess) else np.inf


def _differ(one: Case, other: Case, *, but_for_rounding: bool = False) -> bool:
    a, b = one.deviation, other.deviation
    if not (np.isfinite(a) and np.isfinite(b)):
        return bool(np.isfinite(a) != np.isfinite(b))
    return abs(a - b) > WITHIN * max(a, b) + (max(one.allowed, other.allowed) if but_for_rounding else 0)


@cache
def _parts() -> frozenset[str]:
    """What an adapter may lack."""
    needed = {part for law in LAWS.values() for part in law.needs}
    return frozenset(needed - {"tables"} | {"betas", "alpha_bars"})


class _Like:
    """An implementation with the parts and the shape of the one that is judged, and what that states."""

    def __init__(self, model: Any, subject: Subject) -> None:
        self.model, self.subject = model, subject
        self.clips, self.schedule = subject.clips, subject.stated("schedule")
        self.tables = subject.stated("tables")
        rows = len(model.shape) == 1
        self.shape = subject.shape if rows else model.shape

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("model", "subject"):  # a copy asks before it has any
            raise AttributeError(name)
        if name in _parts() and getattr(self.subject.adapter, name, None) is None:
            raise AttributeError(name)
        value = getattr(self.model, name)
        return self._flat(value) if callable(value) and len(self.model.shape) == 1 else value

    def _flat(self, method: Any) -> Any:
        """The method, or network, with examples as rows inside and in the stated shape outside."""

        def called(*args: Any, **options: Any) -> Any:
            given = [self._flat_network(arg) if callable(arg) else self._row(arg) for arg in args]
            result = method(*given, **options)
            return tuple(map(self._shaped, result)) if isinstance(result, tuple) else self._shaped(result)

        return called

    def _flat_network(self, network: Any) -> Any:
        return lambda x, t: self._row(network(self._shaped(x), t))

    def _row(self, x: Any) -> Any:
        return x.reshape(len(x), -1) if np.shape(x)[1:] == self.shape else x

    def _shaped(self, x: Any) -> Any:
        return x.reshape(len(x), *self.shape) if np.shape(x)[1:] == (self.subject.dim,) else x
