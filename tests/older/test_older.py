"""What older builds left on a user's disk is loaded, resumed, sampled, evaluated and exported as they did it.

Each folder beside this file was made by `make.py` with the build that it is named after. On the processor and
with the libraries that made it, on one thread as then, everything must come out the same to the last bit.
Elsewhere sums are rounded in another order: there a sample may be off by a grey level, a term of the bound by
1e-4 of itself (eight network calls in float32, a thousand times their rounding); the figures of such samples
are not compared, since one grey level moves them; and a resumed training is asked only to come to its end.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from older.make import MEASURED, UPDATES, digests, kind
from threadpoolctl import threadpool_limits

from ddpm_spec.evaluation.commands import evaluate
from ddpm_spec.evaluation.results import judges_of
from ddpm_spec.evaluation.sampling import sample
from ddpm_spec.interop.export import export
from ddpm_spec.interop.weights import open_weights
from ddpm_spec.runs import checkpoints
from ddpm_spec.runs.settings import Settings
from ddpm_spec.training.commands import train

HERE = Path(__file__).parent
BUILDS = sorted(path.parent.name for path in HERE.glob("*/expected"))

WEIGHTS = "diffusion_pytorch_model.safetensors"


class Build(NamedTuple):
    """What one build left, copied to where it may be written, and what it made of it."""

    folder: Path
    expected: dict[str, Any]

    @property
    def exact(self) -> bool:
        """Whether this machine is of the kind that made it."""
        return bool(self.expected["kind"] == kind())

    def array(self, name: str) -> Any:
        return np.load(HERE / self.folder.name / "expected" / f"{name}.npy")


@pytest.fixture(scope="module", autouse=True)
def judges_of_our_own() -> None:
    """Other tests train a lesser classifier on these images."""
    judges_of.cache_clear()


@pytest.fixture(params=BUILDS)
def build(request, tmp_path, monkeypatch) -> Iterator[Build]:
    folder = tmp_path / request.param
    shutil.copytree(HERE / request.param, folder)
    monkeypatch.chdir(folder)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield Build(folder, json.loads((folder / "expected" / "expected.json").read_text(encoding="utf-8")))


def near(ours: Any, theirs: Any, place: str = "") -> None:
    """The same JSON, but for the rounding of floats, and for the figures of samples."""
    if isinstance(theirs, dict):
        assert set(ours) >= set(theirs), place
        for name, value in theirs.items():
            if name in ("quality", "figures", "loss"):
                continue
            near(ours[name], value, f"{place}/{name}")
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-4), place
    else:
        assert ours == theirs, place


@pytest.mark.parametrize(("name", "how"), [("samples", []), ("ddim", ["--steps", "4", "--eta", "0.5"])])
def test_it_draws_the_samples_of_then(build, name, how):
    sample(["finished", "-n", "5", "--seed", "7", *how, "--out", "drawn"])
    drawn, expected = np.load("drawn/samples.npy"), build.array(name)
    if build.exact:
        assert np.array_equal(drawn, expected)
    else:
        assert np.abs(drawn.astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize("name", MEASURED)
def test_it_is_measured_as_then(build, name):
    evaluate([name, *MEASURED[name], "--device", "cpu", "--out", "measured"])
    results = json.loads(Path("measured/results.json").read_text(encoding="utf-8"))
    theirs = build.expected["results"][name]
    near(results, theirs)
    if build.exact:
        assert {key: results[key] for key in theirs} == theirs


def test_it_is_exported_as_then(build):
    """The card is prose and may say more; the weights are compared as the bytes that they are."""
    export(["finished", "out"])
    ours, theirs = digests(Path("out")), build.expected["exports"]["export"]
    assert ours[f"unet/{WEIGHTS}"] == theirs[f"unet/{WEIGHTS}"]
    for name in ("unet/config.json", "scheduler/scheduler_config.json", "model_index.json"):
        near(*(json.loads((Path(folder) / name).read_text(encoding="utf-8")) for folder in ("out", "export")))


@pytest.mark.parametrize(("name", "prediction"), [("export", "eps"), ("export-v", "v")])
def test_an_export_is_read_back(build, name, prediction):
    opened = open_weights(name)
    assert (opened.process.prediction, opened.process.T, opened.image_shape) == (prediction, 8, (1, 8, 8))
    if name == "export":
        settings = Settings.load(Path("finished/settings.json"))
        network = settings.unet(1, 8)
        checkpoints.fill(network, checkpoints.latest(Path("finished")), "ema")
        theirs = opened.network.state_dict()
        assert all(tensor.equal(theirs[key]) for key, tensor in network.state_dict().items())


def test_an_interrupted_run_comes_to_the_end_it_would_have_had(build):
    run = Path("interrupted")
    (checkpoint,) = [run / f"checkpoint-{step}" for step in checkpoints.steps_in(run)][-1:]
    before = checkpoints.read(checkpoint, {})
    assert 60 <= before.step < UPDATES
    train(["--resume", "interrupted"])
    end = run / f"checkpoint-{UPDATES}"
    after = checkpoints.read(end, {})
    assert after.losses[: before.step].equal(before.losses)
    if build.exact:
        state = json.loads((end / "state.json").read_text(encoding="utf-8"))
        assert state["sha256"] == build.expected["end of the interrupted run"]


def test_a_finished_run_is_reported_again_as_then(build):
    before = json.loads(Path("finished/report.json").read_text(encoding="utf-8"))
    train(["--resume", "finished"])
    after = json.loads(Path("finished/report.json").read_text(encoding="utf-8"))
    for key in ("seconds", "environment", "settings"):
        del before[key], after[key]
    near(after, before)
    if build.exact:
        assert {key: after[key] for key in before} == before  # it may say more


def test_what_is_kept_is_small():
    sizes = [file.stat().st_size for file in HERE.rglob("*") if file.is_file() and file.suffix != ".pyc"]
    assert sum(sizes) <= 2 * 2**20
