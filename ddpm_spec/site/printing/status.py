"""The status of each node, read from the record of evidence."""

from collections.abc import Iterable
from functools import cache

from ddpm_spec import evidence

__all__ = ["MARKS", "badge", "kinds", "record", "statuses", "when"]

MARKS = {
    "proved": "✓",
    "checked numerically": "≈",
    "definition": "≔",
    "assumed": "⊢",
    "failed": "✗",
    "outdated": "↻",
    "no evidence": "○",
}


def badge(status: str) -> str:
    """A status by symbol and word, coloured by the style sheet."""
    kind = status.replace(" ", "-")
    return f'<span class="status {kind}"><span aria-hidden="true">{MARKS[status]}</span> {status}</span>'


def record() -> evidence.Evidence:
    """The record of evidence as it is on disk."""
    return _read(_written_at())[0]


def statuses() -> dict[str, evidence.Status]:
    """The status of each node, by id."""
    return _read(_written_at())[1]


@cache
def _read(_: float) -> tuple[evidence.Evidence, dict[str, evidence.Status]]:
    found = evidence.load()
    return found, found.statuses() | found.beyond()


def _written_at() -> float:
    return evidence.PATH.stat().st_mtime if evidence.PATH.exists() else 0.0


def when() -> str:
    """When the last full run was, and where."""
    run = record().run
    if not run:
        return "No full run is recorded."
    return (
        f"Last full run: {run['date'][:10]}, commit `{run['commit']}`, {run['seconds']} s "
        f"on {run['cores']} cores, Python {run['python']}."
    )


def kinds(found: Iterable[evidence.Observation]) -> str:
    """The kinds of check among observations, each with its examples."""
    examples: dict[str, int] = {}
    for observation in found:
        examples[observation.kind] = examples.get(observation.kind, 0) + observation.examples
    return ", ".join(f"{kind} ({number:,})" for kind, number in examples.items())
