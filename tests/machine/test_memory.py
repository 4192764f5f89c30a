"""What cannot fit into the memory is refused with both numbers, and what just fits is not."""

import pytest
import torch
from small_run import small

from ddpm_spec.errors import InputError
from ddpm_spec.machine import memory

CPU = torch.device("cpu")
SETTINGS = small(batch=6, steps=100, network={"channels": 8, "blocks": 1})
NEED = 4 * 5 * 1_000_000 + 3 * 3 * 8 * 64 * 4 + 8 * 100
"""Five numbers a parameter, three images of three maps of 8 channels, two curves of 100 steps."""


def test_training(monkeypatch):
    monkeypatch.setattr(memory, "memory_of", lambda device: NEED)
    memory.refuse_training(SETTINGS, 1_000_000, (1, 8, 8), CPU, parts=2)
    monkeypatch.setattr(memory, "memory_of", lambda device: NEED - 1)
    with pytest.raises(
        InputError, match=r"^at least 0\.0 GB of memory are needed for 1,000,000 parameters, 3 im"
    ):
        memory.refuse_training(SETTINGS, 1_000_000, (1, 8, 8), CPU, parts=2)


def test_samples(monkeypatch):
    monkeypatch.setattr(memory, "memory_of", lambda device: 2 * 10 * 192)
    memory.refuse_samples("--n", 10, (3, 8, 8))
    with pytest.raises(InputError, match=r"--n is 11; so many images need 0\.0 GB of memory"):
        memory.refuse_samples("--n", 11, (3, 8, 8))


def test_a_system_that_does_not_say_refuses_nothing(monkeypatch):
    def unknown(name):
        raise ValueError(name)

    monkeypatch.setattr(memory.os, "sysconf", unknown)
    assert memory.memory_of(CPU) is None
    memory.refuse_samples("--n", 10**15, (3, 8, 8))


def test_this_machine_has_some():
    assert 2**28 < memory.memory_of(CPU) < 2**50
