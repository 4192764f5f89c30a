"""Tables and notes as a person reads them, on the terminal or on a page."""

from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from ddpm_spec.terminal.console import plain

__all__ = ["Section", "print_sections"]


@dataclass(frozen=True)
class Section:
    """A table, an image, or both, with what is to be said of them."""

    title: str
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    image: str = ""
    alt: str = ""
    mark: int = -1
    """The row that matters most."""
    aside: bool = False
    """Details that a page may fold away."""


def print_sections(headline: str, sections: list[Section], folder: Path) -> None:
    """Tables and notes as text on stdout; an image by its path in the folder."""
    out = plain()
    out.print(Text(f"\n{headline}", style="bold"))
    for section in sections:
        out.print(Text(f"\n{section.title}", style="bold"))
        if section.image:
            out.print(Text(f"  {folder / section.image}"), soft_wrap=True)
        if section.rows:
            table = Table(
                *section.header, box=box.SIMPLE_HEAD, show_header=any(section.header), pad_edge=True
            )
            for column in table.columns[1:]:
                column.justify = "left" if section.title in ("Settings", "Machine and versions") else "right"
            for place, row in enumerate(section.rows):
                style = "bold" if place == section.mark else ""
                table.add_row(*(Text(cell) for cell in row), style=style)
            out.print(table)
        for note in section.notes:
            out.print(Text(note))
