"""The command as a user gives it, with no options: minutes on two cores."""

import json
import subprocess
import sys

import pytest

from ddpm_spec.evaluation.quality import Figures
from ddpm_spec.machine.accelerator import accelerator_for
from ddpm_spec.runs.settings import Settings
from ddpm_spec.training.loop import Trainer
from ddpm_spec.training.report import OURS, missed_targets


def test_the_first_steps_are_those_of_the_run_that_was_measured(images):
    """Another draw, order, initialisation or update would show; another processor's rounding does not."""
    made = Trainer(Settings(), images, accelerator_for(Settings()))
    for _ in range(10):
        made.update()
    assert made.losses[[0, 1, 2, 3, 9]].tolist() == pytest.approx(
        [1.007682, 1.015387, 0.997184, 1.015595, 0.997049], rel=1e-5
    )


@pytest.mark.slow
@pytest.mark.cli
def test_the_default_command_reaches_every_target(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ddpm_spec.train"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    numbers = json.loads((tmp_path / "runs" / "digits-1" / "report.json").read_text())
    assert missed_targets(Figures(**numbers["figures"][OURS])) == []
    assert numbers["environment"]["peak_memory_gb"] <= 1.5
    bound = numbers["bound"]
    assert bound["total"] - 5 * bound["standard_error"] > 0
    assert abs(bound["L_0"]) < 0.01
    assert 0 < bound["L_T"] < 1e-4
