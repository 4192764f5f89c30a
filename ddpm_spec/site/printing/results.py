"""The stored results of the reproduction, as they are shown."""

import json
import re
from pathlib import Path
from typing import Any

from ddpm_spec.reproduction.markdown import markdown
from ddpm_spec.site.mathematics.prose import prose, tex

__all__ = ["section"]


def section(name: str, folder: Path, seen_from: str) -> str:
    """A result by the name of its file: tables, picture, notes, and where they are from.

    Args:
        name: target and preset, `fig6-digits`.
        folder: the stored results.
        seen_from: the folder, seen from the page.
    """
    stored = folder / f"{name}.json"
    if not stored.exists():
        target, _, preset = name.partition("-")
        return f"Not stored yet: `python -m ddpm_spec.reproduce {target} --preset {preset}` makes it.\n"
    result = _read(stored)
    first = _first_with(folder / result["picture"]) if result["picture"] else name
    if first != name:
        place = _read(folder / f"{first}.json")["place"]
        note = f"The picture is that of [{place}](#{place.lower().replace('. ', '-')}), to the last byte."
        result |= {"picture": None, "notes": [note, *result["notes"]]}
    text = markdown(result, f"{seen_from}/{name}.png", _written, _caption)
    return text.replace(".png)", ".png){ loading=lazy }")  # there are many on one page


def _read(stored: Path) -> dict[str, Any]:
    return dict(json.loads(stored.read_text(encoding="utf-8")))


def _first_with(picture: Path) -> str:
    """The first result by name that shows this picture; one run serves figures that differ in their data."""
    shown = picture.read_bytes()
    return next(file.stem for file in sorted(picture.parent.glob("*.png")) if file.read_bytes() == shown)


def _caption(text: str) -> str:
    return f'<div class="caption" markdown>\n\n{text}\n\n</div>'


def _written(text: str) -> str:
    text = re.sub(r"\bL_(simple|hybrid|vlb)\b", r"L_{\1}", text)
    text = text.replace("not run", "not\N{NO-BREAK SPACE}run").replace("T − t + 1", "$T - t + 1$")
    text = _NORM.sub(lambda norm: rf"$\lVert {tex(norm[1])} \rVert^2$", text)
    return prose(_ALONE.sub(lambda letter: f"${tex(letter[0])}$", text))


_NORM = re.compile("‖([^‖]+)‖²")
_ALONE = re.compile(r"(?<![^(])(?:μ̃|ε|L|v)(?=[,)]|$)")
"""A letter that begins a cell or a bracket, with nothing of a word behind it."""
