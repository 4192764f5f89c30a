"""No wrong version of a formula, of the schedule or of the model passes the proofs and the laws."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mutation.killers import targets

from ddpm_spec.evidence import Recorder, load, mutation_hash

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
    """The score of one part beside what is known of the other, if the same code was run for it."""
    known = recorder.mutation or load().mutation
    if known.get("hash") != code:
        known = {"functions": {}, "survivors": [], "parts": {}}
    others = [mutant for mutant in known["survivors"] if not mutant.startswith(PARTS[part])]
    recorder.mutation = {
        "hash": code,
        "functions": known["functions"] | result["functions"],
        "survivors": others + result["survivors"],
        "parts": known["parts"] | {part: result["seconds"]},
    }


def test_every_target_belongs_to_a_part() -> None:
    beginnings = tuple(beginning for some in PARTS.values() for beginning in some)
    assert all(name.startswith(beginnings) for name in targets())


def test_the_parts_are_recorded_side_by_side() -> None:
    recorder, code = Recorder(), "0" * 16
    fates = {"mutants": 2, "survived": 1}
    old, new = (
        {"functions": {"schedule.at": fates}, "survivors": [s], "seconds": 3.0}
        for s in ("schedule.at, old", "schedule.at, new")
    )
    later = {
        "functions": {"followups.snr.snr": fates},
        "survivors": ["followups.snr.snr, line 1"],
        "seconds": 4.0,
    }
    for part, result in (("paper", old), ("followups", later), ("paper", new)):
        _add(recorder, part, result, code)
    assert recorder.mutation["parts"] == {"paper": 3.0, "followups": 4.0}
    assert recorder.mutation["functions"].keys() == {"schedule.at", "followups.snr.snr"}
    assert recorder.mutation["survivors"] == ["followups.snr.snr, line 1", "schedule.at, new"]
    _add(recorder, "paper", new, "1" * 16)
    assert recorder.mutation["parts"] == {"paper": 3.0}, "another code: what was known is of no use"


# What the official code does instead of the paper: there is nothing to derive.
WITHOUT_PROOF = {"formulas.decoder.log_bin_probability_tanh", "formulas.decoder.tanh_cdf"}
