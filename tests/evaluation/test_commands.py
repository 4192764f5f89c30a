"""`python -m ddpm_spec.evaluate`: what it writes, what it refuses."""

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image
from small_run import SMALL

from ddpm_spec.data import Source, load
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation import features
from ddpm_spec.evaluation.commands import evaluate
from ddpm_spec.evaluation.measure import Measure
from ddpm_spec.evaluation.model import open_model, open_run
from ddpm_spec.evaluation.quality import frechet, vectors
from ddpm_spec.evaluation.report import assumption
from ddpm_spec.terminal.console import Interrupt


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made, tmp_path / "run")


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(features, "UPDATES", 50)


def results(run):
    return json.loads((run / "evaluation" / "results.json").read_text())


def test_everything_is_measured_and_says_where_from(run, capsys):
    evaluate([str(run)])
    found = results(run)
    state = json.loads((run / "checkpoint-7" / "state.json").read_text())
    assert found["origin"] == {"run": str(run), "checkpoint": "checkpoint-7", "step": 7}
    assert found["data_sha256"] == load("digits").digest
    assert {"commit", "torch", "processor", "cores"} <= set(found["provenance"])
    assert found["seed"] == 0
    assert found["seconds"] > 0
    out = capsys.readouterr().out
    for weights in ("ema", "raw"):
        said = found["weights"][weights]
        assert said["sha256"] == state["sha256"][f"{weights}.safetensors"]
        for split in ("train", "test"):
            for convention in ("paper", "official"):
                bound = said["bound"][split][convention]
                assert bound["images"] == 4
                assert f"{bound['total']:.4f} ± {bound['standard_error']:.4f}" in out
    assert "FID and IS are for colour images" in out
    curves = json.loads((run / "evaluation" / "curves.json").read_text())
    assert len(curves["raw"]["train"]["official"]["bits"]) == 8
    for name in ("bound.png", "samples-ema.png", "samples-raw.png"):
        assert (run / "evaluation" / name).stat().st_size > 100


@pytest.mark.slow
def test_bfloat16_is_asked_for_and_not_mixed_with_float32(run):
    words = [str(run), "--weights", "ema", "--device", "cpu"]
    settings = run / "settings.json"
    settings.write_text(settings.read_text().replace('"float32"', '"bfloat16"'))  # as it was trained
    evaluate(words)
    exact = results(run)["weights"]["ema"]["bound"]
    AcceleratorState._reset_state(reset_partial_state=True)  # another command, in truth
    evaluate([*words, "--dtype", "bfloat16"])
    assert results(run)["weights"]["ema"]["bound"] != exact
    AcceleratorState._reset_state(reset_partial_state=True)
    evaluate(words)
    assert results(run)["weights"]["ema"]["bound"] == exact


def test_distances_are_of_the_samples(run, images):
    evaluate([str(run), "--weights", "raw", "--seed", "5"])
    found = results(run)
    assert list(found["weights"]) == ["raw"]
    measure = Measure(open_run(run, "cpu"), run / "other", Interrupt(), 5, 5)
    samples = vectors(measure.samples("raw", 12))
    quality = found["weights"]["raw"]["quality"]
    expected = {
        "train": frechet(samples, vectors(images.train)),
        "test": frechet(samples, vectors(images.held_out)),
    }
    assert quality["pixel_frechet"] == pytest.approx(expected)
    assert quality["feature_frechet"]["train"] > found["reference"]["feature_frechet"]["train"] > 0


def test_a_second_call_gives_the_same_without_the_network(run, monkeypatch):
    evaluate([str(run), "--weights", "ema"])
    first = results(run)
    monkeypatch.setattr(torch.nn.Module, "__call__", None)
    evaluate([str(run), "--weights", "ema"])
    assert results(run) | {"seconds": 0, "provenance": 0} == first | {"seconds": 0, "provenance": 0}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--samples", "1"], r"--samples is 1; it must be from 2 to"),
        (["--images", "1"], r"--images is 1; it must be 0, for all, or at least 2"),
        (["--path", "nowhere"], r"^digits takes no --path; leave it away$"),
        (["--cache", "nowhere"], r"^digits takes no --cache; leave it away$"),
        (["--images", "298"], r"it must be at most 297: digits has 1500 train and 297 test images"),
        (["--images", "99999"], r"--images is 99999; it must be at most 297: digits has 1500 train and"),
        (["--T", "1"], r"--T is 1; it must be from 2 to"),
        (["--schedule", "constant"], r"it needs the two equal, say 0.01"),
        (["--batch", "0"], r"--batch is 0; it must be at least 1"),
        (["--preset", "digits"], r"is a run and knows its data; leave --preset away"),
        (["--sample", "3"], r"there is no option --sample; did you mean --samples\?"),
        (["--seed", str(2**32)], r"it must be from 0 to 4294967295"),
    ],
)
def test_bad_options_in_one_line(run, words, message):
    with pytest.raises(InputError, match=message) as caught:
        evaluate([str(run), *words])
    assert "\n" not in str(caught.value)


def test_what_is_no_model(tmp_path):
    with pytest.raises(InputError) as caught:
        evaluate([str(tmp_path / "nothing")])
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="is neither a run folder nor one of diffusers; give that of a run"):
        evaluate([str(tmp_path)])
    for name in ("digits-1", "digits-2"):
        (tmp_path / name).mkdir()
        SMALL.save(tmp_path / name / "settings.json")
    with pytest.raises(InputError, match=f"nor one of diffusers; did you mean {tmp_path}/digits-2\\?$"):
        evaluate([str(tmp_path)])
    SMALL.save(tmp_path / "settings.json")
    with pytest.raises(InputError, match="holds no checkpoint"):
        evaluate([str(tmp_path)])


def test_damaged_weights_and_other_data(run):
    file = run / "checkpoint-7" / "raw.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with pytest.raises(InputError, match="truncated or changed"):
        evaluate([str(run)])
    file.write_bytes(whole)
    state = run / "checkpoint-7" / "state.json"
    state.write_text(state.read_text().replace(load("digits").digest, "0" * 64))
    with pytest.raises(InputError, match="was trained on other images than digits holds now"):
        evaluate([str(run)])


def test_weights_without_a_run(run, tmp_path, monkeypatch):
    """Other people's weights need a preset for their images, and must fit them."""
    from ddpm_spec.interop.weights import OpenWeights
    from ddpm_spec.runs import presets

    monkeypatch.setitem(presets.PRESETS, "small", SMALL)
    network = open_run(run, "cpu").networks["ema"]
    opened = OpenWeights(network, SMALL.process, (1, 8, 8), {"weights": "theirs", "sha256": "ab" * 32})
    monkeypatch.setattr("ddpm_spec.interop.weights.open_weights", lambda argument: opened)
    with pytest.raises(InputError, match="name a preset with these"):
        open_model("theirs", None)
    monkeypatch.chdir(tmp_path)
    evaluate(["theirs", "--preset", "small"])
    found = json.loads((tmp_path / "evaluation-theirs" / "results.json").read_text())
    assert list(found["weights"]) == ["given"]
    assert found["weights"]["given"]["sha256"] == "ab" * 32
    evaluate([str(run), "--weights", "ema"])
    assert found["weights"]["given"]["bound"] == results(run)["weights"]["ema"]["bound"]
    other = OpenWeights(network, SMALL.process, (3, 32, 32), {"sha256": ""})
    monkeypatch.setattr("ddpm_spec.interop.weights.open_weights", lambda argument: other)
    with pytest.raises(InputError, match=r"makes images of 3×32×32, --preset small has 1×8×8"):
        open_model("theirs", "small")


@pytest.mark.parametrize("side", [6, 31])
def test_images_of_another_shape_are_refused_by_the_first_of_them(run, tmp_path, monkeypatch, side):
    """For weights and for a run: decoding them all may take an hour."""
    from ddpm_spec.interop.weights import OpenWeights
    from ddpm_spec.runs import presets

    for part in ("train", "test"):
        (tmp_path / "set" / part).mkdir(parents=True)
        Image.new("RGB", (side, side)).save(tmp_path / "set" / part / "0.png")
    source = Source(path=str(tmp_path / "set"), cache=str(tmp_path / "cache"))
    pictures = dataclasses.replace(SMALL, data="folder", source=source)
    monkeypatch.setitem(presets.PRESETS, "pictures", pictures)
    opened = OpenWeights(SMALL.unet(3, 8), SMALL.process, (3, 8, 8), {"sha256": ""})
    monkeypatch.setattr("ddpm_spec.interop.weights.open_weights", lambda argument: opened)
    monkeypatch.setattr("ddpm_spec.data.cache.kept", None)
    with pytest.raises(InputError, match=rf"^theirs makes images of 3×8×8, --preset pictures has 3×{side}×"):
        open_model("theirs", "pictures")
    pictures.save(run / "settings.json")
    with pytest.raises(
        InputError, match=rf"was trained on images of 1×8×8, but .*set has 3×{side}×{side} now"
    ):
        open_run(run, "cpu")


@pytest.fixture
def bare(run, monkeypatch):
    """Opens the run's network as somebody's weights, as `open_weights` gives a U-Net alone."""
    from ddpm_spec.interop.weights import OpenWeights, _published
    from ddpm_spec.runs import presets

    monkeypatch.setitem(presets.PRESETS, "small", SMALL)
    network = open_run(run, "cpu").networks["ema"]
    known = {"weights": "theirs", "sha256": "ab" * 32}

    def opens(assumed):
        process = _published(8) if "process" in assumed else SMALL.process
        opened = OpenWeights(network, process, (1, 8, 8), known | {"assumed": assumed})
        monkeypatch.setattr("ddpm_spec.interop.weights.open_weights", lambda argument: opened)

    return opens


SAID = (
    "--T 8 --schedule linear --beta-1 1e-4 --beta-T 0.02 --prediction eps --variance beta --convention paper"
)


def test_a_process_that_is_stated_is_measured(bare, run, tmp_path, capsys):
    bare(["process"])
    evaluate(["theirs", "--preset", "small", "--out", str(tmp_path / "out"), *SAID.split()])
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["process"] == dataclasses.asdict(SMALL.process)
    assert found["origin"]["assumed"] == []
    said = capsys.readouterr()
    assert "Assumed" not in said.out
    assert "published models" not in said.err
    evaluate([str(run), "--weights", "ema"])
    assert found["weights"]["given"]["bound"] == results(run)["weights"]["ema"]["bound"]
    assert results(run)["process"] == found["process"]


def test_what_is_assumed_of_a_process_is_said_on_the_screen_and_in_the_report(bare, tmp_path, capsys):
    bare(["image_size", "process"])
    evaluate(["theirs", "--preset", "small", "--out", str(tmp_path / "out"), "--T", "8"])
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    rest = ["schedule", "beta_1", "beta_T", "prediction", "variance", "convention"]
    assert found["origin"]["assumed"] == ["image_size", *rest]
    assert found["process"]["T"] == 8
    words = "schedule linear, beta_1 0.0001, beta_T 0.02, prediction eps, variance beta, convention official"
    way_out = "State what is right by --schedule, --beta-1, --beta-T, --prediction, --variance, --convention."
    said = capsys.readouterr()
    for text in (said.err, said.out):
        assert f"models: {words}, image_size. If" in " ".join(text.split())
        assert way_out in " ".join(text.split())


def test_a_whole_process_that_is_assumed(bare):
    bare(["process"])
    model = open_model("theirs", "small", device="cpu")
    text = assumption(model.name, model.origin, dataclasses.asdict(model.settings.process))
    assert text.startswith("theirs does not say for what it was trained.")
    assert "models: T 1000, schedule linear, " in text
    assert "by --T, --schedule, " in text
    assert assumption("run", {"run": "run"}, {}) == ""


@pytest.mark.parametrize(
    "option", ["--T", "--schedule", "--beta-1", "--beta-T", "--prediction", "--variance"]
)
def test_what_tells_its_process_is_told_none(bare, run, option):
    value = dict(zip(SAID.split()[::2], SAID.split()[1::2], strict=True))[option]
    with pytest.raises(InputError, match=f"is a run and knows its process; leave {option} away$"):
        evaluate([str(run), option, value])
    bare([])
    with pytest.raises(
        InputError, match=f"^theirs has a scheduler and knows its process; leave {option} away$"
    ):
        evaluate(["theirs", "--preset", "small", option, value])


def test_inceptions_file_is_looked_at_before_anything_is_sampled(run, tmp_path, monkeypatch):
    monkeypatch.setattr(Measure, "samples", None)
    with pytest.raises(InputError, match="--inception is /nope, which is no file; name one"):
        evaluate([str(run), "--inception", "/nope"])
    file = tmp_path / "weights.pth"
    file.write_bytes(b"others")
    with pytest.raises(InputError, match=r"FID and IS are for colour images .*; leave --inception away"):
        evaluate([str(run), "--inception", str(file)])
    monkeypatch.setattr("ddpm_spec.evaluation.results._suits_inception", lambda images: True)
    with pytest.raises(InputError, match=r"FID and IS (need torch-fidelity|mean nothing with other weights)"):
        evaluate([str(run), "--inception", str(file)])


@pytest.mark.cli
@pytest.mark.slow
def test_killed_and_called_again_is_the_same(run, tmp_path):
    """kill -9, as soon as something is saved; the second call must not notice."""
    words = [str(run), "--device", "cpu", "--batch", "2", "--samples", "60"]
    killed = subprocess.Popen([sys.executable, "-m", "ddpm_spec.evaluate", *words])
    while not (saved := list(run.rglob("rows-*.safetensors"))):
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert len(saved) < 60
    assert not (run / "evaluation" / "results.json").exists()
    evaluate(words)
    evaluate([*words, "--out", str(tmp_path / "whole")])
    whole = json.loads((tmp_path / "whole" / "results.json").read_text())
    assert results(run)["weights"] == whole["weights"]


@pytest.mark.cli
@pytest.mark.slow
def test_two_processes_measure_what_one_does(run, tmp_path):
    """Over gloo, each with its share of the batches; each sum in one order, by one thread."""
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    words = ["-m", "ddpm_spec.evaluate", str(run), "--device", "cpu", "--out"]
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    launch = [
        sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
        "--num_machines", "1", "--machine_rank", "0", "--main_process_ip", "127.0.0.1",
        "--main_process_port", port,
    ]  # fmt: skip
    for command, out in (([sys.executable, *words], "one"), ([*launch, *words], "two")):
        done = subprocess.run([*command, str(tmp_path / out)], env=alone, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    one, two = (json.loads((tmp_path / out / "results.json").read_text()) for out in ("one", "two"))
    assert two["provenance"]["processes"] == 2
    assert one["weights"] == two["weights"]
    assert one["reference"] == two["reference"]
