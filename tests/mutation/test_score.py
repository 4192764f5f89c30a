"""No wrong version of a formula, of the schedule or of the model passes the proofs and the laws."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ddpm_spec.evidence import Recorder, mutation_hash

RUN = Path(__file__).with_name("run.py")


PARTS = {"paper": ("formulas.", "schedule.", "diffusion."), "followups": ("followups.",)}
"""What the names of the functions begin with."""


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_no_mutant_survives(recorder: Recorder, tmp_path: Path, part: str) -> None:
    path, code = tmp_path / "result.json", mutation_hash()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, RUN, path, *PARTS[part]]
    subprocess.run(command, env=environment, cwd=RUN.parents[2], check=True)
    result = json.loads(path.read_text())
    _add(recorder, part, result, code)
    assert not result["unfit"], "every test and proof holds without a mutant"
    assert not result["survivors"]
    for name, score in result["functions"].items():
        if score["mutants"] > score["equivalent"]:
            assert score["law"], f"no mutant of {name} falls to a law"
            if name.startswith(("formulas.", "followups.")) and name not in WITHOUT_PROOF:
                assert score["proof"], f"no mutant of {name} falls to a proof"


def _add(recorder: Recorder, part: str, result: dict[str, Any], code: str) -> None:
    """The score of one part beside that of the other, if the same code was run for it."""
    known = recorder.mutation if recorder.mutation.get("hash") == code else {}
    recorder.mutation = {
        "hash": code,
        "functions": known.get("functions", {}) | result["functions"],
        "survivors": known.get("survivors", []) + result["survivors"],
        "parts": known.get("parts", {}) | {part: result["seconds"]},
    }


# What the official code does instead of the paper: there is nothing to derive.
WITHOUT_PROOF = {"formulas.decoder.log_bin_probability_tanh", "formulas.decoder.tanh_cdf"}
