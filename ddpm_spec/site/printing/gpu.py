"""What the script for a GPU has found, from the files that it writes."""

import json
from pathlib import Path
from typing import Any

from ddpm_spec.site.mathematics.prose import prose

__all__ = ["section"]


def section(folder: Path, seen_from: str) -> str:
    """A heading, and a table for each `gpu*.json` in a folder; nothing where there is none.

    Args:
        folder: the stored results.
        seen_from: the folder, seen from the page.
    """
    stored = sorted(folder.glob("gpu*.json"), key=lambda file: file.stem)
    if not stored:
        return ""
    opening = "## On a GPU { #gpu }\n\nWhat `python -m ddpm_spec.benchmark --gpu` found.\n"
    return "\n".join([opening, *(_table(file, seen_from) for file in stored)])


def _table(stored: Path, seen_from: str) -> str:
    record: dict[str, Any] = json.loads(stored.read_text(encoding="utf-8"))
    rows = "\n".join(
        f"| {prose(name)} | {_lines(part['said'])} | {part['date']} |"
        for name, part in record["parts"].items()
    )
    return (
        f"| part | what was found | date |\n|---|---|---|\n{rows}\n\n"
        f'<div class="caption" markdown>\n\n{_where(record["surroundings"])} '
        f"[All numbers]({seen_from}/{stored.name}).\n\n</div>\n"
    )


def _lines(said: list[str]) -> str:
    return " <br> ".join(prose(line.strip()) for text in said for line in text.splitlines())


def _where(surroundings: dict[str, Any]) -> str:
    """One line: the hardware, the versions and the commit."""
    s = surroundings
    device = s["device"] + (f", {s['memory_gb']}\N{NO-BREAK SPACE}GB" if s["memory_gb"] else "")
    count = f"{s['processes']} × " if s["processes"] > 1 else ""
    named = {"cuda": "CUDA", "torch": "torch", "diffusers": "diffusers", "python": "Python"}
    versions = ", ".join(f"{name} {s[key]}" for key, name in named.items() if s[key])
    size = " Everything in a tiny size, as a trial." if s["tiny"] else ""
    return f"{count}{device}; {versions}; commit {(s['commit'] or 'unknown')[:12]}.{size}"
