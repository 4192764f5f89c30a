"""Plain text for a page: claims and errata are written in letters, such as ᾱ_t, printed as mathematics."""

import re
import unicodedata
from html import escape

__all__ = ["prose", "tex"]

_GREEK = {
    "α": "alpha",
    "β": "beta",
    "δ": "delta",
    "ε": "epsilon",
    "θ": "theta",
    "λ": "lambda",
    "μ": "mu",
    "σ": "sigma",
}
_ACCENTS = {"\u0302": "hat", "\u0303": "tilde", "\u0304": "bar"}
_SYMBOL = re.compile(
    rf"(?<![A-Za-z0-9_])([A-Za-z{''.join(_GREEK)}])([{''.join(_ACCENTS)}]?)_(\w|\{{[^}}]*\}})(²?)(?!\w)"
)

_LETTER = re.compile(rf"([A-Za-z{''.join(_GREEK)}])([{''.join(_ACCENTS)}]?)")
_POWER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)e-0?(\d+)(?!\w)")


def prose(text: str) -> str:
    """Plain text for a Markdown table, with x_t, ᾱ_t, 1e-5 and their like as mathematics.

    What stands between dollars is mathematics already.
    """
    text = unicodedata.normalize("NFD", escape(text, quote=False)).replace("|", "&#124;")
    parts = text.split("$")
    parts[::2] = [_POWER.sub(_power, _SYMBOL.sub(_symbol, part.replace("*", r"\*"))) for part in parts[::2]]
    return unicodedata.normalize("NFC", "$".join(parts))


def tex(text: str) -> str:
    """Letters and signs of plain mathematics, such as μ̃ − ε_θ, in TeX."""
    return _LETTER.sub(_letter, unicodedata.normalize("NFD", text)).replace("−", "-")


def _letter(match: re.Match[str]) -> str:
    letter, accent = match.groups()
    letter = rf"\{_GREEK[letter]}" if letter in _GREEK else letter
    return rf"\{_ACCENTS[accent]}{{{letter}}}" if accent else letter


def _symbol(match: re.Match[str]) -> str:
    letter, accent, index, square = match.groups()
    index = index.strip("{}")
    index = rf"\mathrm{{{index}}}" if re.fullmatch("[a-z]{2,}", index) else tex(index)
    return f"${tex(letter + accent)}_{{{index}}}{'^2' if square else ''}$"


def _power(match: re.Match[str]) -> str:
    factor = "" if match[1] == "1" else rf"{match[1]} \cdot "
    return f"${{{factor}10^{{-{match[2]}}}}}$"
