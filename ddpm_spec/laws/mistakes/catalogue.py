"""What may be wrong with an implementation: a list of mistakes, each of which can be built on any schedule."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from ddpm_spec.laws.protocol import Array

__all__ = ["CATALOGUE", "About", "Mistake", "mistake"]

About = Literal["paper", "cosine"]


@dataclass(frozen=True)
class Mistake:
    """An implementation with one thing broken."""

    what: str
    """In words, such as "β_t for β̃_t in Eq. 7"."""
    build: Callable[[Array, int], object]
    """Takes β_1..β_T and the number of grey levels."""
    about: About
    """The schedule on which it shows."""


CATALOGUE: dict[str, Mistake] = {}
"""Every mistake by what it is."""

_Class = TypeVar("_Class", bound=Callable[[Array, int], object])


def mistake(what: str, about: About = "paper") -> Callable[[_Class], _Class]:
    """Put a class into the catalogue."""

    def add(build: _Class) -> _Class:
        if what in CATALOGUE:
            raise ValueError(f"there is a mistake {what!r} already")
        CATALOGUE[what] = Mistake(what, build, about)
        return build

    return add
