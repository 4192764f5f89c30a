"""Sections of the notes, embedded in pages, and the links between them.

A page takes a section by `![[note#Heading]]`, the item of a list that opens with "**Label.**" by
`![[note#Heading#Label]]`, a paragraph or table that is marked `^name` by `![[note#^name]]`, as Obsidian
does, and by `![[note#]]` what comes before the first heading. The
heading stays behind, since the page has its own; headings below it move so that they stand one level
below the page's heading before them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ddpm_spec.site import SiteError

__all__ = ["EMBED", "HEADING", "MissingNote", "Note", "outside_code"]

EMBED = re.compile(r"^!\[\[(?P<note>[^\[\]#|\n]+)#(?P<part>\^?[^\[\]|\n]*)\]\]\s*$")
HEADING = re.compile(r"^(?P<marks>#{1,6})\s+(?P<title>.+?)\s*#*\s*$")
_BLOCK_ID = re.compile(r"^(?P<text>.*?)\s*\^(?P<id>[\w-]+)\s*$")
_ITEM = re.compile(r"^- \*\*(?P<label>.+?)\.\*\*\s+(?P<text>.+)$")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")


class MissingNote(SiteError):
    """A note or a section of it that does not exist."""


def outside_code(text: str) -> Iterator[tuple[str, bool]]:
    """The lines of a Markdown text, each with whether it lies outside a fence of code."""
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        yield line, not fence and not mark
        if mark and not fence:
            fence = mark[1]
        elif mark and line.strip().startswith(fence) and line.strip(" `~") == "":
            fence = ""


@dataclass(frozen=True)
class Heading:
    """A heading and the lines it governs."""

    title: str
    level: int
    start: int
    """The line after the heading."""
    end: int
    """One past the last line of its section."""


@dataclass(frozen=True)
class Note:
    """One Markdown file of the vault."""

    name: str
    """Its path below `notes/`, without the suffix."""
    text: str

    @classmethod
    def read(cls, folder: Path, name: str) -> "Note":
        """The note of this name.

        Raises:
            MissingNote: if the folder has none.
        """
        path = folder / f"{name}.md"
        if not path.is_file():
            raise MissingNote(f"there is no note {folder.name}/{name}.md")
        return cls(name, path.read_text("utf-8"))

    @property
    def headings(self) -> list[Heading]:
        """All headings, in order."""
        lines = list(outside_code(self.text))
        found = [(i, m) for i, (line, outside) in enumerate(lines) if outside and (m := HEADING.match(line))]
        result = []
        for k, (i, match) in enumerate(found):
            level = len(match["marks"])
            later = (j for j, m in found[k + 1 :] if len(m["marks"]) <= level)
            result.append(Heading(match["title"], level, i + 1, next(later, len(lines))))
        return result

    def heading(self, title: str) -> Heading:
        """The heading of this title, whatever its case.

        Raises:
            MissingNote: if there is none.
        """
        for heading in self.headings:
            if heading.title.casefold() == title.strip().casefold():
                return heading
        known = ", ".join(f"“{heading.title}”" for heading in self.headings)
        raise MissingNote(f"notes/{self.name}.md has no section “{title}”; it has {known or 'no headings'}")

    def part(self, name: str, level: int = 2) -> str:
        """The Markdown of a section, its highest headings at this level, or of the block marked `^name`.

        The empty name stands for what comes before the first heading.

        Raises:
            MissingNote: if there is none.
        """
        if not name:
            return "\n".join(self.text.split("\n")[: self.headings[0].start - 1]).strip()
        if name.startswith("^"):
            return self._block(name[1:])
        section, _, label = name.partition("#")
        return self._item(section, label) if label else self._section(section, level)

    def _section(self, title: str, top: int) -> str:
        section = self.heading(title)
        lines = self.text.split("\n")[section.start : section.end]
        inside = [h for h in self.headings if section.start < h.start <= section.end]
        shift = top - min((h.level for h in inside), default=top)
        for heading in inside:
            level = heading.level + shift
            lines[heading.start - 1 - section.start] = f"{'#' * level} {heading.title}"
        return "\n".join(lines).strip("\n")

    def _item(self, section: str, label: str) -> str:
        for line in self._section(section, 2).split("\n"):
            match = _ITEM.match(line)
            if match and match["label"].casefold() == label.casefold():
                return match["text"]
        raise MissingNote(f"notes/{self.name}.md has no item “{label}” under “{section}”")

    def _block(self, name: str) -> str:
        blocks = re.split(r"\n\s*\n", self.text)
        for i, block in enumerate(blocks):
            *lines, last = block.rstrip().split("\n")
            match = _BLOCK_ID.match(last)
            if match and match["id"] == name:
                body = "\n".join([*lines, match["text"]]).strip()
                return body or blocks[i - 1].strip("\n")
        raise MissingNote(f"notes/{self.name}.md has no block marked ^{name}")
