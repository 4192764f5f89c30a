"""Runs on folders of image files: what is said of the files, and when."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_run import FLAGS

from ddpm_spec.evaluation.commands import evaluate
from ddpm_spec.training.commands import train

RANDOM = np.random.default_rng(0)


def write(place: Path, count: int, side: int = 8) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.fromarray(RANDOM.integers(0, 256, (side, side), np.uint8)).save(place / f"{i}.png")


@pytest.fixture
def flags(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    return [*FLAGS, "--data", "folder", "--path", "set", "--cache", "cache", "--grey", "--run", "run"]


def test_what_was_found_used_and_left_out_is_said_and_reported(flags, capsys):
    for part in ("train", "test"):
        write(Path("set") / part, 6)
    Path("set/train/x.heic").write_bytes(b"")
    Path("set/train/y.png").write_bytes(b"")
    train([*flags, "--skip-unreadable"])
    out, err = capsys.readouterr()
    left_out = (
        "1 whose suffix is of no image that Pillow reads (.heic 1); "
        "1 that cannot be read (set/train/y.png is no image that can be read)"
    )
    assert f"note: set/train: 8 found, 6 used; left out: {left_out}\n" in err
    assert "\nset/test: 6 found, 6 used\n" in err
    assert err.index("6 used") < err.index("training:")
    assert f"Left out of set/train: {left_out}." in " ".join(out.split())
    taken = json.loads(Path("run/report.json").read_text())["taken"]
    assert taken[0] == {"place": "set/train", "found": 8, "used": 6, "left_out": left_out.split("; ")}
    assert "Left out of set/train" in Path("run/report.html").read_text()
    evaluate(["run", "--samples", "2", "--images", "2", "--device", "cpu"])
    assert "note: set/train: 8 found, 6 used" in capsys.readouterr().err
