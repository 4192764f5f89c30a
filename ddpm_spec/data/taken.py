"""How many files were found, how many images they gave, and what was left out: counted, and said."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Taken", "few", "say"]


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


def say(taken: Iterable[Taken]) -> None:
    """A line a part on stderr."""
    from ddpm_spec.terminal.console import console, notice  # a bare machine has no rich, and nothing to say

    for part in taken:
        if part.left_out:
            notice(str(part))
        else:
            console.print(str(part), markup=False)


def few(names: Iterable[str]) -> str:
    """The first five."""
    listed = list(names)
    return ", ".join(listed[:5]) + (" …" if len(listed) > 5 else "")
