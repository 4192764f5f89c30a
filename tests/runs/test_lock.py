"""A run has one writer; whoever only reads it needs no lock, and a lock that was left behind holds nobody."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from small_run import FLAGS

from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.sampling import sample
from ddpm_spec.runs import checkpoints, lock
from ddpm_spec.terminal.console import run_command
from ddpm_spec.training.commands import train

HOLD = """
import sys
from pathlib import Path
from ddpm_spec.runs.lock import writing
with writing(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that trains in the folder."""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], env=os.environ | {"PYTHONPATH": str(root)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_writer_is_refused_and_told_of_the_first(tmp_path, holder):
    with pytest.raises(InputError) as refusal, lock.writing(tmp_path):
        pass
    said = (
        f"{tmp_path} is being trained by process {holder.pid}; wait for its end, or stop it with Ctrl-C there"
    )
    assert str(refusal.value) == said


def test_the_other_machine_is_named(tmp_path, holder):
    (tmp_path / lock.WRITER).write_text(json.dumps({"pid": 7, "host": "elsewhere"}))
    with pytest.raises(InputError, match="is being trained by process 7 on elsewhere; wait"):
        lock.writing(tmp_path).__enter__()
    assert socket.gethostname() != "elsewhere"


@pytest.mark.parametrize("note", ["", "[]", '{"pid": "x"}', None])
def test_a_note_that_cannot_be_read_refuses_all_the_same(tmp_path, holder, note):
    path = tmp_path / lock.WRITER
    path.unlink() if note is None else path.write_text(note)
    with pytest.raises(InputError, match="is being trained by another process; wait"):
        lock.writing(tmp_path).__enter__()


def test_a_killed_writer_holds_nobody(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / lock.WRITER).exists()
    with lock.writing(tmp_path):
        assert json.loads((tmp_path / lock.WRITER).read_text())["pid"] == os.getpid()
    assert not (tmp_path / lock.WRITER).exists()


def test_it_is_let_go_at_the_end_and_after_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), lock.writing(tmp_path):
            raise ZeroDivisionError
    with lock.writing(tmp_path), pytest.raises(InputError), lock.writing(tmp_path):
        pass


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def refused(self):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(lock.FileLock, "acquire", refused)
    with pytest.raises(InputError, match=r"cannot be written \(Read-only file system\); make it writable"):
        lock.writing(tmp_path).__enter__()


def test_a_disk_without_locks_is_told_of(tmp_path, monkeypatch, capsys):
    def unknown(self):
        raise NotImplementedError

    monkeypatch.setattr(lock.FileLock, "acquire", unknown)
    with lock.writing(tmp_path):
        pass
    assert "knows no locks; make sure that nothing else trains there" in capsys.readouterr().err


def test_training_holds_it_and_sampling_needs_none(tmp_path, capsys):
    run = tmp_path / "run"
    assert run_command(train, [*FLAGS, "--run", str(run)]) == 0
    before = checkpoints.steps_in(run)
    with lock.writing(run):
        capsys.readouterr()
        assert run_command(train, ["--resume", str(run), "--steps", "9"]) == 2
        assert f"is being trained by process {os.getpid()}; wait" in capsys.readouterr().err
        assert run_command(sample, [str(run), "-n", "2", "--out", str(tmp_path / "drawn")]) == 0
    assert checkpoints.steps_in(run) == before
    assert run_command(train, ["--resume", str(run), "--steps", "9"]) == 0
    assert checkpoints.steps_in(run)[-1] == 9


def test_training_keeps_others_out_until_its_report_is_written(tmp_path, monkeypatch):
    """What the loop and the report do is done under the lock."""
    from ddpm_spec.training import commands

    held = []

    def spy(function):
        def wrapped(*args, **kwargs):
            with pytest.raises(InputError, match="is being trained by"):
                lock.writing(tmp_path / "run").__enter__()
            held.append(function.__name__)
            return function(*args, **kwargs)

        return wrapped

    monkeypatch.setattr(commands, "_fit", spy(commands._fit))
    monkeypatch.setattr(commands.report, "write", spy(commands.report.write))
    assert run_command(train, [*FLAGS, "--run", str(tmp_path / "run")]) == 0
    assert held == ["_fit", "write"]
