"""What was made, as files and on the terminal."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table as Shown
from rich.text import Text

from ddpm_spec.reproduction.markdown import markdown, origin
from ddpm_spec.reproduction.plan import Made
from ddpm_spec.reproduction.targets import Target
from ddpm_spec.runs.folders import write_atomically
from ddpm_spec.terminal.console import plain

__all__ = ["as_json", "show", "write"]


def as_json(name: str, target: Target, preset: str, made: Made, provenance: dict[str, Any]) -> dict[str, Any]:
    """Everything but the picture."""
    return {
        "target": name,
        "place": target.place,
        "title": target.explains,
        "preset": preset,
        "papers_own": preset in target.presets,
        "tables": [asdict(table) for table in made.tables],
        "picture": f"{name}-{preset}.png" if made.picture else None,
        "alt": made.alt,
        "notes": made.notes,
        "runs": made.runs,
        "numbers": made.numbers,
        "provenance": provenance,
    }


def write(result: dict[str, Any], picture: bytes | None, folder: Path) -> Path:
    """Writes JSON, Markdown and picture; the path of the first.

    Raises:
        InputError: if the disk is full or refuses.
    """
    stem = f"{result['target']}-{result['preset']}"
    if picture:
        write_atomically(folder / f"{stem}.png", picture)
    write_atomically(folder / f"{stem}.md", markdown(result, f"{stem}.png").encode())
    path = folder / f"{stem}.json"
    write_atomically(path, (json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())
    return path


def show(result: dict[str, Any], folder: Path) -> None:
    """On stdout."""
    out = plain()
    out.print(Text(f"\n{result['place']}: {result['title']} ({result['preset']})", style="bold"))
    for table in result["tables"]:
        out.print(Text(f"\n{table['caption']}"))
        shown = Shown(*table["header"], box=box.SIMPLE_HEAD)
        for row in table["rows"]:
            shown.add_row(*(Text(cell) for cell in row))
        out.print(shown)
    if result["picture"]:
        out.print(Text(f"  {folder / result['picture']}"), soft_wrap=True)
    for note in [*result["notes"], origin(result)]:
        out.print(Text(note))
