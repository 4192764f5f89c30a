"""A result as Markdown, from its JSON: for a file beside it, and for the site."""

from collections.abc import Callable
from typing import Any

__all__ = ["markdown", "origin"]


def _plain(text: str) -> str:
    return text.replace("|", r"\|")


def markdown(
    result: dict[str, Any],
    picture: str,
    written: Callable[[str], str] = _plain,
    caption: Callable[[str], str] = str,
) -> str:
    """Tables, picture, notes, and where they are from.

    Args:
        result: what `reproduce` wrote as JSON.
        picture: where the picture is, seen from the text.
        written: how the text of a cell or note is written as Markdown.
        caption: what is made of the notes and the origin together.
    """
    parts = []
    for table in result["tables"]:
        lines = [table["header"], *table["rows"]]
        header, *rows = ("| " + " | ".join(map(written, cells)) + " |" for cells in lines)
        rule = "|" + "---|" * len(table["header"])
        parts += [written(table["caption"]) + ":", "\n".join([header, rule, *rows])]
    if result["picture"]:
        parts.append(f"![{result['alt']}]({picture})")
    parts.append(caption("\n\n".join([*map(written, result["notes"]), origin(result)])))
    return "\n\n".join(parts) + "\n"


def origin(result: dict[str, Any]) -> str:
    """One line: the command, the commit, the hardware, the time."""
    p = result["provenance"]
    where = p["device"] if p["device"] != "CPU" else f"{p['processor']}, {p['cores']} cores"
    commit = p["commit"] or "unknown"
    changed = " with changes" if commit.endswith("+") else ""
    return f"`{p['command']}`, commit {commit[:12]}{changed}, {where}, torch {p['torch']}, {_time(result)}."


def _time(result: dict[str, Any]) -> str:
    """Seconds of the call, and of the training behind it, which may have been another call's."""
    training = sum(run["trained"]["seconds"] for run in result["runs"] if run.get("trained"))
    call = result["provenance"]["seconds"]
    return (
        f"this call took {call:.0f}\N{NO-BREAK SPACE}s (finished batches are kept), "
        f"training its runs {training:.0f}\N{NO-BREAK SPACE}s"
    )
