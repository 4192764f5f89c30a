"""How many files were found, how many images they gave, and what was left out: counted, and said."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddpm_spec.data.images import Images

__all__ = ["Taken", "copied", "few", "say"]


@dataclass(frozen=True)
class Taken:
    """What became of the files of one part."""

    place: str
    found: int
    used: int
    left_out: tuple[str, ...] = ()
    """For each reason, how many and which."""

    def __str__(self) -> str:
        left_out = f"; left out: {'; '.join(self.left_out)}" if self.left_out else ""
        return f"{self.place}: {self.found:,} found, {self.used:,} used{left_out}"


def say(images: "Images") -> None:
    """What there is to say of these images before they are used: a line a part on stderr."""
    from ddpm_spec.terminal.console import console, notice  # a bare machine has no rich, and nothing to say

    for part in images.taken:
        if part.left_out:
            notice(str(part))
        else:
            console.print(str(part), markup=False)
    if images.copies:
        notice(copied(images.copies, len(images.held_out)))


def copied(copies: int, held_out: int) -> str:
    """What to say of so many held-out images that are trained on."""
    return (
        f"{copies:,} of the {held_out:,} held-out images are training images too, in every pixel: what is "
        "measured on these says nothing of new images"
    )


def few(names: Iterable[str]) -> str:
    """The first five."""
    listed = list(names)
    return ", ".join(listed[:5]) + (" …" if len(listed) > 5 else "")
