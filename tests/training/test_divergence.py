"""A run that diverges is a result: its step and cause are noted, and what was saved before stays."""

import json
import math

import pytest
from small_run import FLAGS, small

from ddpm_spec.runs import checkpoints
from ddpm_spec.terminal.console import run_command
from ddpm_spec.training.commands import DIVERGED, train
from ddpm_spec.training.loop import Trainer


def test_it_is_noted_and_what_was_saved_stays(tmp_path, capsys):
    run = tmp_path / "run"
    words = [*FLAGS, "--run", str(run), "--lr", "1e30", "--warmup", "0", "--save-every", "1"]
    assert run_command(train, words) == 2
    (line,) = [
        x for x in capsys.readouterr().err.splitlines() if not x.startswith(("note: ", "training", str(run)))
    ]
    noted = json.loads((run / DIVERGED).read_text())
    step = noted["step"]
    assert line == (
        f"error: the {noted['cause']} is {noted['value']} at step {step} "
        f"(checkpoint-{step - 1} is from before); start a new run with a lower --lr, or a longer --warmup"
    )
    assert noted["cause"] in ("loss", "gradient")
    assert not math.isfinite(float(noted["value"]))
    assert checkpoints.steps_in(run) == [s for s in (step - 2, step - 1) if s]
    # Again, from the last checkpoint: the same step, the same cause.
    assert run_command(train, ["--resume", str(run)]) == 2
    assert json.loads((run / DIVERGED).read_text()) == noted


def test_without_a_checkpoint_it_says_so(tmp_path, capsys):
    run = tmp_path / "run"
    assert run_command(train, [*FLAGS, "--run", str(run), "--lr", "1e30", "--warmup", "0"]) == 2
    assert checkpoints.steps_in(run) == []
    assert "at step 2 (nothing was saved); start a new run" in capsys.readouterr().err


def test_a_run_that_passes_its_bad_step_is_noted_no_more(tmp_path, monkeypatch):
    run, loss = tmp_path / "run", Trainer.loss

    def bad_at_step_5(self, *batch):
        return loss(self, *batch) * (math.nan if self.step == 4 else 1)

    monkeypatch.setattr(Trainer, "loss", bad_at_step_5)
    assert run_command(train, [*FLAGS, "--run", str(run)]) == 2
    assert json.loads((run / DIVERGED).read_text()) == {"step": 5, "cause": "loss", "value": "nan"}
    monkeypatch.setattr(Trainer, "loss", loss)
    assert run_command(train, ["--resume", str(run)]) == 0
    assert not (run / DIVERGED).exists()


def test_a_run_without_checkpoint_begins_at_its_beginning(tmp_path, capsys):
    """As one that was killed before its first."""
    run = tmp_path / "run"
    run.mkdir()
    small().save(run / "settings.json")
    assert run_command(train, ["--resume", str(run)]) == 0
    assert "note: " in (said := capsys.readouterr().err)
    assert "holds no checkpoint yet; it starts from its beginning" in " ".join(said.split())
    assert checkpoints.steps_in(run) == [6, 7]


@pytest.mark.parametrize(("objective", "may"), [("simple", True), ("bound", False)])
def test_what_enters_the_updates_depends_on_the_objective(objective, may):
    kept = small(objective=objective).lasting()
    for name in ("variance", "convention"):
        assert (name not in kept) == may
