"""`load`: what it opens, that it draws and measures what the commands do, and what it refuses."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.bound import held_out_bound, spread
from ddpm_spec.evaluation.loaded import load
from ddpm_spec.evaluation.sampling import sample
from ddpm_spec.interop.names import PORT, names
from ddpm_spec.runs.settings import Network, Settings
from ddpm_spec.terminal.console import run_command

OLDER = Path(__file__).parents[1] / "older/0.1.0"
"""A run and its exports, and what the commands of the build that made them drew and measured."""
EXPECTED = json.loads((OLDER / "expected/expected.json").read_text(encoding="utf-8"))["results"]


@pytest.fixture
def few(images):
    """The held-out images that were measured then."""
    return images.held_out[spread(4, len(images.held_out))]


# ------------------------------------------------------------------------------------------- what it gives


def test_a_run_says_what_it_is(made):
    model = load(made)
    assert (model.image_shape, model.levels) == ((1, 8, 8), 17)
    assert model.settings == Settings.load(made / "settings.json")
    assert model.diffusion.schedule.T == 8
    assert model.origin == {"run": str(made), "checkpoint": "checkpoint-7", "weights": "ema"}
    assert not model.network.training
    assert not any(p.requires_grad for p in model.network.parameters())


@pytest.mark.parametrize("weights", ["ema", "raw"])
def test_the_weights_are_those_asked_for(made, weights):
    state = load(made, weights=weights).network.state_dict()
    saved = load_file(made / f"checkpoint-7/{weights}.safetensors")
    assert state.keys() == saved.keys()
    assert all(state[name].equal(saved[name]) for name in saved)


def test_the_averaged_weights_are_the_default(made):
    assert load(made).sample(3).equal(load(made, weights="ema").sample(3))


def test_the_images_of_a_run_are_not_needed(made, tmp_path):
    copy = shutil.copytree(made, tmp_path / "copy")
    settings = Settings.load(copy / "settings.json")
    replace(settings, data="folder", source=replace(settings.source, path="/nowhere")).save(
        copy / "settings.json"
    )
    assert load(copy).sample(3).equal(load(made).sample(3))


# ------------------------------------------------------------------------------------------------- samples


def test_the_samples_are_those_that_an_earlier_command_drew():
    model = load(OLDER / "finished")
    drawn = model.sample(5, seed=7)
    assert drawn.dtype == torch.uint8
    assert (drawn.numpy() == np.load(OLDER / "expected/samples.npy")).all()
    by_ddim = model.sample(5, seed=7, steps=4, eta=0.5)
    assert (by_ddim.numpy() == np.load(OLDER / "expected/ddim.npy")).all()


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("", {}),
        ("--steps 3", {"steps": 3}),
        ("--steps 8 --batch 2", {"steps": 8, "batch": 2}),
        ("--steps 3 --eta 0", {"steps": 3, "eta": 0.0}),
        ("--eta 0.5", {"eta": 0.5}),
    ],
)
def test_the_samples_are_those_of_the_command(made, tmp_path, words, asked):
    out = tmp_path / "out"
    assert run_command(sample, [str(made), *f"-n 5 --seed 3 --out {out} {words}".split()]) == 0
    assert (load(made).sample(5, 3, **asked).numpy() == np.load(out / "samples.npy")).all()


@pytest.mark.slow
def test_a_run_in_bfloat16_is_sampled_in_it_and_measured_in_float32(made, tmp_path, few):
    copy = shutil.copytree(made, tmp_path / "copy")
    settings = copy / "settings.json"
    settings.write_text(settings.read_text().replace('"float32"', '"bfloat16"'))
    reduced, exact = load(copy), load(made)
    out = tmp_path / "out"
    assert run_command(sample, [str(copy), "-n", "64", "--out", str(out)]) == 0
    assert (reduced.sample(64).numpy() == np.load(out / "samples.npy")).all()
    assert not reduced.sample(64).equal(exact.sample(64))
    assert reduced.bound(few) == exact.bound(few)


# --------------------------------------------------------------------------------------------- the bound


@pytest.mark.parametrize("weights", ["ema", "raw"])
def test_the_bound_is_what_an_earlier_evaluation_measured(few, weights):
    expected = EXPECTED["finished"]["weights"][weights]["bound"]["test"]["paper"]
    found = load(OLDER / "finished", weights=weights).bound(few)
    assert vars(found) == pytest.approx(expected, rel=1e-4)


def test_the_batch_and_the_seed_of_the_bound(made, few):
    model = load(made)
    assert vars(model.bound(few, batch=3)) == pytest.approx(vars(model.bound(few)), rel=1e-4)
    assert model.bound(few, seed=1).total != model.bound(few).total


def test_anybodys_network_has_a_bound(made, few):
    """Any callable, with the defaults that `Loaded.bound` has."""
    model = load(made)
    asked = []

    def network(x_t, t):
        asked.append((len(x_t), x_t.dtype, t[0].item()))
        return model.network(x_t.float(), t)

    assert held_out_bound(network, model.diffusion, few, levels=17) == model.bound(few)
    assert asked == [(4, torch.float64, t) for t in range(1, 9)]


# ------------------------------------------------------------------------------- weights without a run


@pytest.mark.parametrize("name", ["export", "export-v"])
def test_a_folder_of_diffusers(few, name):
    model = load(OLDER / name)
    assert (model.image_shape, model.levels, model.settings) == ((1, 8, 8), 256, None)
    assert model.origin["layout"] == "diffusers"
    assert model.diffusion.prediction == ("v" if name == "export-v" else "eps")
    known = EXPECTED[name]["weights"]["given"]["bound"]["test"]["paper"]
    assert vars(replace(model, levels=17).bound(few)) == pytest.approx(known, rel=1e-4)


def test_an_export_draws_what_its_run_draws():
    exported = replace(load(OLDER / "export"), levels=17)
    assert exported.sample(5, 7).equal(load(OLDER / "finished").sample(5, 7))


def test_a_file_of_the_ports(tmp_path):
    network = Settings(network=Network(channels=32, blocks=1, attention=(16,), groups=32)).unet(1, 16)
    theirs = names(network, PORT)
    save_file(
        {theirs[name]: tensor for name, tensor in network.state_dict().items()}, tmp_path / "w.safetensors"
    )
    model = load(str(tmp_path / "w.safetensors"))
    assert (model.image_shape, model.levels) == ((1, 16, 16), 256)
    assert model.diffusion.schedule.T == 1000
    assert "process" in model.origin["assumed"]
    assert model.sample(1, steps=2).shape == (1, 1, 16, 16)


# ------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"n": 0}, "n is 0; it must be from 1 to 10000000"),
        ({"n": 1, "batch": 0}, "batch is 0; it must be at least 1"),
        ({"n": 1, "seed": 2**32}, f"seed is {2**32}; it must be from 0 to {2**32 - 1}"),
        ({"n": 1, "seed": -1}, f"seed is -1; it must be from 0 to {2**32 - 1}"),
        ({"n": 1, "steps": 9}, "steps is 9; it must be from 2 to 8, the T of the model"),
        ({"n": 1, "steps": 1}, "steps is 1; it must be from 2 to 8, the T of the model"),
        ({"n": 1, "eta": 1.5}, "eta is 1.5; it must be from 0 to 1"),
    ],
)
def test_what_cannot_be_drawn(made, asked, line):
    with pytest.raises(InputError) as stop:
        load(made).sample(**asked)
    assert str(stop.value) == line


def test_a_variance_of_single_steps(made):
    model = load(made)
    model = replace(model, diffusion=replace(model.diffusion, variance="learned"))
    with pytest.raises(
        InputError, match="learned the variance of single steps; leave steps away, or give eta"
    ):
        model.sample(1, steps=3)


def grey(*shape):
    return torch.zeros(shape, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("given", "asked", "line"),
    [
        (
            torch.zeros(2, 1, 8, 8),
            {},
            "images is a tensor of torch.float32; it must be a tensor of torch.uint8",
        ),
        (np.zeros((2, 1, 8, 8), np.uint8), {}, "images is a ndarray; it must be a tensor of torch.uint8"),
        (grey(2, 8, 8), {}, "images have shape (2, 8, 8); it must be (N, C, H, W) with N at least 2"),
        (grey(1, 1, 8, 8), {}, "images have shape (1, 1, 8, 8); it must be (N, C, H, W) with N at least 2"),
        (
            grey(2, 1, 8, 8) + 17,
            {},
            "images have a grey level 17, but levels is 17; they must be from 0 to 16",
        ),
        (grey(2, 1, 8, 8), {"batch": 0}, "batch is 0; it must be at least 1"),
        (grey(2, 1, 8, 8), {"seed": -1}, "seed is -1; it must be from 0 to 4294967295"),
    ],
)
def test_what_cannot_be_measured(made, given, asked, line):
    model = load(made)
    for measure in (model.bound, lambda x, **more: held_out_bound(len, model.diffusion, x, 17, **more)):
        with pytest.raises(InputError) as stop:
            measure(given, **asked)
        assert line in str(stop.value)


@pytest.mark.parametrize("levels", [1, 257])
def test_levels_that_no_image_has(made, levels):
    with pytest.raises(InputError, match=f"levels is {levels}; it must be from 2 to 256"):
        held_out_bound(len, load(made).diffusion, grey(2, 1, 8, 8), levels)


def test_images_of_another_shape(made):
    with pytest.raises(InputError) as stop:
        load(made).bound(grey(2, 3, 8, 8))
    assert str(stop.value) == "images have shape (2, 3, 8, 8); this model's have (N, 1, 8, 8)"


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"path": OLDER / "finished", "weights": "both"}, "weights is both; it must be ema or raw"),
        ({"path": OLDER / "finished", "device": "gpu"}, "device is gpu; it must be auto, cpu or cuda"),
        (
            {"path": OLDER / "export", "weights": "raw"},
            "is no run and has one set of weights; leave weights away",
        ),
        ({"path": OLDER}, "is neither a run folder nor one of diffusers; did you mean"),
        ({"path": OLDER / "nothing"}, "there is no"),
    ],
)
def test_what_cannot_be_opened(asked, line):
    with pytest.raises(InputError) as stop:
        load(**asked)
    assert line in str(stop.value)


def test_a_damaged_run(made, tmp_path):
    copy = shutil.copytree(made, tmp_path / "copy")
    (copy / "checkpoint-7/ema.safetensors").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"checkpoint-7 is damaged \(ema.safetensors is truncated or changed\)"
    ):
        load(copy)


def test_a_gpu_that_is_not_there(monkeypatch, made):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"^device is cuda, but torch sees no GPU here; use device cpu$"):
        load(made, device="cuda")
