"""No wrong version of a formula, of the schedule or of the model passes the proofs and the laws."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ddpm_spec.evidence import Recorder, mutation_hash

RUN = Path(__file__).with_name("run.py")


@pytest.mark.slow
def test_no_mutant_survives(recorder: Recorder, tmp_path: Path) -> None:
    path, code = tmp_path / "result.json", mutation_hash()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, RUN, path], env=environment, cwd=RUN.parents[2], check=True)
    result = json.loads(path.read_text())
    recorder.mutation = result | {"hash": code}
    assert not result["unfit"], "every test and proof holds without a mutant"
    assert not result["survivors"]
    for name, score in result["functions"].items():
        if score["mutants"] > score["equivalent"]:
            assert score["law"], f"no mutant of {name} falls to a law"
            if name.startswith(("formulas.", "followups.")) and name not in WITHOUT_PROOF:
                assert score["proof"], f"no mutant of {name} falls to a proof"


# What the official code does instead of the paper: there is nothing to derive.
WITHOUT_PROOF = {"formulas.decoder.log_bin_probability_tanh", "formulas.decoder.tanh_cdf"}
