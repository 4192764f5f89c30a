"""Half precision for implementations in NumPy, which computes in none."""

from typing import Any

import numpy as np

from ddpm_spec.laws.protocol import Precision
from ddpm_spec.laws.subject import rounded

__all__ = ["InHalf"]


class InHalf:
    """An implementation with tables and arithmetic of float32, whose examples are in half precision.

    As where a library casts by itself: what a call takes and returns is rounded, also what the network
    is shown and answers.
    """

    def __init__(self, model: Any, precision: Precision) -> None:
        self.model, self.precision = model, precision

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "model":  # a copy asks before it has any
            raise AttributeError(name)
        value = getattr(self.model, name)
        return self._rounding(value) if callable(value) else value

    def _rounding(self, method: Any) -> Any:
        def called(*args: Any, **options: Any) -> Any:
            given = [self._rounding(arg) if callable(arg) else self._round(arg) for arg in args]
            result = method(*given, **options)
            if isinstance(result, tuple):
                return tuple(self._round(one) for one in result)
            return self._round(result)

        return called

    def _round(self, value: Any) -> Any:
        """Numbers and arrays of them; whole ones, such as times, are exact."""
        if isinstance(value, float | np.floating) or getattr(value, "dtype", np.dtype(int)).kind == "f":
            return rounded(np.asarray(value), self.precision).astype(np.float32)
        return value
