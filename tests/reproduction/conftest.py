"""Presets small enough to reproduce anything in a second."""

import dataclasses
from collections.abc import Iterator

import pytest
import torch
from accelerate.state import AcceleratorState, GradientState
from small_run import SMALL

from ddpm_spec.evaluation import features
from ddpm_spec.training import presets


@pytest.fixture(autouse=True)
def clean_accelerate() -> Iterator[None]:
    """Accelerate keeps its state in the process; so does torch its number of threads."""
    threads = torch.get_num_threads()
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The digits with the small network, and features that are trained in no time."""
    monkeypatch.setattr(features, "UPDATES", 20)
    monkeypatch.setitem(presets.PRESETS, "digits", dataclasses.replace(SMALL))
    for name in ("cifar10", "lsun-bedroom", "lsun-bedroom-large", "lsun-church", "lsun-cat"):
        # Not to be run here: other steps than those of any run.
        other = dataclasses.replace(SMALL, training=dataclasses.replace(SMALL.training, steps=99))
        monkeypatch.setitem(presets.PRESETS, name, other)
