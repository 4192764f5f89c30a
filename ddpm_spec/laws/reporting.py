"""The results of a check, for people: what was judged, what is broken, and why."""

import textwrap
from collections import Counter
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ddpm_spec.laws.cause import causes
from ddpm_spec.laws.law import VERSION
from ddpm_spec.laws.runner import Result, roots
from ddpm_spec.laws.subject import Subject
from ddpm_spec.terminal.console import plain

__all__ = ["report"]

_LEVELS = {"paper": "", "choice": " (a choice of the paper)", "custom": " (customary)"}
_PREDICTS = {"eps": "ε", "v": "v", "x_0": "x_0"}


def report(adapter: object, results: Sequence[Result]) -> None:
    """Print what `check` found on this adapter.

    First what the adapter states, then the laws that hold, then those that could not be judged, and last
    those that are broken: each with what follows from it, and with the known mistakes that do the same.
    """
    subject, console = Subject(adapter), plain()
    console.print(_stated(subject))
    by_outcome = {
        outcome: [one for one in results if one.outcome == outcome]
        for outcome in ("passed", "not judged", "failed", "error")
    }
    if by_outcome["passed"]:
        console.print("\nThese laws hold:", _holding(by_outcome["passed"]), sep="\n")
    if by_outcome["not judged"]:
        console.print("\nCould not be judged:")
        _not_judged(console, subject, by_outcome["not judged"])
    if by_outcome["failed"] or by_outcome["error"]:
        console.print("\nBroken:")
        _broken(console, results)
        console.print()
        _causes(console, adapter, results)
    judged = len(results) - len(by_outcome["not judged"])
    console.print(
        f"\n{len(by_outcome['passed'])} of {judged} laws hold; "
        f"{len(by_outcome['not judged'])} could not be judged (set of laws {VERSION})"
    )


def _stated(subject: Subject) -> str:
    """What the adapter states, and whether its schedule is the paper's."""
    shape = "×".join(map(str, subject.shape))
    words = [
        f"{subject.precision} (tables {subject.stated('tables')})"
        if subject.stated("tables")
        else str(subject.precision),
        f"first time {subject.stated('first_time')}",
        f"predicts {_PREDICTS[subject.prediction]}",
        f"{'clips' if subject.clips else 'does not clip'} x̂_0",
        f"examples of {shape}",
        f"{subject.levels} grey levels",
    ]
    return f"Stated: {', '.join(words)}.\n{_schedule(subject)}"


def _schedule(subject: Subject) -> str:
    betas = subject.betas
    if betas is None:
        return "It has no schedule."
    T = len(betas)
    paper = np.linspace(1e-4, 0.02, 1000)
    # As far as single precision can tell, in whatever way they were computed.
    if len(paper) == T and np.allclose(betas, paper, rtol=1e-4, atol=1e-7):
        return "T and β_t are the paper's."
    ends = f"{T:,} steps with β_t from {betas[0]:.3g} to {betas[-1]:.3g}"
    return f"{ends}; the paper has 1,000 steps from 0.0001 to 0.02."


def _holding(results: Sequence[Result]) -> Table:
    table = Table("law", "off by", "rounding", "worst at", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for result in results:
        table.add_row(result.law.id, _number(result.deviation), _number(result.allowed), result.place)
    return table


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}"


def _not_judged(console: Console, subject: Subject, results: Sequence[Result]) -> None:
    """One line for each part that is missing: of several, the one that most laws need."""
    missing = {result.law: subject.parts(result.law.needs) for result in results}
    counts = Counter(part for parts in missing.values() for part in parts)
    lines: dict[str, Counter[str]] = {}
    for law, parts in missing.items():
        if parts:
            lines.setdefault(f"no {max(parts, key=counts.__getitem__)}", Counter())[law.group] += 1
    for what, groups in lines.items():
        _print(console, f"{what}: " + ", ".join(f"{group} ({count})" for group, count in groups.items()))
    rest = [law.id for law, parts in missing.items() if not parts]
    if rest:
        _print(console, f"nothing of this kind: {', '.join(rest)}")


def _broken(console: Console, results: Sequence[Result]) -> None:
    by_law = {result.law: result for result in results}
    for law, followers in roots(results).items():
        _print(console, f"{law.id}  {law.name}{_LEVELS[law.level]}", bold=law.id)
        _print(console, _measured(by_law[law]), indent=4)
        for result in followers:
            _print(console, f"so also {result.law.id}: {_measured(result)}", indent=4)


def _measured(result: Result) -> str:
    if result.outcome == "error":
        return f"raised {result.why}"
    if not np.isfinite(result.deviation):
        return f"not a finite number at {result.place}"
    explains = f"; rounding explains {_number(result.allowed)}" if result.allowed else ""
    return f"off by {_number(result.deviation)} at {result.place}{explains}"


def _causes(console: Console, adapter: object, results: Sequence[Result]) -> None:
    """The known mistakes, and what they leave unexplained."""
    broken = [result.law.id for result in results if result.outcome in ("failed", "error")]
    found = causes(adapter, results)
    for cause in found:
        explained = [law for law in broken if law in cause.laws]
        laws = "all of this" if len(explained) == len(broken) else ", ".join(explained)
        _print(
            console, f"Known mistake: {cause.mistake.what} (does {laws})", bold=cause.mistake.what, indent=0
        )
    rest = [law for law in broken if not any(law in cause.laws for cause in found)]
    if rest:
        what = "this" if len(rest) == len(broken) else ", ".join(rest)
        _print(console, f"No known mistake does {what} within 1 %.", indent=0)


def _print(console: Console, text: str, *, bold: str = "", indent: int = 2) -> None:
    """Wrapped, with what follows the first line further in."""
    first = " " * indent
    wrapped = Text(textwrap.fill(text, console.width, initial_indent=first, subsequent_indent=first + "  "))
    if bold:
        wrapped.highlight_words([bold], "bold")
    console.print(wrapped)
