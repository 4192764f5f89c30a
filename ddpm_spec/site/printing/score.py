"""The score of the last mutation run, for the Check page; read from the record, never computed here."""

from html import escape
from typing import Any

from ddpm_spec import evidence
from ddpm_spec.site.printing.status import badge

__all__ = ["summary"]

_FATES = {
    "killed": "killed: a test or a proof of it failed",
    "crashed": "stopped by an error, which no test had asked for",
    "equivalent": "the same function after all, by algebra",
    "survived": "survived",
}


_PARTS = {
    "paper": "The paper: its formulas, the schedule and the model",
    "followups": "What came after the paper: the formulas of the gaps",
}


def summary() -> str:
    """How many wrong versions there were, what became of them, and when; each function under a fold.

    The paper and what came after it are counted apart.
    """
    record = evidence.load()
    score = record.mutation
    if not score:
        return "No mutation run is recorded.\n"
    outdated = "" if record.score_is_current else f" The code has changed since: {badge('outdated')}."
    parts = "".join(_part(score, part) for part in _PARTS)
    return f"{parts}Last mutation run: {score['date'][:10]}.{outdated}\n\n{_survivors(score)}{_table(score)}"


def _part(score: dict[str, Any], part: str) -> str:
    """The counts of one part; nothing where the run had none of its functions."""
    later = part == "followups"
    functions = [one for n, one in score["functions"].items() if n.startswith("followups.") == later]
    if not functions:
        return ""
    time = f" in {score['parts'][part]:.0f} s" if "parts" in score else ""
    total = {fate: sum(one[fate] for one in functions) for fate in ("mutants", *_FATES)}
    items = "".join(
        f'<li><span class="count">{total[fate]:,}</span> {words}</li>' for fate, words in _FATES.items()
    )
    return (
        f"**{_PARTS[part]}.** {total['mutants']:,} wrong versions of {len(functions)} functions{time}:\n\n"
        f'<ul class="counts score">{items}</ul>\n\n'
    )


def _survivors(score: dict[str, Any]) -> str:
    return "".join(f"- {escape(mutant)}\n" for mutant in score["survivors"]) + "\n"


def _table(score: dict[str, Any]) -> str:
    rows = "\n".join(
        f"| `{name}` | {one['mutants']} | {' | '.join(str(one[fate]) for fate in _FATES)} |"
        for name, one in score["functions"].items()
    )
    return (
        '<details class="laws" markdown>\n<summary>Function by function</summary>\n\n'
        "| function | versions | killed | crashed | equal | survived |\n"
        f"|---|--:|--:|--:|--:|--:|\n{rows}\n\n</details>\n"
    )
