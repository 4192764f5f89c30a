"""The script for a GPU, tried on a CPU: its parts on the smallest networks, and how they are kept."""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import torch
from bare import bare

from ddpm_spec.benchmark.contestants import Plan
from ddpm_spec.benchmark.gpu import command, exactness, large, learning, sizes, speed
from ddpm_spec.benchmark.gpu.command import Part
from ddpm_spec.benchmark.gpu.plain import Plain
from ddpm_spec.data import Images
from ddpm_spec.diffusion import Diffusion
from ddpm_spec.errors import InputError
from ddpm_spec.machine.accelerator import accelerator_for, resolved
from ddpm_spec.noise import normal, row_keys
from ddpm_spec.oracles.mixture import lattice
from ddpm_spec.schedule import linear_schedule
from ddpm_spec.training.loop import Trainer

CPU = torch.device("cpu")
TINY = sizes.tiny("cpu")


# ------------------------------------------------------------------------------------------- what is run


def test_the_networks_are_those_of_the_presets():
    full = sizes.full()
    for plan, millions in (
        (full.speed, 35.7),
        (full.exactness, 35.7),
        (full.learning, 35.7),
        (full.large, 113.7),
    ):
        settings = plan.settings()
        settings.check()
        with torch.device("meta"):
            network = settings.unet(*plan.image_shape[:2])
        assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == millions
    assert full.speed.batch == full.speed.settings().training.batch == 128
    assert full.speed.drawn == 256


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_stand_in_trains_as_accelerate_does(dtype):
    """Bit for bit."""
    plan = replace(TINY.speed, dtype=dtype)
    images = Images("noise", 256, torch.randint(256, (8, 1, 8, 8), dtype=torch.uint8), torch.empty(0))
    made = []
    for accelerator in (Plain(CPU, reduced=dtype == "bfloat16"), accelerator_for(plan.settings())):
        trainer = Trainer(resolved(plan.settings(), accelerator.device), images, accelerator)
        for _ in range(3):
            trainer.update()
        made.append(trainer)
    ours, theirs = made
    assert ours.losses.equal(theirs.losses)
    assert all(p.equal(q) for p, q in zip(ours.parameters, theirs.parameters, strict=True))


def test_samples_are_measured_in_full_where_that_is_quick(monkeypatch):
    monkeypatch.setattr(speed, "_theirs", lambda *_: ({}, []))
    whole = Plan.settings
    monkeypatch.setattr(
        Plan, "settings", lambda self: replace(s := whole(self), process=replace(s.process, T=3))
    )
    for below, measured in ((60.0, True), (0.0, False)):
        found = speed.speed(replace(TINY, whole_below=below), CPU, compiled=False, graphs=False)
        assert found["samples"]["measured"] is measured
        assert found["samples"]["T"] == 3
        assert ("measured" if measured else "computed from 2 steps") in found["said"][-1]
    assert found["samples"]["seconds"] == pytest.approx(found["rows"][1]["ours"]["seconds"]["median"] * 3 / 2)
    json.dumps(found)


def test_where_diffusers_fails_ours_still_counts(monkeypatch):
    def broken(*_):
        raise RuntimeError("no kernel\nand a long trace")

    monkeypatch.setattr(speed, "theirs", broken)
    assert speed._theirs(TINY.speed, argparse.Namespace(trainer=argparse.Namespace(network=None))) == (
        {}, ["diffusers failed: RuntimeError: no kernel"],
    )  # fmt: skip


def test_a_share_of_the_data_sheet_is_for_one_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200 NVL")
    row = {
        "what": "training", "processes": 2, "peak_bytes": 2**31,
        "ours": {"share_of_fastest": 0.5, "images_per_second": 7000.0},
        "yardstick": {"what": "product", "flops_per_second": 1.67e15},
    }  # fmt: skip
    sheet = speed.of_data_sheet(row, torch.device("cuda"))
    assert sheet == {"gpu": "NVIDIA H200 NVL", "flops_per_second": 835e12, "share": pytest.approx(0.5)}
    (line,) = speed.lines(row | {"data_sheet": sheet})
    assert "7,000 images/s" in line
    assert "50% of 835, the data sheet's for NVIDIA H200 NVL" in line
    assert "2.0 GB" in line
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    assert speed.of_data_sheet(row, torch.device("cuda"))["flops_per_second"] == 989e12
    assert speed.of_data_sheet(row, CPU) is None


# --------------------------------------------------------------------------------- against the CPU's


def test_on_one_machine_everything_is_equal():
    found = exactness.exactness(TINY, CPU)
    assert found["holds"]
    assert len(found["said"]) == 5
    assert all(line.startswith("holds") for line in found["said"])


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("bits", lambda x: x ^ 1),
        ("uniform", lambda x: torch.nextafter(x, x + 1)),
        ("normal", lambda x: torch.nextafter(x, x + 1)),  # all of them
        ("normal", lambda x: x.index_put((torch.tensor(3), torch.tensor(5)), torch.tensor(0.5))),  # by much
        ("dropout_by_keys", lambda x: x.flip(0)),
    ],
)
def test_other_random_numbers_are_noticed(monkeypatch, name, changed):
    """On the second machine, which is asked after the CPU."""
    right, calls = getattr(exactness, name), []

    def wrong(*arguments):
        calls.append(name)
        return changed(right(*arguments)) if len(calls) == 2 else right(*arguments)

    monkeypatch.setattr(exactness, name, wrong)
    assert not exactness.random_numbers(CPU)["holds"]
    assert len(calls) == 2


def test_a_normal_number_may_differ_in_its_last_bit(monkeypatch):
    calls = []

    def other(keys, shape):
        calls.append(1)
        x = normal(keys, shape)
        if len(calls) == 2:
            x[3, 5] = torch.nextafter(x[3, 5], torch.tensor(9.0))
        return x

    monkeypatch.setattr(exactness, "normal", other)
    found = exactness.random_numbers(CPU)
    assert found["holds"]
    assert found["differing_normals"] == 1


@pytest.mark.parametrize(
    ("dtype", "off"), [(torch.float32, 1e-3), (torch.float64, 1e-9)], ids=["float32", "float64"]
)
def test_another_gradient_is_noticed(monkeypatch, dtype, off):
    """As of a network that computes in TF32 (10 bits), or, in float64, in float32."""
    right, calls = exactness._gradient, []

    def wrong(*arguments):
        calls.append(1)
        loss, gradient = right(*arguments)
        signs = 1 - 2 * (torch.arange(len(gradient)).double() % 2)
        return loss, gradient * (1 + off * signs) if len(calls) == 2 else gradient

    assert exactness.gradients(TINY.exactness, CPU, dtype)["holds"]
    monkeypatch.setattr(exactness, "_gradient", wrong)
    assert not exactness.gradients(TINY.exactness, CPU, dtype)["holds"]


def test_other_sinusoids_and_another_optimizer_are_noticed(monkeypatch):
    right, calls = exactness.time_embedding, []

    def wrong(t, channels):
        calls.append(1)
        return right(t, channels) + (1e-5 if len(calls) == 2 else 0)

    monkeypatch.setattr(exactness, "time_embedding", wrong)
    assert not exactness.sinusoids(CPU)["holds"]
    made = []

    def other(parameters, lr, fused):
        made.append(1)
        return adam(parameters, lr=lr * (1.001 if len(made) == 2 else 1), fused=fused)

    adam = torch.optim.Adam
    assert exactness.adam(TINY.exactness, CPU)["holds"]
    monkeypatch.setattr(torch.optim, "Adam", other)
    assert not exactness.adam(TINY.exactness, CPU)["holds"]


# ---------------------------------------------------------------------------------------- two minutes


def test_the_exact_bound_is_that_of_the_model_with_the_exact_denoiser():
    """Eq. 5 as the model computes it, averaged over 600 draws of x_t a picture."""
    schedule = linear_schedule(4, 0.1, 0.5)
    pictures = learning.three_pictures(4).held_out
    unit = pictures.double() * (2 / 255) - 1
    law = lattice(schedule, unit)
    assert law.reduced.D == 1  # on a line: the mean of two is the third
    x_0 = unit.repeat(600, 1, 1, 1)
    places = torch.arange(len(x_0))
    terms = Diffusion(schedule).bound(
        law.eps, x_0, 256, lambda t: normal(row_keys(0, "bound", t, places), (1, 4, 4))
    )
    bits = terms.total / 16 / torch.log(torch.tensor(2.0, dtype=torch.float64))
    by_picture = bits.reshape(600, 3)
    error = by_picture.std(dim=0).square().sum().sqrt() / 3 / 600**0.5
    exact = learning.exact_bound(pictures, 256, schedule)
    assert abs(bits.mean() - exact) < 4 * error
    assert error < 0.02 * exact


def test_it_learns_and_writes_what_it_has_drawn(monkeypatch, tmp_path):
    found = learning.learning(TINY, CPU, tmp_path, None)
    assert (tmp_path / "samples.png").exists()
    assert found["updates"] > 1
    assert found["exact"] < found["bits_per_dim"]
    json.dumps(found)
    monkeypatch.setattr(learning, "find_spec", lambda name: None)
    assert learning._written(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), 256, tmp_path) == "samples.npy"
    assert (tmp_path / "samples.npy").exists()


def test_clothes_get_a_black_frame():
    images = Images("clothes", 256, torch.full((2, 1, 3, 3), 9), torch.full((1, 1, 3, 3), 8))
    framed = learning.framed(images, 6)
    assert framed.shape == (1, 6, 6)
    assert framed.train[0, 0, 1:4, 1:4].eq(9).all()
    assert framed.train.sum() == 2 * 81
    assert framed.held_out.sum() == 72
    with pytest.raises(InputError, match="at most 2"):
        learning.framed(images, 2)


# -------------------------------------------------------------------------------------- what fits


def test_the_batch_is_doubled_until_memory_ends(monkeypatch):
    tried, freed = [], []
    monkeypatch.setattr(large, "free", lambda: freed.append(len(tried)))

    def needs(batch: int, limit: int = 40) -> float:
        tried.append(batch)
        if batch > limit:
            raise torch.OutOfMemoryError
        return batch / 100

    assert large.doubled(4, 4096, 9.0, needs) == (32, 0.32, "64 does not fit")
    assert tried == [4, 8, 16, 32, 64]
    assert freed == [0, 1, 2, 3, 4]
    assert large.doubled(4, 16, 9.0, needs) == (16, 0.16, "the last to be tried")
    assert large.doubled(4, 4096, 0.1, needs).batch == 16
    assert large.doubled(64, 4096, 9.0, needs) is None


# ------------------------------------------------------------------------------- how it is kept


class Parts:
    """Three parts, of which the second fails as often as is asked."""

    def __init__(self, failures: int) -> None:
        self.failures, self.ran = failures, []

    def __call__(self, *_: object) -> dict[str, Part]:
        return {name: Part(60.0, lambda name=name: self.found(name)) for name in ("one", "two", "three")}

    def found(self, name: str) -> dict[str, object]:
        self.ran.append(name)
        if name == "two" and self.ran.count("two") <= self.failures:
            raise RuntimeError("no such kernel\nlong trace")
        return {"said": [f"found {name}"]}


def test_a_finished_part_is_not_run_again_and_a_failed_one_is(monkeypatch, tmp_path, capsys):
    made = Parts(failures=1)
    monkeypatch.setattr(command, "parts", made)
    words = ["--gpu", "--out", str(tmp_path / "out")]
    assert command.main(words) == 1
    said = capsys.readouterr().out
    assert "failed: RuntimeError: no such kernel\n" in said
    assert "found three" in said
    assert set(json.loads((tmp_path / "out" / "gpu.json").read_text())["parts"]) == {"one", "three"}
    assert command.main(words) == 0
    assert made.ran == ["one", "two", "three", "two"]
    said = capsys.readouterr().out
    assert said.index("found one") < said.index("(of an earlier run)") < said.index("found two")
    record = json.loads((tmp_path / "out" / "gpu.json").read_text())
    assert {"format", "surroundings", "parts"} == record.keys()
    assert record["surroundings"]["tiny"] is True
    assert record["parts"]["two"]["said"] == ["found two"]
    assert abs(date.today() - date.fromisoformat(record["parts"]["two"]["date"])) <= timedelta(days=1)


def test_what_is_finished_is_in_the_file_before_the_next_part_begins(monkeypatch, tmp_path):
    made = Parts(failures=0)
    seen = []
    found = made.found

    def look(name: str) -> dict[str, object]:
        file = tmp_path / "gpu.json"
        seen.append(sorted(json.loads(file.read_text())["parts"]) if file.exists() else [])
        return found(name)

    made.found = look
    monkeypatch.setattr(command, "parts", made)
    assert command.main(["--gpu", "--out", str(tmp_path)]) == 0
    assert seen == [[], ["one"], ["one", "two"]]


def test_a_part_that_would_take_too_long_is_skipped_and_said():
    record = {"parts": {}}
    part = Part(60.0, dict)
    assert command._skipped("one", part, record, left=61.0, expected=60.0) == ""
    assert "about 60 s, and 59 are left" in command._skipped("one", part, record, left=59.0, expected=60.0)


def test_no_time_is_no_part(monkeypatch, tmp_path, capsys):
    made = Parts(failures=0)
    monkeypatch.setattr(command, "parts", made)
    assert command.main(["--gpu", "--minutes", "0", "--out", str(tmp_path)]) == 0
    assert made.ran == []
    assert capsys.readouterr().out.count("skipped: it takes about") == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"format": 1, "surroundings": {"device": "NVIDIA H200"}, "parts": {}}', "another commit, .*device"),
        ('{"format": 0}', "another commit"),
        ("[]", "no record of this benchmark"),
        ("{", "no record of this benchmark"),
    ],
)
def test_a_record_of_something_else_is_refused(tmp_path, capsys, content, said):
    (tmp_path / "gpu.json").write_text(content)
    assert command.main(["--gpu", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "name another folder with --out" in error
    assert len(error.splitlines()) == 1
    assert re.search(said, error)
    assert (tmp_path / "gpu.json").read_text() == content


def test_the_parts_in_their_order():
    gpu = command.parts(replace(TINY, variants=sizes.VARIANTS), CPU, Path(), None)
    assert list(gpu) == [
        "CIFAR10's network, compiled",
        "CIFAR10's network, compiled, CUDA graphs",
        "CIFAR10's network, not compiled",
        "CIFAR10's network, not compiled, CUDA graphs",
        "random numbers and a training step, against the CPU",
        "two minutes of training",
        "the network for 256×256",
    ]
    assert [name for name, part in gpu.items() if not part.alone] == [
        "CIFAR10's network, compiled", "CIFAR10's network, not compiled",
    ]  # fmt: skip
    expected = command.parts(sizes.full(), CPU, Path(), None).values()
    assert sum(part.seconds for part in expected) <= 600


# ----------------------------------------------------------------------------- as a person starts it


@pytest.mark.slow
@pytest.mark.cli
def test_on_a_bare_machine_all_parts_run_and_are_kept(tmp_path):
    python, environment = bare(tmp_path)
    assert subprocess.run(
        [*python, "-c", "import accelerate"], env=environment, capture_output=True
    ).returncode
    words = [*python, "-m", "ddpm_spec.benchmark", "--gpu", "--out", "out"]
    for turn in (1, 2):
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("(of an earlier run)" in done.stdout) is (turn == 2)
    record = json.loads((tmp_path / "out" / "gpu.json").read_text())
    assert list(record["parts"]) == list(command.parts(TINY, CPU, Path(), None))
    assert record["surroundings"]["diffusers"] is None
    assert (tmp_path / "out" / "samples.npy").exists()


@pytest.mark.slow
@pytest.mark.cli
@pytest.mark.parametrize(
    "launcher",
    [
        ["torch.distributed.run", "--nproc-per-node", "2", "--master-port"],
        ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port"],
    ],
    ids=["torchrun", "accelerate"],
)
def test_two_processes_share_the_training(tmp_path, launcher):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    words = ["-m", "ddpm_spec.benchmark", "--gpu", "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", *launcher, port, *words], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((tmp_path / "out" / "gpu.json").read_text())
    assert record["surroundings"]["processes"] == 2
    (found,) = record["parts"].values()
    training = found["rows"][0]
    assert training["plan"]["batch"] == 8
    assert training["ours"]["images_per_second"] == pytest.approx(8 / training["ours"]["seconds"]["median"])
    assert done.stdout.count("skipped: it is for one process") == 3
    assert done.stdout.count("training:") == 1
