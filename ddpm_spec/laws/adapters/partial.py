"""What the adapters share: images of PyTorch in float32, times from 0, and parts that may be missing."""

from collections.abc import Mapping
from typing import Any

from ddpm_spec.laws.protocol import PARTS, Precision, Stated

__all__ = ["Partial", "named", "setting"]


class Partial(Stated):
    """An adapter that lacks some parts and is told what it states."""

    precision: Precision = "float32"
    arrays = "torch"
    first_time = 0
    shape: tuple[int, ...] = (3, 2, 2)

    def lacks(self, *parts: str) -> None:
        """Take these parts away."""
        for part in parts:
            setattr(self, part, None)

    def states(self, stated: Mapping[str, Any]) -> None:
        """Set what is stated; a part may be stated, too, or taken away by None.

        Raises:
            TypeError: if there is no such thing to state.
        """
        for name, value in stated.items():
            if name.startswith("_") or not (hasattr(Stated, name) or name in PARTS):
                raise TypeError(f"an adapter neither states nor has {name!r}; see ddpm_spec.laws.protocol")
            setattr(self, name, value)


def named(answer: Any, *names: str, place: int = 0) -> Any:
    """What a method returned, or its part of one of these names, or the one at `place` of a tuple."""
    for name in names:
        found = setting(answer, name)
        if found is not None:
            return found
    return answer[place] if isinstance(answer, tuple | list) else answer


def setting(config: Any, name: str) -> Any:
    """An entry of a dictionary or an attribute of an object; None if there is none."""
    return config.get(name) if isinstance(config, Mapping) else getattr(config, name, None)
