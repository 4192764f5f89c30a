"""A clean accelerate for each test of the evaluation, the digits, and a run to evaluate."""

from pathlib import Path

import pytest
from accelerate.state import AcceleratorState
from accelerated import clean_accelerate, images  # noqa: F401 (fixtures)
from small_run import SMALL, finished

from ddpm_spec.data import Images


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, images: Images) -> Path:  # noqa: F811
    """The folder of a finished small run; do not write into it."""
    run = tmp_path_factory.mktemp("runs") / "small"
    finished(run, images)
    SMALL.save(run / "settings.json")
    AcceleratorState._reset_state(reset_partial_state=True)
    return run
