"""Several processes, as `accelerate launch` starts them, against one; what stops one stops all."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ends import free_port
from small_run import FLAGS, finished, same

from ddpm_spec.evaluation.sampling import sample
from ddpm_spec.runs import checkpoints
from ddpm_spec.terminal.console import run_command
from ddpm_spec.training.commands import train

pytestmark = pytest.mark.cli


def launch(
    *words: str, cwd: Path, port: int, machine: int = 0, machines: int = 1, command: str = "train"
) -> subprocess.Popen[str]:
    """The documented command: two processes, on one machine or one on each of two."""
    launcher = [
        "--multi_gpu", "--num_processes", "2", "--num_machines", str(machines), "--machine_rank",
        str(machine), "--main_process_ip", "127.0.0.1", "--main_process_port", str(port),
    ]  # fmt: skip
    start = [sys.executable, "-m", "accelerate.commands.launch", *launcher]
    cwd.mkdir(exist_ok=True)
    return subprocess.Popen(
        [*start, "-m", f"ddpm_spec.{command}", *words],
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def workers(launcher: subprocess.Popen[str]) -> list[int]:
    """The processes that it has started, by rank."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    ranked = []
    for child in map(int, children):
        rank = re.search(rb"(?:^|\0)RANK=(\d+)", Path(f"/proc/{child}/environ").read_bytes())
        if rank:
            ranked.append((int(rank[1]), child))
    return [child for _, child in sorted(ranked)]


def wait_for(condition, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 180
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def ended(launcher: subprocess.Popen[str]) -> tuple[int, str]:
    """Its status and what it said.

    When all is done torch's launchers wait for each other, and now and then one waits five minutes for one
    that has left: that is not what is tested here.
    """
    try:
        said = launcher.communicate(timeout=100)[1]
    except subprocess.TimeoutExpired:
        assert not workers(launcher)
        launcher.kill()
        return 0, launcher.communicate()[1]
    return launcher.returncode, said


def ours(said: str) -> list[str]:
    """What was said, without progress, what the launcher adds, and that T = 8 is a short chain."""
    lines = [
        line
        for line in said.splitlines()
        if not line.startswith(("torch.distributed.elastic", "note: L_T is"))
    ]
    return [line for line in lines if re.match(r"(error|note|stopped)", line) or "Error:" in line]


def test_two_processes_stopped_by_a_signal_to_one_of_them_and_resumed_on_one(images, tmp_path, capsys):
    """Bit for bit the run of one process that takes its batches in two parts."""
    run = tmp_path / "runs" / "digits-1"
    pair = launch(*FLAGS, "--steps", "1000000", cwd=tmp_path, port=free_port())
    wait_for(lambda: len(checkpoints.steps_in(run)) == 2, pair)
    os.kill(workers(pair)[1], signal.SIGTERM)
    _, said = pair.communicate(timeout=120)
    assert pair.returncode != 0
    step = checkpoints.steps_in(run)[-1]
    way_on = "go on with: python -m ddpm_spec.train --resume runs/digits-1"
    assert ours(said) == [f"stopped at step {step:,} of 1,000,000 and saved; {way_on}"]
    assert sum("44,969 parameters" in line for line in said.splitlines()) == 1
    assert run_command(train, ["--resume", str(run), "--steps", str(step + 2), "--accumulate", "2"]) == 0
    (note,) = ours(capsys.readouterr().err)
    assert "(processes 2 → 1, accumulate 1 → 2)" in note
    made = finished(tmp_path / "straight", images, steps=step + 2, accumulate=2)
    assert same(checkpoints.read(checkpoints.latest(run), made.belongs_to), made.state())

    pair = launch(str(run), "-n", "5", "--out", "pair", cwd=tmp_path, port=free_port(), command="sample")
    assert pair.wait(timeout=120) == 0, pair.communicate()[1]
    assert run_command(sample, [str(run), "-n", "5", "--out", str(tmp_path / "alone")]) == 0
    both, one = (np.load(tmp_path / out / "samples.npy") for out in ("pair", "alone"))
    assert (both == one).all()
    assert both.shape == (5, 1, 8, 8)


@pytest.mark.slow
def test_two_machines_with_folders_of_their_own(images, tmp_path):
    """The second machine gets all it needs from the first: it has no run, and no settings of one."""
    here, there = tmp_path / "here", tmp_path / "there"

    def together(*words: str) -> list[tuple[int, str]]:
        port = free_port()
        pair = [
            launch(*words, cwd=folder, machine=machine, machines=2, port=port)
            for machine, folder in enumerate((here, there))
        ]
        return [ended(process) for process in pair]

    for words in (FLAGS, ["--resume", "runs/digits-1", "--steps", "9"]):
        for status, said in together(*words):
            assert status == 0, said
            assert ours(said) == []
    assert list(there.iterdir()) == []
    run = here / "runs" / "digits-1"
    made = finished(tmp_path / "straight", images, steps=9, accumulate=2)
    assert same(checkpoints.read(checkpoints.latest(run), made.belongs_to), made.state())


@pytest.mark.slow
def test_what_fails_on_one_process_is_one_line_and_no_wait(tmp_path):
    """A checkpoint that cannot be written, then a process that is killed, then a bad option."""
    run = tmp_path / "runs" / "digits-1"
    pair = launch(*FLAGS, "--steps", "1000000", "--save-every", "40", cwd=tmp_path, port=free_port())
    wait_for(lambda: checkpoints.steps_in(run), pair)
    run.rename(tmp_path / "gone")
    _, said = pair.communicate(timeout=60)
    (line,) = ours(said)
    assert re.match(r"error: step \d+ could not be saved in runs/digits-1 ", line)
    assert pair.returncode != 0

    pair = launch("--resume", "gone", "--save-every", "1", cwd=tmp_path, port=free_port())
    first = checkpoints.steps_in(tmp_path / "gone")[-1]
    wait_for(lambda: checkpoints.steps_in(tmp_path / "gone")[-1] > first, pair)
    os.kill(workers(pair)[1], signal.SIGKILL)
    _, said = pair.communicate(timeout=60)
    assert ours(said) == [
        "error: another process of this run has died; go on with: python -m ddpm_spec.train --resume gone"
    ]

    pair = launch("--stps", "3", cwd=tmp_path, port=free_port())
    _, said = pair.communicate(timeout=120)
    assert ours(said) == ["error: there is no option --stps; did you mean --steps?"]
