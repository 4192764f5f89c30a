"""A disk that fills up, and what is never read: nothing saved is lost, nothing in a file is executed."""

import ast
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from small_run import FLAGS, finished, same

import ddpm_spec
from ddpm_spec.runs import checkpoints
from ddpm_spec.terminal.console import run_command
from ddpm_spec.training.commands import train

COMMAND = [sys.executable, "-m", "ddpm_spec.train"]


@pytest.fixture
def disk(tmp_path):
    """A file system of 64 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only the superuser may mount; a full disk is in test_checkpoints too")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.cli
def test_a_disk_that_fills_up_while_training(images, disk, tmp_path, capsys):
    run = disk / "run"
    process = subprocess.Popen(
        [*COMMAND, *FLAGS, "--run", "run", "--steps", "1000000"], cwd=disk, stderr=subprocess.PIPE, text=True
    )
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("run: "):
            while not checkpoints.steps_in(run):
                time.sleep(0.001)
            size = os.statvfs(disk)
            # The run goes on meanwhile, and may take what is free: then the disk is full too.
            with suppress(OSError):
                (disk / "ballast").write_bytes(bytes(size.f_bavail * size.f_frsize - 2**20))
    assert process.wait() == 2
    (error,) = [line for line in said if not line.startswith(("run: ", "note: ", "training: "))]
    assert "could not be saved in run (" in error
    newest = checkpoints.steps_in(run)[-1]
    assert f"the checkpoint of step {newest} is safe; free some disk and go on with --resume" in error
    (disk / "ballast").unlink()
    status = run_command(train, ["--resume", str(run), "--steps", str(newest + 2)])
    assert status == 0, capsys.readouterr().err
    made = finished(tmp_path / "straight", images, steps=newest + 2)
    assert same(checkpoints.read(checkpoints.latest(run), made.belongs_to), made.state())


def test_nothing_in_a_file_is_ever_executed():
    """No pickle in the package but torch's, restricted to tensors; numpy's stays off, as it is by default."""
    calls = 0
    for path in Path(ddpm_spec.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            function = ast.unparse(node.func)
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert not function.startswith(("pickle.", "joblib.", "marshal.", "shelve.")), path
            assert function.rpartition(".")[2] not in ("load_module", "unsafe_load"), path
            assert options.get("allow_pickle") in (None, "False"), path
            if function == "torch.load":
                calls += 1
                assert options["weights_only"] == "True", path
    assert calls <= 1
