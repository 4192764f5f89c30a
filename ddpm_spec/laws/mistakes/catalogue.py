"""What may be wrong with an implementation: mistakes, each of which can be built on any schedule."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ddpm_spec.laws.half import InHalf
from ddpm_spec.laws.protocol import Array, Precision

__all__ = ["CATALOGUE", "About", "Mistake", "mistake"]

About = Literal["paper", "cosine", "short"]
"""The paper's schedule in 1,000 steps, the cosine one, or a handful of steps with large β_t."""


@dataclass(frozen=True)
class Mistake:
    """An implementation with one thing broken."""

    what: str
    """In words, such as "β_t for β̃_t in Eq. 7"."""
    build: Callable[[Array, int], Any]
    """Takes β_1..β_T, in float32 or float64, and the number of grey levels."""
    about: About
    """The schedule on which it shows."""

    @property
    def of_chains(self) -> bool:
        """Whether it is about whole chains, and not about a step."""
        return self.build.__module__.endswith(".sampler")

    def on(self, betas: Array, levels: int = 256, precision: Precision = "float64") -> Any:
        """It, on this schedule and in this precision."""
        model = self.build(betas.astype("float64" if precision == "float64" else "float32"), levels)
        return model if precision in ("float64", "float32") else InHalf(model, precision)


CATALOGUE: dict[str, Mistake] = {}
"""Every mistake by what it is."""

_Class = TypeVar("_Class", bound=Callable[[Array, int], Any])


def mistake(what: str, about: About = "paper") -> Callable[[_Class], _Class]:
    """Put a class into the catalogue."""

    def add(build: _Class) -> _Class:
        if what in CATALOGUE:
            raise ValueError(f"there is a mistake {what!r} already")
        CATALOGUE[what] = Mistake(what, build, about)
        return build

    return add
