"""Presets small enough to reproduce anything in a second."""

import dataclasses

import pytest
from accelerated import clean_accelerate  # noqa: F401 (a fixture)
from small_run import SMALL

from ddpm_spec.evaluation import features
from ddpm_spec.runs import presets


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The digits with the small network, and features that are trained in no time."""
    monkeypatch.setattr(features, "UPDATES", 20)
    monkeypatch.setitem(presets.PRESETS, "digits", dataclasses.replace(SMALL))
    for name in ("cifar10", "lsun-bedroom", "lsun-bedroom-large", "lsun-church", "lsun-cat"):
        # Not to be run here: other steps than those of any run.
        other = dataclasses.replace(SMALL, training=dataclasses.replace(SMALL.training, steps=99))
        monkeypatch.setitem(presets.PRESETS, name, other)
