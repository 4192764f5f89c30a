"""A clean accelerate for each test of the evaluation, the digits, and a run to evaluate."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState, GradientState
from small_run import SMALL, finished

from ddpm_spec.data import Images, load


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


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, images: Images) -> Path:
    """The folder of a finished small run; do not write into it."""
    run = tmp_path_factory.mktemp("runs") / "small"
    finished(run, images)
    SMALL.save(run / "settings.json")
    AcceleratorState._reset_state(reset_partial_state=True)
    return run
