"""The stored results of the reproduction, as they are shown."""

import json
import re
from pathlib import Path

from ddpm_spec.reproduction.markdown import markdown
from ddpm_spec.site.prose import prose

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
    result = json.loads(stored.read_text(encoding="utf-8"))
    text = markdown(result, f"{seen_from}/{name}.png", _written)
    return text.replace(".png)", ".png){ loading=lazy }")  # there are many on one page


def _written(text: str) -> str:
    return prose(re.sub(r"\bL_simple\b", "L_{simple}", text))
