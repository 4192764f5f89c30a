"""The command as a user gives it, with no options: minutes on two cores."""

import json
import subprocess
import sys

import pytest

from ddpm_spec.evaluation.quality import Figures
from ddpm_spec.training.report import OURS, missed_targets


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
