"""Checkpoints are complete or absent: killed, full, damaged or foreign."""

import json
import os
import re
import resource
import shutil

import pytest
import torch
from small_run import same, trainer

from ddpm_spec.errors import InputError
from ddpm_spec.runs import checkpoints
from ddpm_spec.runs.checkpoints import Checkpoint


def tiny(step: int) -> Checkpoint:
    x = torch.full((3, 2), float(step))
    return Checkpoint(step, {"w": x}, {"w": x + 1}, {"exp_avg.w": x + 2}, torch.ones(step), {"data": "a"}, {})


def test_what_is_written_is_read(tmp_path):
    checkpoints.write(tmp_path, tiny(4))
    assert same(checkpoints.read(checkpoints.latest(tmp_path), {"data": "a"}), tiny(4))


def test_the_newest_two_are_kept(tmp_path):
    for step in (9, 10, 11):
        checkpoints.write(tmp_path, tiny(step))
    assert checkpoints.steps_in(tmp_path) == [10, 11]
    assert {p.name for p in tmp_path.iterdir()} == {"checkpoint-10", "checkpoint-11"}


# Five flushes (three files, the state, the folder), the rename, one flush of the run, then removals.
STAGES = [("flush", n) for n in range(1, 7)] + [("save_file", 2), ("shutil.rmtree", 2)]


@pytest.mark.parametrize(("function", "call"), STAGES)
def test_killed_while_saving_a_good_checkpoint_survives(tmp_path, monkeypatch, function, call):
    """A process of its own dies without any cleaning up, at every stage of the third save."""
    for step in (1, 2):
        checkpoints.write(tmp_path, tiny(step))
    child = os.fork()
    if child == 0:
        module = checkpoints
        for part in function.split(".")[:-1]:
            module = getattr(module, part)
        name = function.rpartition(".")[2]
        real, calls = getattr(module, name), iter(range(1, 100))

        def die_at_the_call(path, *more, **options):
            if next(calls) != call:
                return real(path, *more, **options)
            if name == "rmtree":  # half-way through the removal
                next(path.glob("*.json")).unlink()
            os._exit(9)

        setattr(module, name, die_at_the_call)
        try:
            checkpoints.write(tmp_path, tiny(3))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9
    newest = checkpoints.latest(tmp_path)
    step = int(newest.name.rpartition("-")[2])
    assert step == (3 if (function, call) in {("flush", 6), ("shutil.rmtree", 2)} else 2)
    for whole in checkpoints.steps_in(tmp_path):
        assert same(checkpoints.read(tmp_path / f"checkpoint-{whole}", {"data": "a"}), tiny(whole))
    checkpoints.write(tmp_path, tiny(4))  # and the next save goes on, and clears what was left behind
    assert checkpoints.latest(tmp_path).name == "checkpoint-4"
    assert not list(tmp_path.glob(".checkpoint-*"))


def test_a_full_disk_loses_nothing(tmp_path):
    """The kernel refuses the write, as it does on a full disk."""
    checkpoints.write(tmp_path, tiny(1))
    big = {"w": torch.zeros(100_000)}
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            checkpoints.write(tmp_path, Checkpoint(2, big, big, {}, torch.ones(2), {"data": "a"}, {}))
        except InputError as error:
            os._exit(7 if "checkpoint of step 1 is safe" in str(error) and "\n" not in str(error) else 8)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert {p.name for p in tmp_path.iterdir()} == {"checkpoint-1"}
    assert same(checkpoints.read(checkpoints.latest(tmp_path), {"data": "a"}), tiny(1))


def test_no_room_is_seen_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 2**20))
    with pytest.raises(InputError, match=r"16 MB needed, 1 MB free; free some, or .* --run"):
        checkpoints.reserve(tmp_path / "not" / "yet", torch.nn.Linear(100, 100))


@pytest.mark.parametrize("name", ["ema.safetensors", "raw.safetensors", "resume.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "remove"])
def test_damage_is_named_with_a_way_out(tmp_path, name, damage):
    checkpoints.write(tmp_path, tiny(1))
    newest = checkpoints.write(tmp_path, tiny(2))
    path = newest / name
    content = bytearray(path.read_bytes())
    if damage == "truncate":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[-2] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()
    with pytest.raises(InputError, match=r"checkpoint-2 is damaged .*; remove that folder .* checkpoint-1$"):
        checkpoints.read(newest, {"data": "a"})
    shutil.rmtree(newest)
    assert same(checkpoints.read(checkpoints.latest(tmp_path), {"data": "a"}), tiny(1))


def test_damage_to_the_only_one(tmp_path):
    only = checkpoints.write(tmp_path, tiny(1))
    (only / "state.json").write_text("{}")
    with pytest.raises(InputError, match="restore it from a copy, or start a new run"):
        checkpoints.read(only, {"data": "a"})


def test_another_runs_checkpoint_is_refused(tmp_path, images):
    made = trainer(images)
    folder = checkpoints.write(tmp_path, made.state())
    for key, other in (("channels", 16), ("lr", 0.5), ("T", 9), ("seed", 0)):
        assert key in made.belongs_to
        with pytest.raises(InputError, match=f"was made with {key} .*another run's"):
            checkpoints.read(folder, made.belongs_to | {key: other})
    with pytest.raises(InputError, match=f"^the images of f1 are not those that {folder} was trained on"):
        checkpoints.read(folder, made.belongs_to | {"data": "0" * 64}, "f1")


def test_a_setting_that_a_checkpoint_does_not_name_had_its_default(tmp_path, images):
    """It is newer than the checkpoint."""
    made = trainer(images)
    folder = checkpoints.write(tmp_path, made.state())
    state = json.loads((folder / "state.json").read_text())
    for name in ("T", "multipliers"):
        del state["belongs_to"][name]
    (folder / "state.json").write_text(json.dumps(state))
    default = {"T": 1000, "multipliers": [1, 3]}
    assert same(checkpoints.read(folder, made.belongs_to | default), made.state())
    for name, value in default.items():
        with pytest.raises(InputError, match=re.escape(f"was made with {name} {value}")):
            checkpoints.read(folder, made.belongs_to | default | {name: made.belongs_to[name]})


def test_another_format_is_refused(tmp_path):
    folder = checkpoints.write(tmp_path, tiny(1))
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | {"format": 99}))
    with pytest.raises(InputError, match="format 99"):
        checkpoints.read(folder, {"data": "a"})


def test_a_folder_without_checkpoint(tmp_path):
    with pytest.raises(InputError, match="holds no checkpoint"):
        checkpoints.latest(tmp_path)


def test_weights_of_another_network_are_refused(tmp_path):
    folder = checkpoints.write(tmp_path, tiny(1))
    with pytest.raises(InputError, match="does not fit the network"):
        checkpoints.fill(torch.nn.Linear(2, 2), folder, "ema")
