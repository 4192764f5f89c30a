"""What a law is: a statement with an id, and the cases in which it is measured."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from ddpm_spec.laws.protocol import Array
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Subject

__all__ = ["LAWS", "VERSION", "Case", "Cases", "Law", "Level", "compare", "law"]

VERSION = 1
"""The version of the set of laws. A law that came later than version 1 only warns for one release."""

Level = Literal["paper", "choice", "custom"]
"""What the paper requires; what follows from its choices, such as its schedule; what is customary."""


class Case(NamedTuple):
    """One measurement."""

    deviation: float
    """Distance from what the law says, 0 where it holds exactly."""
    allowed: float
    """The distance that the rounding of the implementation's tables and arithmetic explains."""
    where: int | str
    """The step t at which it was made, or another place in words."""


Cases = Iterator[Case]


_Function = TypeVar("_Function", bound=Callable[[Reference, Subject], Cases])


@dataclass(frozen=True)
class Law:
    """One statement about an implementation."""

    id: str
    """Never changes: "forward/mean"."""
    name: str
    """The equation that it speaks about and what it says, such as "Eq. 7: …"."""
    cases: Callable[[Reference, Subject], Cases]
    needs: tuple[str, ...]
    """What the adapter must have for it to be judged."""
    rests_on: tuple[str, ...]
    """Ids of laws without which it cannot hold: where one of them fails too, that is the thing to mend."""
    level: Level
    since: int
    """The version of the set of laws that it came with."""

    @property
    def group(self) -> str:
        """What it is about, such as "forward"."""
        return self.id.partition("/")[0]


LAWS: dict[str, Law] = {}
"""Every law by its id, in the order of the paper."""


def law(
    name: str,
    *needs: str,
    rests_on: tuple[str, ...] = (),
    level: Level = "paper",
    since: int = 1,
) -> Callable[[_Function], _Function]:
    """Make a law of a function, with this id. What it says is the first line of the function's docstring."""

    def add(cases: _Function) -> _Function:
        if name in LAWS:
            raise ValueError(f"there is a law {name!r} already")
        words = (cases.__doc__ or "").partition("\n")[0].rstrip(".")
        LAWS[name] = Law(name, words, cases, needs, rests_on, level, since)
        return cases

    return add


def compare(measured: Array | float, expected: Array | float, relative: float, where: int | str) -> Case:
    """The largest difference, against an error `relative` to the largest value that is expected."""
    measured, expected = np.asarray(measured, dtype=float), np.asarray(expected, dtype=float)
    if measured.shape != expected.shape:
        return Case(np.inf, 0.0, f"t = {where}: shape {measured.shape} for {expected.shape}")
    deviation = float(np.abs(measured - expected).max())
    return Case(deviation, relative * float(np.abs(expected).max()), where)
