"""The results of a check, for people: what was judged, what is broken, and why."""

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ddpm_spec.laws.cause import causes
from ddpm_spec.laws.description import described
from ddpm_spec.laws.law import VERSION
from ddpm_spec.laws.runner import Result, roots
from ddpm_spec.laws.subject import Subject
from ddpm_spec.terminal.console import plain

__all__ = ["report", "show"]

_LEVELS = {"paper": "", "choice": " (a choice of the paper)", "custom": " (customary)"}


def report(adapter: object, results: Sequence[Result]) -> None:
    """Print what `check` found on this adapter.

    First what the adapter states, then the laws that hold, then those that could not be judged, and last
    those that are broken: each with what follows from it, and with the known mistakes that do the same.
    """
    found = {cause.mistake.what: sorted(cause.laws) for cause in causes(adapter, results)}
    show(described(Subject(adapter)), results, found)


def show(about: str, results: Sequence[Result], causes: Mapping[str, Sequence[str]]) -> None:
    """Print results that were found before.

    Args:
        about: what the adapter states, see `description`.
        results: what `check` found.
        causes: the known mistakes, each with the laws that it explains.
    """
    console = plain()
    console.print(about)
    by_outcome = {
        outcome: [one for one in results if one.outcome == outcome]
        for outcome in ("passed", "not judged", "failed", "error")
    }
    if by_outcome["passed"]:
        console.print("\nThese laws hold:", _holding(by_outcome["passed"]), sep="\n")
    if by_outcome["not judged"]:
        console.print("\nCould not be judged:")
        _not_judged(console, by_outcome["not judged"])
    if by_outcome["failed"] or by_outcome["error"]:
        console.print("\nBroken:")
        _broken(console, results)
        console.print()
        _causes(console, results, causes)
    judged = len(results) - len(by_outcome["not judged"])
    console.print(
        f"\n{len(by_outcome['passed'])} of {judged} laws hold; "
        f"{len(by_outcome['not judged'])} could not be judged (set of laws {VERSION})"
    )


def _holding(results: Sequence[Result]) -> Table:
    table = Table("law", "off by", "rounding", "worst at", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for result in results:
        table.add_row(result.law.id, _number(result.deviation), _number(result.allowed), result.place)
    return table


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}"


def _not_judged(console: Console, results: Sequence[Result]) -> None:
    """One line for each part that is missing: of several, the one that most laws need."""
    counts = Counter(part for result in results for part in result.lacks)
    lines: dict[str, Counter[str]] = {}
    for result in results:
        if result.lacks:
            what = f"no {max(result.lacks, key=counts.__getitem__)}"
            lines.setdefault(what, Counter())[result.law.group] += 1
    for what, groups in lines.items():
        _print(console, f"{what}: " + ", ".join(f"{group} ({count})" for group, count in groups.items()))
    rest = [result.law.id for result in results if not result.lacks]
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


def _causes(console: Console, results: Sequence[Result], causes: Mapping[str, Sequence[str]]) -> None:
    """The known mistakes, and what they leave unexplained."""
    broken = [result.law.id for result in results if result.outcome in ("failed", "error")]
    for what, explained in causes.items():
        mine = [law for law in broken if law in explained]
        laws = "all of this" if len(mine) == len(broken) else ", ".join(mine)
        _print(console, f"Known mistake: {what} (does {laws})", bold=what, indent=0)
    rest = [law for law in broken if not any(law in explained for explained in causes.values())]
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
