"""Runs: found by what decides their weights, gone on with, trained, or diverged."""

import dataclasses
import json
import shutil

import pytest
from small_run import SMALL, small

from ddpm_spec.reproduction import runs
from ddpm_spec.reproduction.runs import MADE_BY, find, trained
from ddpm_spec.runs import checkpoints
from ddpm_spec.terminal.console import Interrupt, Interrupted


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    return trained(SMALL, "digits", tmp_path_factory.mktemp("once"), Interrupt())


@pytest.fixture
def made(once, tmp_path):
    """A run that was missing and has been trained, in a folder of this test's own."""
    return dataclasses.replace(once, run=shutil.copytree(once.run, tmp_path / once.run.name))


def test_what_is_missing_is_trained(made, tmp_path):
    assert made.run == tmp_path / "digits-1"
    assert made.step == 7
    assert made.diverged is None
    told = json.loads((made.run / MADE_BY).read_text())
    assert {"seconds", "commit", "processor", "torch"} <= set(told)


def test_a_finished_run_is_used_and_not_touched(made, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "fit", None)
    assert trained(SMALL, "digits", tmp_path, Interrupt()) == made


@pytest.mark.parametrize(
    "same",
    [
        dataclasses.replace(SMALL, evaluation=dataclasses.replace(SMALL.evaluation, samples=99)),
        dataclasses.replace(SMALL, machine=dataclasses.replace(SMALL.machine, threads=2)),
        small(save_every=2),
    ],
)
def test_what_does_not_decide_the_weights_may_differ(made, tmp_path, same):
    assert find(same, tmp_path) == made


@pytest.mark.parametrize(
    "other",
    [
        small(seed=4),
        small(steps=8),
        small(objective="bound"),
        small(network={"channels": 12}),
        dataclasses.replace(SMALL, process=dataclasses.replace(SMALL.process, prediction="mu")),
        dataclasses.replace(SMALL, process=dataclasses.replace(SMALL.process, variance="beta_tilde")),
        dataclasses.replace(SMALL, process=dataclasses.replace(SMALL.process, T=9)),
    ],
)
def test_what_decides_them_may_not(made, tmp_path, other):
    assert find(other, tmp_path) is None


def test_a_run_that_was_stopped_goes_on(made, tmp_path):
    """To the same bits as the one that was not."""
    interrupt = Interrupt()
    interrupt.signal_number = 15
    with pytest.raises(Interrupted):
        trained(SMALL, "digits", tmp_path / "stopped", interrupt)
    run = tmp_path / "stopped" / "digits-1"
    assert 0 < checkpoints.steps_in(run)[-1] < 7
    again = trained(SMALL, "digits", tmp_path / "stopped", Interrupt())
    assert again.run == run
    whole, resumed = (folder / "checkpoint-7" / "ema.safetensors" for folder in (made.run, run))
    assert whole.read_bytes() == resumed.read_bytes()


def test_divergence_is_a_result(tmp_path, monkeypatch):
    wild = small(lr=1e30, warmup=0, max_norm=float("inf"))
    ended = trained(wild, "digits", tmp_path, Interrupt())
    assert ended.diverged is not None
    assert 0 < ended.diverged["step"] <= 7
    monkeypatch.setattr(runs, "fit", None)
    assert trained(wild, "digits", tmp_path, Interrupt()) == ended


def test_a_damaged_folder_is_no_run(made, tmp_path):
    other = tmp_path / "aaa"
    other.mkdir()
    (other / "settings.json").write_text("{")
    assert find(SMALL, tmp_path) == made
