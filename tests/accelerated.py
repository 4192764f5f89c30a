"""What the tests of the machinery share: a clean accelerate for each, and the digits."""

from collections.abc import Iterator

import pytest
import torch
from accelerate.state import AcceleratorState, GradientState

from ddpm_spec.data import Images, load

__all__ = ["clean_accelerate", "images"]


@pytest.fixture(autouse=True)
def clean_accelerate() -> Iterator[None]:
    """Accelerate keeps its state in the process; so does torch its number of threads."""
    threads = torch.get_num_threads()
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def images() -> Images:
    return load("digits")
