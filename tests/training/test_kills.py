"""Killed at any instant, a run goes on from what it has saved, and ends as if nothing had happened."""

import multiprocessing
import random
import signal
import time
from pathlib import Path

import pytest
from small_run import FLAGS, finished, same

from ddpm_spec.data import Images
from ddpm_spec.runs import checkpoints
from ddpm_spec.terminal.console import run_command
from ddpm_spec.training.commands import train

WORDS = [*FLAGS, "--steps", "1000000", "--save-every", "1", "--channels", "8", "--multipliers", "1"]
"""Most of the time goes into saving."""


WARM = multiprocessing.get_context("forkserver")
"""Starts processes as forks of one that has done its imports. They take seconds; a save takes a hundredth."""
# The last three are what training imports when it needs it.
IMPORTS = "ddpm_spec.training.commands sklearn.datasets sklearn.neural_network torch._dynamo"
WARM.set_forkserver_preload(IMPORTS.split())


def killed(run: Path, words: list[str], ready, seconds: float) -> bool:
    """Starts the command, kills it so long after it is ready, and tells whether it was saving."""
    process = WARM.Process(target=run_command, args=(train, words))
    process.start()
    end = time.monotonic() + 120
    while not ready():
        assert process.exitcode is None
        assert time.monotonic() < end
        time.sleep(0.001)
    time.sleep(seconds)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    return any(run.glob(".checkpoint-*"))


def last(run: Path) -> int:
    return max(checkpoints.steps_in(run), default=0)


def ends_like_one_that_was_never_killed(
    run: Path, images: Images, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = str(last(run) + 3)
    status = run_command(train, ["--resume", str(run), "--steps", steps])
    said = capsys.readouterr().err
    assert status == 0, said
    assert "resumed elsewhere" not in said
    made = finished(tmp_path / "straight", images, network={"multipliers": (1,)}, steps=int(steps))
    assert same(checkpoints.read(checkpoints.latest(run), made.belongs_to), made.state())
    assert not list(run.glob(".checkpoint-*"))


@pytest.mark.cli
def test_three_kills(images, tmp_path, monkeypatch, capsys):
    """Before the first checkpoint, while training or saving, and once more."""
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    killed(run, ["--run", "run", *WORDS, "--save-every", "1000"], (run / "settings.json").exists, 0.0)
    assert last(run) == 0
    dice = random.Random(1)
    for _ in range(2):
        step = last(run)
        resume = ["--resume", "run", "--save-every", "1"]
        killed(run, resume, lambda step=step: last(run) > step, dice.uniform(0, 0.3))
        assert last(run) > step
    ends_like_one_that_was_never_killed(run, images, tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.cli
def test_kills_at_random_times(images, tmp_path, monkeypatch, capsys):
    """At least 20, a quarter of them or more inside a save."""
    monkeypatch.chdir(tmp_path)
    run, dice, saving = tmp_path / "run", random.Random(2), 0
    words = ["--run", "run", *WORDS]
    kills = 24
    for _ in range(kills):
        step = last(run)
        saving += killed(run, words, lambda step=step: last(run) > step, dice.uniform(0, 0.5))
        assert last(run) > step
        words = ["--resume", "run"]
    print(f"{saving} of {kills} kills fell into a save, at step {last(run)}")
    assert saving >= kills / 4
    ends_like_one_that_was_never_killed(run, images, tmp_path, capsys)
