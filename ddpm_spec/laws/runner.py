"""Run the laws on an implementation and say what was found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ddpm_spec.laws.law import LAWS, Case, Law
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Subject

__all__ = ["Outcome", "Result", "check", "roots"]

Outcome = Literal["passed", "failed", "not judged", "error"]


@dataclass(frozen=True)
class Result:
    """What a law found in its worst case."""

    law: Law
    outcome: Outcome
    deviation: float = 0.0
    """Of the case that stands out most against rounding."""
    allowed: float = 0.0
    """What rounding explains there."""
    where: int | str = ""
    """The step t of that case, or its place in words."""
    why: str = ""
    """Why it could not be judged, or what the implementation raised."""
    lacks: tuple[str, ...] = ()
    """The parts that the adapter lacks."""

    @property
    def place(self) -> str:
        """Where the worst was seen, in words."""
        return f"t = {self.where}" if isinstance(self.where, int) else self.where


def check(
    adapter: object, laws: Iterable[Law] | None = None, *, times: Sequence[int] = ()
) -> tuple[Result, ...]:
    """The laws, by default all, on one implementation.

    Args:
        adapter: what is judged, see `protocol.Implementation`; it may lack any part.
        laws: which ones, in the order in which they are reported.
        times: only these steps t, for a quick look; all by default.

    Raises:
        ValueError: if the tables are not vectors of one length T ≥ 2, or what the adapter states is not
            known. What the implementation raises inside a law is reported, not raised.
    """
    subject = Subject(adapter)
    reference = Reference(subject, times)
    return tuple(_judge(law, reference, subject) for law in (LAWS.values() if laws is None else laws))


def _judge(law: Law, reference: Reference, subject: Subject) -> Result:
    lacking = subject.parts(law.needs)
    if lacking:
        why = f"it has no {', no '.join(lacking)}"
        return Result(law, "not judged", why=why, lacks=tuple(lacking))
    try:
        with np.errstate(all="ignore"):
            worst = _worst(law.cases(reference, subject))
    except Exception as error:  # whatever their code raises is a finding
        return Result(law, "error", np.inf, why=f"{type(error).__name__}: {error}")
    if worst is None:
        return Result(law, "not judged", why="nothing that it has is of this kind")
    holds = worst.deviation <= worst.allowed
    return Result(law, "passed" if holds else "failed", *worst)


def _worst(cases: Iterable[Case]) -> Case | None:
    """The case that stands out most against rounding; one that is not a number is worse than any."""
    worst, excess = None, -1.0
    for case in cases:
        if not (np.isfinite(case.deviation) and np.isfinite(case.allowed)):
            return Case(np.inf, 0.0, case.where)
        relative = case.deviation / case.allowed if case.allowed else (np.inf if case.deviation else 0.0)
        if relative > excess:
            worst, excess = case, relative
    return worst


def roots(results: Sequence[Result]) -> dict[Law, list[Result]]:
    """The broken laws that rest on no other broken one, each with those that follow from it."""
    broken = {result.law.id: result for result in results if result.outcome in ("failed", "error")}

    def root(name: str) -> str:
        for cause in LAWS[name].rests_on:
            found = root(cause)
            if found in broken:
                return found
        return name

    found: dict[Law, list[Result]] = {}
    for name, result in broken.items():
        top = root(name)
        followers = found.setdefault(broken[top].law if top in broken else result.law, [])
        if top != name:
            followers.append(result)
    return found
