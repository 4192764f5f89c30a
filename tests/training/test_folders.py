"""Runs on folders of image files: what is said of the files, and when."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_run import FLAGS

from ddpm_spec.data import cache
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation import features
from ddpm_spec.evaluation.commands import evaluate
from ddpm_spec.evaluation.model import _loaded
from ddpm_spec.training.commands import train

RANDOM = np.random.default_rng(0)


def write(place: Path, count: int, side: int = 8) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.fromarray(RANDOM.integers(0, 256, (side, side), np.uint8)).save(place / f"{i}.png")


@pytest.fixture
def flags(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(features, "UPDATES", 20)
    _loaded.cache_clear()  # the name of the folder is the same in every test
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
    out, err = capsys.readouterr()
    assert "note: set/train: 8 found, 6 used" in err
    assert f"Left out of set/train: {left_out}." in " ".join(out.split())
    files = json.loads(Path("run/evaluation/results.json").read_text())["files"]
    assert files == taken


@pytest.mark.parametrize(
    ("train_part", "why"),
    [
        ({"a": 12}, "all training images are of one class"),
        ({"a": 4, "b": 4}, "no class has more than 4 training images, and the classifier needs 5 of one"),
        ({"a": 12, "b": 1}, "a class has 1 training image, and the classifier needs 2 of each"),
    ],
)
def test_classes_that_no_classifier_can_be_trained_on(flags, capsys, train_part, why):
    for part, classes in (("train", train_part), ("test", {"a": 4})):
        for name, count in classes.items():
            write(Path("set") / part / name, count)
    train(flags)
    out, err = capsys.readouterr()
    assert f"note: the samples will not be judged: {why}\n" in err
    assert err.index("judged") < err.index("training:")
    assert f"The samples are not judged: {why}." in " ".join(out.split())
    evaluated_unjudged(why, capsys)


def evaluated_unjudged(why: str, capsys) -> None:
    """The evaluation says why there are no figures, too."""
    evaluate(["run", "--samples", "4", "--images", "2", "--device", "cpu", "--weights", "ema"])
    out, err = capsys.readouterr()
    assert f"note: the samples will not be judged: {why}\n" in err
    assert f"The samples are not judged: {why}." in " ".join(out.split())
    assert json.loads(Path("run/evaluation/results.json").read_text())["weights"]["ema"]["quality"] == {
        "samples": 4
    }


@pytest.mark.parametrize("copies", [2, 3])
def test_held_out_images_that_are_training_images_are_no_measure(flags, capsys, copies):
    """The median distance of 3 in 4 is 0, of 2 in 4 it is not."""
    for name in ("a", "b"):
        write(Path("set/train") / name, 8)
        write(Path("set/test") / name, 2)
    for file in ("a/0", "a/1", "b/0")[:copies]:
        shutil.copy(f"set/train/{file}.png", f"set/test/{file}.png")
    train(flags)
    out, err = capsys.readouterr()
    said = f"{copies} of the 4 held-out images are training images too, in every pixel: what is measured on"
    assert f"note: {said}" in err
    assert err.index("in every pixel") < err.index("training:")
    assert f" {said} these says nothing of new images." in " ".join(out.split())
    if copies == 3:
        why = "most held-out images are training images too, so that they are no measure"
        assert f"The samples are not judged: {why}." in " ".join(out.split())
        evaluated_unjudged(why, capsys)
    else:
        assert 0 < json.loads(Path("run/report.json").read_text())["figures"]["this model"]["novelty"] < 1e3


def test_a_size_that_the_memory_cannot_hold_is_refused_before_all_is_decoded(flags, monkeypatch):
    for part in ("train", "test"):
        write(Path("set") / part, 6)
    monkeypatch.setattr(cache, "kept", None)
    with pytest.raises(InputError, match=r"^at least [\d,.]+ GB of memory are needed for .*; lower "):
        train([*flags, "--image-size", "65536"])


def test_a_side_that_cannot_be_halved_is_refused_before_all_is_decoded(flags, monkeypatch):
    for part in ("train", "test"):
        write(Path("set") / part, 3, side=31)
    monkeypatch.setattr(cache, "kept", None)
    with pytest.raises(InputError, match="31"):
        train(flags)


@pytest.mark.filterwarnings("error:Got `batch_size` less than 1 or larger")
def test_held_out_images_without_classes(flags, capsys):
    for name in "ab":
        write(Path("set/train") / name, 8)
    write(Path("set/test"), 6)
    train(flags)
    assert json.loads(Path("run/report.json").read_text())["figures"]
    evaluate(["run", "--samples", "4", "--images", "2", "--device", "cpu", "--weights", "ema"])
    assert "names" not in capsys.readouterr().out
    reference = json.loads(Path("run/evaluation/results.json").read_text())["reference"]
    assert reference["classifier_accuracy"] is None
