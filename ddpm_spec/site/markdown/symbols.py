"""The symbols of the Notation page, marked wherever a formula has them.

A mark is an attribute of what KaTeX draws, `data-symbol="baralpha_t"`. The script of the site shows beside a
marked symbol the row of the table that explains it; MathML stays as it is.
"""

import re
from dataclasses import dataclass

__all__ = ["Symbols"]

_LETTER = r"(?:\\[A-Za-z]+|(?<![A-Za-z\\])[A-Za-z])"
_NAME = rf"(?:\\(?:bar|hat|tilde) ?(?:{_LETTER}|\{{{_LETTER}\}})|{_LETTER})"
_INDEX = r"(?:\{(?:[^{}]|\{[^{}]*\})*\}|\\mathrm\{[^{}]*\}|\\[A-Za-z]+(?![A-Za-z])|[A-Za-z0-9])"
_SYMBOL = re.compile(
    rf"(?P<name>{_NAME})_(?P<index>{_INDEX})(?:\^(?:2|\{{2\}}))?(?![\^'])"
    r"|(?P<plain>(?:\\(?:bar|hat|tilde) ?)?\\epsilon(?![A-Za-z_'^])|\\mathrm\{SNR\})"
)
_STEP = re.compile(r"(?:[tsT]|\d+)(?:[-+]1)?")
_CELL = re.compile(r"^\| ([^|]+) \|", re.MULTILINE)


def _key(tex: str) -> str:
    """A symbol without what only groups its letters; as the script writes it, too."""
    return re.sub(r"[\\{}\s]|\^2$|\(t\)$", "", tex)


@dataclass(frozen=True)
class Symbols:
    """What is in the table."""

    known: frozenset[str]

    @classmethod
    def read(cls, page: str) -> "Symbols":
        """The symbols in the first column of the first table of a page."""
        table = page.partition("\n|")[2].partition("\n\n")[0]
        cells = " ".join(_CELL.findall(table))
        return cls(frozenset(map(_key, re.findall(r"\$([^$]+)\$", cells))))

    def mark(self, tex: str) -> str:
        """A formula with the symbols of the table marked."""
        return _SYMBOL.sub(self._marked, tex)

    def _marked(self, match: re.Match[str]) -> str:
        key = self._row(match["name"], match["index"]) if match["name"] else _key(match["plain"])
        return rf"\htmlData{{symbol={key}}}{{{match[0]}}}" if key in self.known else match[0]

    def _row(self, name: str, index: str) -> str:
        """The symbol itself, or the one at step t where the index is a step."""
        key = _key(f"{name}_{index}")
        step = _key(f"{name}_t")
        return step if key not in self.known and _STEP.fullmatch(_key(index)) else key
