"""The results of a check as a table."""

from collections.abc import Sequence

from rich.table import Table

from ddpm_spec.laws.runner import Result, roots
from ddpm_spec.terminal.console import plain

__all__ = ["report"]


def report(results: Sequence[Result]) -> None:
    """Print what holds, what could not be judged, and what is broken, each with what follows from it."""
    table = Table("law", "deviation", "rounding explains", "worst at", box=None)
    for outcome in ("passed", "not judged"):
        for result in results:
            if result.outcome == outcome:
                _row(table, result, "dim" if outcome == "not judged" else "")
    by_law = {result.law: result for result in results}
    for law, followers in roots(results).items():
        _row(table, by_law[law], "bold red")
        for result in followers:
            _row(table, result, "red", indent="  and so ")
    console = plain()
    console.print(table)
    judged = [result for result in results if result.outcome != "not judged"]
    passed = sum(result.outcome == "passed" for result in judged)
    console.print(f"{passed} of {len(judged)} laws hold; {len(results) - len(judged)} could not be judged")


def _row(table: Table, result: Result, style: str, indent: str = "") -> None:
    name = indent + result.law.name
    if result.outcome in ("not judged", "error"):
        table.add_row(name, result.why, "", "", style=style)
    else:
        table.add_row(name, f"{result.deviation:.1e}", f"{result.allowed:.1e}", result.place, style=style)
