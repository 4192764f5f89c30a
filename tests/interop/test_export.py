"""An exported run opens in diffusers and draws the same images there; it is written whole or not at all."""

import dataclasses
import json
import os
import resource
from pathlib import Path
from unittest import mock

import pytest
import torch
from foreign import diffusers, wild
from safetensors import safe_open
from small_run import SMALL, finished
from torch import Tensor

from ddpm_spec.data import Images, Source, from_unit
from ddpm_spec.errors import InputError
from ddpm_spec.interop.card import card
from ddpm_spec.interop.export import export, write_pipeline
from ddpm_spec.interop.weights import open_weights
from ddpm_spec.noise import normal, row_keys
from ddpm_spec.runs import checkpoints
from ddpm_spec.runs.settings import Settings

SHAPE = (1, 8, 8)


def trained(run: Path, images: Images, steps: int, **process) -> Settings:
    """A run on the digits, long enough to draw something like them where steps are many."""
    made = finished(
        run, images, steps=steps, save_every=steps, batch=32, lr=2e-3, ema=0.9, flip=False,
        process=process, network={"channels": 16, "dropout": 0.0, "groups": 8},
    )  # fmt: skip
    made.settings.save(run / "settings.json")
    return made.settings


def noise(t: int, dtype: torch.dtype) -> Tensor:
    return normal(row_keys(5, "test", t, torch.arange(6)), SHAPE).to(dtype)


def drawn_by_diffusers(pipeline, T: int, dtype: torch.dtype) -> tuple[list[Tensor], Tensor]:
    """x_{T−1}, …, x_0 and the images of `DDPMPipeline`, fed with our noise in its order."""
    order = iter([T + 1, *range(T, 1, -1)])
    step, path = pipeline.scheduler.step, []

    def recorded(*given, **options):
        made = step(*given, **options)
        path.append(made.prev_sample)
        return made

    def fed(shape, **_):
        made = noise(next(order), dtype)
        assert made.shape == tuple(shape)
        return made

    pipeline.set_progress_bar_config(disable=True)
    with (
        mock.patch("diffusers.pipelines.ddpm.pipeline_ddpm.randn_tensor", fed),
        mock.patch("diffusers.schedulers.scheduling_ddpm.randn_tensor", fed),
        mock.patch.object(pipeline.scheduler, "step", recorded),
    ):
        images = pipeline(batch_size=6, num_inference_steps=T, output_type="pt").images
    assert next(order, None) is None
    return path, images


CHOICES = [
    {"variance": "beta", "convention": "paper"},
    {"variance": "beta_tilde", "convention": "official"},
    {"prediction": "x_0", "variance": "beta", "convention": "official", "schedule": "quadratic"},
    {"variance": "beta_tilde", "convention": "paper", "schedule": "constant", "beta_1": 0.02},
    {"variance": "beta", "convention": "official", "schedule": "cosine"},
    {"prediction": "v", "variance": "beta_tilde", "convention": "official"},
]


@pytest.mark.parametrize("choice", CHOICES)
def test_the_same_path_in_float64(tmp_path, images, choice):
    settings = trained(tmp_path / "run", images, 8, T=20, **choice)
    export([str(tmp_path / "run"), str(tmp_path / "out")])
    pipeline = diffusers.DDPMPipeline.from_pretrained(tmp_path / "out", dtype=torch.float64)
    ours = open_weights(str(tmp_path / "out")).network.double()
    diffusion = settings.diffusion()
    pipeline.scheduler.alphas_cumprod = diffusion.schedule.steps.alpha_bar[1:]
    pipeline.scheduler.one = diffusion.schedule.steps.alpha_bar[0]
    path, _ = drawn_by_diffusers(pipeline, 20, torch.float64)
    expected = list(diffusion.sample(ours, lambda t: noise(t, torch.float64)))
    assert len(path) == len(expected) == 20
    assert max(float((a - b).abs().max()) for a, b in zip(path, expected, strict=True)) < 1e-10


def test_fixed_small_log_is_the_posteriors_variance(tmp_path, images):
    """Its name is about how it is computed; in diffusers too the noise has the variance β̃_t."""
    trained(tmp_path / "run", images, 8, T=20, variance="beta")
    export([str(tmp_path / "run"), str(tmp_path / "out")])
    file = tmp_path / "out" / "scheduler" / "scheduler_config.json"
    file.write_text(file.read_text().replace("fixed_large", "fixed_small_log"))
    pipeline = diffusers.DDPMPipeline.from_pretrained(tmp_path / "out", dtype=torch.float64)
    assert pipeline.scheduler.variance_type == "fixed_small_log"
    opened = open_weights(str(tmp_path / "out"))
    diffusion = Settings(process=opened.process).diffusion()
    pipeline.scheduler.alphas_cumprod = diffusion.schedule.steps.alpha_bar[1:]
    pipeline.scheduler.one = diffusion.schedule.steps.alpha_bar[0]
    path, _ = drawn_by_diffusers(pipeline, 20, torch.float64)
    network = opened.network.double()
    expected = list(diffusion.sample(network, lambda t: noise(t, torch.float64)))
    assert max(float((a - b).abs().max()) for a, b in zip(path, expected, strict=True)) < 1e-10


@pytest.mark.parametrize(
    ("T", "steps"), [(30, 40), pytest.param(1000, 600, marks=pytest.mark.slow)], ids=["short", "whole"]
)
def test_the_same_images_in_float32_with_diffusers_own_tables(tmp_path, images, T, steps):
    settings = trained(tmp_path / "run", images, steps, T=T)
    export([str(tmp_path / "run"), str(tmp_path / "out")])
    pipeline = diffusers.DDPMPipeline.from_pretrained(tmp_path / "out")
    ours = open_weights(str(tmp_path / "out")).network
    _, made = drawn_by_diffusers(pipeline, T, torch.float32)
    *_, x_0 = settings.diffusion().sample(ours, lambda t: noise(t, torch.float32))
    theirs = (made * (images.levels - 1)).round().int()
    levels = (theirs - from_unit(x_0, images.levels).int()).abs()
    assert levels.max() <= 1
    assert (levels > 0).double().mean() <= 0.01
    assert theirs.double().std() > 1  # images, not a plain grey


def test_an_exported_run_comes_back(tmp_path, images):
    process = {"T": 20, "beta_1": 0.001, "beta_T": 0.03, "convention": "official", "variance": "beta_tilde"}
    settings = trained(tmp_path / "run", images, 3, **process)
    for weights in ("ema", "raw"):
        export([str(tmp_path / "run"), str(tmp_path / weights), "--weights", weights])
        opened = open_weights(str(tmp_path / weights))
        network = settings.unet(1, 8)
        checkpoints.fill(network, checkpoints.latest(tmp_path / "run"), weights)
        state = opened.network.state_dict()
        assert all(tensor.equal(state[name]) for name, tensor in network.state_dict().items())
        assert opened.process == settings.process
        assert opened.image_shape == SHAPE
    assert not opened.network.conv_in.weight.equal(open_weights(str(tmp_path / "ema")).network.conv_in.weight)
    text = (tmp_path / "raw" / "README.md").read_text()
    assert "checkpoint-3, raw" in text
    assert "num_inference_steps=20" in text


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"prediction": "mu"}, "prediction mu cannot be written .* eps or x_0 or v can"),
        ({"variance": "learned"}, "variance learned cannot be written"),
        ({"variance": "learned_range"}, "variance learned_range cannot be written"),
    ],
)
def test_what_diffusers_lacks(tmp_path, choice, words):
    settings = dataclasses.replace(SMALL, process=dataclasses.replace(SMALL.process, **choice))
    with pytest.raises(InputError, match=words):
        write_pipeline(settings.unet(*SHAPE[:2]), settings, SHAPE, tmp_path / "out", "a test")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(InputError, match="exists already"):
        write_pipeline(SMALL.unet(*SHAPE[:2]), SMALL, SHAPE, tmp_path / "out", "a test")
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "mine"]


def test_a_full_disk_leaves_nothing(tmp_path):
    """The kernel refuses the write, as it does on a full disk."""
    child = os.fork()
    if child == 0:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            write_pipeline(SMALL.unet(*SHAPE[:2]), SMALL, SHAPE, tmp_path / "out", "a test")
        except InputError as error:
            os._exit(0 if "could not be written" in str(error) and "\n" not in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert list(tmp_path.iterdir()) == []


def test_killed_while_writing_there_is_no_folder_by_the_name(tmp_path):
    """And the next export is not in the way of what was left."""
    child = os.fork()
    if child == 0:
        with mock.patch("ddpm_spec.interop.export._write", side_effect=lambda *_: os._exit(9)):
            write_pipeline(SMALL.unet(*SHAPE[:2]), SMALL, SHAPE, tmp_path / "out", "a test")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert [p.name for p in tmp_path.iterdir()] == [".out.part"]
    write_pipeline(wild(SMALL.unet(*SHAPE[:2])), SMALL, SHAPE, tmp_path / "out", "a test")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    files = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert files == {
        "README.md",
        "model_index.json",
        "scheduler/scheduler_config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
    }
    with safe_open(tmp_path / "out" / "unet" / "diffusion_pytorch_model.safetensors", "pt") as opened:
        assert opened.metadata() == {"format": "pt"}  # older readers ask for it
    assert json.loads((tmp_path / "out" / "model_index.json").read_text())["_class_name"] == "DDPMPipeline"


def test_it_is_written_without_diffusers(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "diffusers", None)
    write_pipeline(SMALL.unet(*SHAPE[:2]), SMALL, SHAPE, tmp_path / "out", "a test")
    assert open_weights(str(tmp_path / "out")).image_shape == SHAPE


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(InputError, match="not a run folder"):
        export([str(tmp_path), str(tmp_path / "out")])
    with pytest.raises(InputError, match="ema"):
        export([str(tmp_path), str(tmp_path / "out"), "--weights", "best"])


def reported(run: Path, images: Images) -> None:
    """A run with the report and the samples that a training leaves; only what the card reads of it."""
    settings = trained(run, images, 3)
    report = {
        "step": 3,
        "settings": {"process": dataclasses.asdict(settings.process)},
        "bound": {"total": 4.2871, "standard_error": 0.0312, "images": 64},
        "figures": {
            "this model": {"confidence": 0.981, "rarest_class": 0.0625, "frechet": 51.24, "novelty": 0.93}
        },
    }
    (run / "report.json").write_text(json.dumps(report))
    (run / "samples.png").write_bytes(b"a picture")


FIGURES = ("4.287 ± 0.031", "64 held-out", "0.981", "6.2%", "51.2", "0.93", "3 updates")


def test_the_card_has_the_figures_and_the_samples_of_these_weights(tmp_path, images):
    run = tmp_path / "run"
    reported(run, images)
    export([str(run), str(tmp_path / "out")])
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert [figure for figure in FIGURES if figure not in text] == []
    assert "(samples.png)" in text
    assert (tmp_path / "out" / "samples.png").read_bytes() == b"a picture"
    for words in ("license: unknown", "archive.ics.uci.edu", "| lr | 0.002 |", "1×8×8", "digits"):
        assert words in text


@pytest.mark.parametrize(
    ("data", "path", "shown"),
    [
        ("folder", "/home/me/my_cats", r"folder, my\_cats"),
        ("hub", "me/cats", r"hub, me\/cats"),
        ("lsun", "x", "lsun, x"),
    ],
)
def test_the_card_says_which_images_and_how_they_were_read(data, path, shown):
    """But not in whose home they lie."""
    source = Source(path=path, train_part="a|b", held_out_part="", image_size=8, grey=True)
    settings = dataclasses.replace(SMALL, data=data, source=source)
    text = card(settings, SHAPE, run="run", checkpoint="checkpoint-3", weights="ema")
    assert f"Images: {shown}, 1×8×8" in text
    assert "/home" not in text
    for row in (r"| train_part | a\|b |", "| held_out_part |  |", "| image_size | 8 |", "| grey | True |"):
        assert row in text
    assert "image_size" not in card(SMALL, SHAPE, run="run", checkpoint="checkpoint-3", weights="ema")


@pytest.mark.parametrize("other", ["raw", "another step", "another process", "damaged", "half", "none"])
def test_the_card_has_no_figures_of_other_weights(tmp_path, images, other, capsys):
    run, words = tmp_path / "run", []
    reported(run, images)
    report = json.loads((run / "report.json").read_text())
    if other == "raw":
        words = ["--weights", "raw"]
    elif other == "another step":
        report["step"] = 2
    elif other == "another process":
        report["settings"]["process"]["variance"] = "beta_tilde"
    elif other == "half":
        del report["bound"]
    (run / "report.json").write_text("{" if other == "damaged" else json.dumps(report))
    if other == "none":
        (run / "report.json").unlink()
    export([str(run), str(tmp_path / "out"), *words])
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert not any(figure in text for figure in FIGURES)
    assert "samples.png" not in text
    assert not (tmp_path / "out" / "samples.png").exists()
    assert ("the card has no figures" in capsys.readouterr().err) == (other not in ("raw", "none"))


@pytest.mark.parametrize(
    "name",
    [
        "digits-1",
        "a_b_c *x* `y` [z](http://u) <b>bold</b> ![i](j) | # $k$ ~~l~~ &amp; \\*",
        "two\nlines\n\n# and a heading",
        "\"quotes\" and 'others'",
        "---",
        "not UTF-8 \udcff",
    ],
)
def test_a_runs_name_is_shown_as_it_is(tmp_path, images, name):
    """Whatever Markdown means by it; on one line, and what is no character replaced."""
    markdown = pytest.importorskip("markdown_it")
    text = card(SMALL, SHAPE, run=name, checkpoint="checkpoint-3", weights="ema")
    write_pipeline(SMALL.unet(*SHAPE[:2]), SMALL, SHAPE, tmp_path / "out", text)
    body = (tmp_path / "out" / "README.md").read_text(encoding="utf-8").split("---\n", 2)[2]
    tokens = markdown.MarkdownIt("gfm-like", {"linkify": False}).parse(body)
    inline = next(token for token in tokens if token.type == "inline")
    assert {child.type for child in inline.children} <= {"text", "text_special", "softbreak"}
    shown = "".join("\n" if child.type == "softbreak" else child.content for child in inline.children)
    expected = " ".join(name.split("\n")).replace("\udcff", " ")
    assert shown.endswith(f"Weights: {expected}, checkpoint-3, ema.")


@pytest.mark.skipif(os.name != "posix", reason="needs modes")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_every_file_has_the_mode_that_the_umask_asks_for(tmp_path, images, mask):
    before = os.umask(mask)
    try:
        trained(tmp_path / "run", images, 3)
        export([str(tmp_path / "run"), str(tmp_path / "out")])
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"ema.safetensors", "diffusion_pytorch_model.safetensors"} <= {path.name for path in files}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o666 & ~mask}
