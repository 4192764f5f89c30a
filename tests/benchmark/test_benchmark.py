"""The benchmark measures what it says: the same network, in turn, and reports it whole."""

import copy
import functools
import json

import pytest
import torch
from foreign import wild

from ddpm_spec.benchmark import commands as command
from ddpm_spec.benchmark import races, yardstick
from ddpm_spec.benchmark.contestants import Ours, Plan
from ddpm_spec.benchmark.theirs import Theirs
from ddpm_spec.benchmark.timing import Spread, forward_flops, ratio, take_turns
from ddpm_spec.errors import InputError
from ddpm_spec.unet import UNet

SMALL = {
    "preset": "digits", "image_shape": (1, 8, 8), "batch": 4, "dtype": "float32", "compile": False,
    "device": "cpu", "sampling_steps": 3, "updates": 2,
}  # fmt: skip


def test_pieces_take_turns():
    calls: list[str] = []
    pieces = {name: (lambda name=name: calls.append(name)) for name in "abc"}
    seconds = take_turns(pieces, 2, torch.device("cpu"))
    assert "".join(calls) == "abcabc" + "abc" + "cba"
    assert {name: len(times) for name, times in seconds.items()} == {"a": 2, "b": 2, "c": 2}


def test_a_ratio_is_taken_within_each_round():
    spread = ratio([2.0, 30.0, 4.0], [1.0, 10.0, 4.0])
    assert spread == Spread(2.0, 1.5, 2.5)  # not the ratio of the medians, 4/4


def test_operations_are_counted():
    assert forward_flops(UNet(), (3, 32, 32)) / 2 == pytest.approx(6.22e9, rel=1e-3)  # multiply-adds


def test_both_start_with_the_same_network():
    plan = Plan(**SMALL)
    ours = Ours(plan)
    wild(ours.trainer.network)  # outputs that start at nearly 0 would say little
    theirs = Theirs(plan, ours.trainer.network)
    x, t = torch.randn(2, 1, 8, 8, dtype=torch.float64), torch.tensor([1, 900])
    with torch.no_grad():
        made = copy.deepcopy(ours.trainer.network).double()(x, t)
        expected = copy.deepcopy(theirs.model).double()(x, t - 1).sample
    assert (made - expected).abs().max() < 1e-12


def test_both_train_and_sample():
    plan = Plan(**SMALL)
    ours, theirs = Ours(plan), Theirs(plan)
    ours.trainer.step = 50  # the first update is one of size 0
    for contestant, network in ((ours, ours.trainer.network), (theirs, theirs.model)):
        before = [p.detach().clone() for p in network.parameters()]
        contestant.train()
        assert not any(p.equal(q) for p, q in zip(network.parameters(), before, strict=True))
    assert ours.sample().shape == (4, 1, 8, 8)
    assert theirs.sample().shape == (4, 8, 8, 1)


@pytest.fixture
def small_products(monkeypatch):
    monkeypatch.setitem(yardstick.SIDES, "cpu", (256,))


@pytest.mark.usefixtures("small_products")
def test_a_race_reports_both():
    training, sampling = races.race(SMALL, 2)
    assert (training["what"], sampling["what"]) == ("training", "sampling")
    for row in (training, sampling):
        for who in ("ours", "theirs"):
            assert 0 < row[who]["share_of_fastest"] < 1
            rate = row["flops_per_image"] * row[who]["images_per_second"]
            rate *= 1 if row is training else 1000 / 3  # its images/s are for 1,000 steps
            assert row[who]["share_of_fastest"] * row["yardstick"]["flops_per_second"] == pytest.approx(rate)
            assert row[who]["seconds"]["lower"] <= row[who]["seconds"]["median"]
        assert row["yardstick"]["what"].partition(" ")[0] in ("product", "3×3", "1×1")
        json.dumps(row)
    seconds = training["ours"]["seconds"]["median"]
    assert training["ours"]["images_per_second"] == pytest.approx(2 * 4 / seconds)
    seconds = sampling["ours"]["seconds"]["median"]
    assert sampling["ours"]["images_per_second"] == pytest.approx(4 / (seconds / 3 * 1000))


@pytest.mark.usefixtures("small_products")
def test_without_diffusers_ours_run_alone(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(races, "find_spec", lambda name: None)
    monkeypatch.setattr(races, "apart", lambda part: part())
    monkeypatch.setattr(command, "_diffusers", lambda: None)
    part = functools.partial(races.race, SMALL, 2)
    memory = functools.partial(races.training_memory, SMALL)
    monkeypatch.setattr(command, "_parts", lambda *_: {"small": part, "memory": memory})
    command.benchmark(["--rounds", "2", "--device", "cpu", "--out", str(tmp_path / "b.json")])
    said = capsys.readouterr()
    assert "diffusers is not installed" in said.err
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert [row["what"] for row in rows] == ["training", "sampling", "training"]
    for row in rows:
        assert "ours" in row
        assert not {"theirs", "speed"} & row.keys()
    (line,) = [line for line in said.out.splitlines() if "images/s at" in line]
    cells = [cell.strip() for cell in line.split("│")[1:-1]]
    assert cells[:2] == ["small", "sampling"]
    assert cells[3:5] == ["", ""]
    assert cells[2]
    assert cells[5]
    assert cells[6]


def test_the_races():
    cpu, gpu = command._parts(False, 2), command._parts(True, 2)
    assert list(cpu)[-1] == list(gpu)[-1] == "defaults (a dtype and layout effect)"
    assert cpu["CIFAR10 float32"].args[0]["batch"] == 8
    assert "256×256 bfloat16, compiled" in gpu
    for part in (*cpu.values(), *gpu.values()):
        settings = Plan(**part.args[0]).settings()
        settings.check()
        assert settings.training.accumulate == 1


@pytest.mark.slow
@pytest.mark.cli
def test_the_command(tmp_path, capsys):
    out = tmp_path / "b.json"
    command.benchmark(["--rounds", "2", "--device", "cpu", "--only", "digits", "--out", str(out)])
    report = json.loads(out.read_text())
    assert {"commit", "processor", "torch", "diffusers", "cores", "rows"} <= report.keys()
    assert [row["what"] for row in report["rows"]] == ["training", "sampling"]
    assert "besides" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rounds", "1"], "from 2 to"),
        (["--only", "nothing"], "must be part of a name"),
        (["--speed", "1"], "no option --speed"),
    ],
)
def test_bad_options(words, said):
    with pytest.raises(InputError, match=said):
        command.benchmark(words)
