"""A formula with another body, and the derivation that has to refuse it."""

from collections.abc import Callable
from typing import Any

import pytest

from ddpm_spec.proofs import Derivation, FalseStep

__all__ = ["Wrong", "check_refused"]

Wrong = tuple[Callable[..., Any], Callable[..., Any], Callable[[], Derivation]]
"""The formula, what it could be instead, and what builds a derivation on it."""


def check_refused(monkeypatch: pytest.MonkeyPatch, wrong: Wrong, **names: Any) -> None:
    """The derivation holds on the formula as it is and on no other body of it.

    `names`: what the wrong body uses and the module of the formula does not have.
    """
    formula, instead, derive = wrong
    derive().check()
    for name, value in names.items():
        monkeypatch.setitem(formula.__globals__, name, value)
    # The code object is replaced, so every import of the function sees the change.
    monkeypatch.setattr(formula, "__code__", instead.__code__)
    with pytest.raises(FalseStep):
        derive().check()
