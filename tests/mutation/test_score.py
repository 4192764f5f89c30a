"""No wrong version of a formula, of the schedule or of the model passes the proofs and the laws."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
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
    recorder.add_score(_score(part, result, code))
    assert not result["unfit"], "every test and proof holds without a mutant"
    assert not result["survivors"]
    for name, score in result["functions"].items():
        if score["mutants"] > score["equivalent"]:
            assert score["law"], f"no mutant of {name} falls to a law"
            if name.startswith(("formulas.", "followups.")) and name not in WITHOUT_PROOF:
                assert score["proof"], f"no mutant of {name} falls to a proof"


def _score(part: str, result: dict[str, Any], code: str) -> dict[str, Any]:
    """What the record keeps of a result."""
    kept = {name: result[name] for name in ("functions", "survivors")}
    return {"hash": code, "parts": {part: result["seconds"]}, **kept}


def test_every_target_belongs_to_a_part() -> None:
    beginnings = tuple(beginning for some in PARTS.values() for beginning in some)
    assert all(name.startswith(beginnings) for name in targets())


FATES = {"mutants": 2, "survived": 1}
FIRST, AGAIN = (
    {"functions": {"schedule.at": FATES}, "survivors": [survivor], "seconds": 3.0}
    for survivor in ("schedule.at, first", "schedule.at, again")
)
LATER = {"functions": {"followups.snr": FATES}, "survivors": ["followups.snr, line 1"], "seconds": 4.0}


Written = Callable[[Recorder], dict[str, Any]]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes what a run has seen over what is known, and gives back the score."""

    def write(recorder: Recorder) -> dict[str, Any]:
        recorder.write(tmp_path / "record.json")
        return load(tmp_path / "record.json").mutation

    return write


def _seen(*results: tuple[str, dict[str, Any]], code: str = "0" * 16) -> Recorder:
    recorder = Recorder()
    for part, result in results:
        recorder.add_score(_score(part, result, code))
    return recorder


@pytest.mark.parametrize("runs", [1, 2, 3], ids=["one run", "two runs", "three runs"])
def test_the_parts_are_recorded_side_by_side(written: Written, runs: int) -> None:
    results = [("paper", FIRST), ("followups", LATER), ("paper", AGAIN)]
    for run in range(runs):
        mutation = written(_seen(*results[run::runs]))
    assert mutation["parts"] == {"paper": 3.0, "followups": 4.0}
    assert mutation["functions"].keys() == {"schedule.at", "followups.snr"}
    assert sorted(mutation["survivors"]) == ["followups.snr, line 1", "schedule.at, again"]


def test_of_other_code_nothing_is_kept(written: Written) -> None:
    written(_seen(("followups", LATER)))
    assert written(_seen(("paper", AGAIN), code="1" * 16))["parts"] == {"paper": 3.0}


@pytest.mark.parametrize("order", [1, -1])
def test_the_parts_are_judged_in_two_processes(written: Written, order: int) -> None:
    """What each knew before of the other part does not come in the way."""
    written(_seen(("paper", FIRST), ("followups", LATER)))
    handed = [_seen(("followups", LATER | {"survivors": []})).handed(), _seen(("paper", AGAIN)).handed()]
    recorder = Recorder()
    recorder.merge(handed[::order])
    assert json.dumps(recorder.mutation) == json.dumps(
        _seen(("followups", LATER | {"survivors": []}), ("paper", AGAIN)).mutation
    )
    assert written(recorder)["survivors"] == ["schedule.at, again"]


def test_one_part_judged_in_two_processes_is_refused() -> None:
    with pytest.raises(AssertionError, match="two processes judged"):
        Recorder().merge([_seen(("paper", FIRST)).handed(), _seen(("paper", AGAIN)).handed()])


# What the official code does instead of the paper: there is nothing to derive.
WITHOUT_PROOF = {"formulas.decoder.log_bin_probability_tanh", "formulas.decoder.tanh_cdf"}
