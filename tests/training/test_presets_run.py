"""A preset, other images and tiny overrides, from the command line to samples and report."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddpm_spec.runs import checkpoints
from ddpm_spec.terminal.console import run_command
from ddpm_spec.training.commands import train

WORDS = """
--channels 8 --groups 4 --blocks 1 --attention 4 --T 6 --batch 4 --warmup 1 --save-every 2 --sample-every 0
--samples 5 --bound-images 2 --sample-batch 4 --device cpu --dtype float32 --threads 1
"""
TINY = WORDS.split()


def pictures(folder: Path, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for i in range(count):
        # Not square, not of the preset's size: they are cropped and resized.
        pixels = random.integers(0, 256, (40, 36 + i, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.jpg")


def test_cifar10_on_a_folder_of_images(tmp_path, monkeypatch, capsys):
    pictures(tmp_path / "set" / "train", 6, 0)
    pictures(tmp_path / "set" / "test", 3, 1)
    words = ["--preset", "cifar10", "--data", "folder", "--path", "set", "--cache", "cache", *TINY]
    monkeypatch.chdir(tmp_path)
    status = run_command(train, [*words, "--steps", "3"])
    said = capsys.readouterr()
    assert status == 0, said.err
    folder = Path("runs", "cifar10-1")
    assert checkpoints.steps_in(folder) == [2, 3]
    assert Image.open(folder / "samples.png").mode == "RGB"
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["source"]["image_size"] == 32
    assert settings["network"]["multipliers"] == [1, 2, 2, 2]
    assert json.loads((folder / "report.json").read_text())["bound"]["images"] == 2
    assert "ddpm_spec.evaluate measures it" in " ".join(said.out.split())
    assert Path("cache").is_dir()

    # Without the cache the digest is another one, of the files: a run keeps to one.
    again = ["--resume", str(folder), "--steps", "5"]
    assert run_command(train, [*again, "--cache-gb", "0"]) == 2
    assert "the images of set are not those that" in capsys.readouterr().err
    pictures(tmp_path / "set" / "train" / "more", 1, 2)
    assert run_command(train, again) == 2
    refused = capsys.readouterr().err
    assert f"the images of set are not those that {folder}/checkpoint-3 was trained on; put them" in refused
    assert refused.splitlines()[-1].startswith("error: ")
    assert checkpoints.steps_in(folder) == [2, 3]


@pytest.mark.cli
def test_images_decoded_as_needed_train_the_same_weights(tmp_path, monkeypatch, capsys):
    pictures(tmp_path / "set" / "a", 6, 0)
    pictures(tmp_path / "set" / "b", 14, 1)
    words = ["--preset", "cifar10", "--data", "folder", "--path", "set", "--train-part", "", *TINY]
    words += ["--held-out-part", "", "--steps", "3", "--samples", "2", "--image-size", "16"]
    monkeypatch.chdir(tmp_path)
    for name, more in (("kept", ["--cache", "cache"]), ("decoded", ["--cache-gb", "0", "--workers", "2"])):
        assert run_command(train, [*words, "--run", name, *more]) == 0, capsys.readouterr().err
    assert "Exception" not in capsys.readouterr().err  # of a worker that ends
    kept, decoded = (
        (tmp_path / name / "checkpoint-3" / "raw.safetensors").read_bytes() for name in ("kept", "decoded")
    )
    assert kept == decoded


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


@pytest.mark.slow
@pytest.mark.cli
def test_fashion_mnist_on_few_images(tmp_path, monkeypatch, capsys):
    random = np.random.default_rng(0)
    for part, count in (("train", 60), ("t10k", 12)):
        images = random.integers(0, 256, (count, 28, 28), np.uint8)
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(np.arange(count, dtype=np.uint8) % 4))
    monkeypatch.chdir(tmp_path)
    words = ["--preset", "fashion-mnist", "--path", ".", *TINY, "--attention", "7", "--steps", "2"]
    assert run_command(train, words) == 0, capsys.readouterr().err
    folder = tmp_path / "runs" / "fashion-mnist-1"
    figures = json.loads((folder / "report.json").read_text())["figures"]
    assert set(figures) == {"this model", "a Gaussian a class", "kernel density", "held-out images"}
    said = " ".join(capsys.readouterr().out.split())
    assert "held-out images" in said
    assert "target" not in said  # those are of the digits
    assert "names the grey level" not in said  # nor is a bin many standard deviations wide
