"""An exported pipeline with diffusers' other samplers, as its card says to call them.

The card's own lines are executed. The network is exact for Gaussian data, so that a sampler without noise
only scales what it is given, and one number tells where it ends.
"""

import contextlib
import inspect
import itertools
import json
import re
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from foreign import diffusers
from small_run import SMALL, small
from torch import Tensor

from ddpm_spec.diffusion import Diffusion
from ddpm_spec.interop.card import SAMPLERS, card
from ddpm_spec.interop.configuration import scheduler_config
from ddpm_spec.interop.export import write_pipeline
from ddpm_spec.runs.settings import Process, Settings
from ddpm_spec.schedule import evenly, linear_schedule

SHAPE = (1, 8, 8)
DEVIATION = 0.5
FIRST_ORDER = ("DDIMScheduler", "EulerDiscreteScheduler")
HIGHER_ORDER = ("PNDMScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler")


def written(settings: Settings) -> str:
    return card(settings, SHAPE, run="digits-1", checkpoint="checkpoint-7", weights="ema")


def blocks(text: str) -> list[str]:
    """The card's code: how to open the pipeline, the lines to choose from, the loop."""
    found = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(found) == 3
    return found


def lines_of(text: str) -> dict[str, str]:
    """The card's line for each sampler."""
    return {
        line.partition(".from_config")[0].rpartition(".")[2]: line for line in blocks(text)[1].splitlines()
    }


class Oracle:
    """E[ε | x_t] for Gaussian data of this deviation, called as diffusers calls its network."""

    def __init__(self, betas: Tensor, deviation: float = DEVIATION) -> None:
        self.alpha_bar = (1 - betas.double()).cumprod(0)
        self.deviation = deviation

    def __call__(self, x: Tensor, t: Tensor) -> SimpleNamespace:
        at = self.alpha_bar[int(t)]
        marginal = at * self.deviation**2 + 1 - at
        return SimpleNamespace(sample=((1 - at).sqrt() * x.double() / marginal).to(x.dtype))


def stored(process: Process, folder: Path):
    """The scheduler of an export, as diffusers opens it."""
    (folder / "scheduler_config.json").write_text(json.dumps(scheduler_config(process)))
    return diffusers.DDPMScheduler.from_pretrained(folder)


def gain(name: str, scheduler: object, steps: int) -> float:
    """By what factor the card's loop scales the noise that it starts from."""
    _, _, loop = blocks(written(SMALL))
    loop, count = re.subn(r"set_timesteps\(\d+\)", f"set_timesteps({steps})", loop)
    assert count == 1
    unet = Oracle(scheduler.betas)
    pipe = SimpleNamespace(scheduler=scheduler, unet=unet, numpy_to_pil=diffusers.DDPMPipeline.numpy_to_pil)
    names = {"torch": torch, "diffusers": diffusers, "pipe": pipe}
    exec(lines_of(written(SMALL))[name], names)
    torch.manual_seed(0)
    exec(loop, names)
    torch.manual_seed(0)
    start = torch.randn(16, *SHAPE)
    ratio = names["x"] / start
    assert float(ratio.std()) < 1e-3 * float(ratio.mean())
    assert names["scheduler"].timesteps.min() >= 0
    return float(names["x"].norm() / start.norm())


@pytest.fixture
def scheduler(tmp_path):
    return stored(Process(), tmp_path)


@pytest.mark.parametrize("steps", [10, 50, 1000])
@pytest.mark.parametrize("name", FIRST_ORDER)
def test_ddim_and_euler_take_our_own_path(scheduler, name, steps):
    betas = scheduler.betas
    model, times, oracle = Diffusion(linear_schedule(1000)), evenly(1000, steps), Oracle(betas)
    start = torch.ones(1, *SHAPE, dtype=torch.float64)
    *_, x_0 = model.sample(lambda x, t: oracle(x, t[0] - 1).sample, lambda t: start, times=times, eta=0.0)
    assert gain(name, scheduler, steps) == pytest.approx(float(x_0.mean()), abs=1e-4)


@pytest.mark.parametrize("steps", [50, 1000])
@pytest.mark.parametrize("name", HIGHER_ORDER)
def test_samplers_of_higher_order_come_to_the_datas_deviation(scheduler, name, steps):
    assert gain(name, scheduler, steps) == pytest.approx(DEVIATION, rel=0.01)


def ancestral(scheduler, steps: int, deviation: float = DEVIATION) -> float:
    """The deviation of what `DDPMScheduler` draws: each row of the batch gets the noise of one step only."""
    scheduler.set_timesteps(steps)
    unet, row = Oracle(scheduler.betas, deviation), itertools.count(1)
    x = torch.zeros(steps + 1, 1, 1, 1, dtype=torch.float64)
    x[0] = 1

    def fed(shape, **_):
        noise = torch.zeros(shape, dtype=torch.float64)
        noise[next(row)] = 1
        return noise

    with mock.patch("diffusers.schedulers.scheduling_ddpm.randn_tensor", fed):
        for t in scheduler.timesteps:
            x = scheduler.step(unet(x, t).sample, t, x).prev_sample
    return float(x.norm())


@pytest.mark.parametrize("steps", [10, 50, 1000])
@pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
def test_the_stored_scheduler_leaves_no_noise_in_the_image(tmp_path, variance, steps):
    """Where all images are one, whatever is left of the noise is the whole deviation."""
    scheduler = stored(Process(variance=variance), tmp_path)
    assert ancestral(scheduler, steps, deviation=0.0) < 1e-3
    if variance == "beta" and steps == 50:  # what it would be with the others' spacing
        other = diffusers.DDPMScheduler.from_config(scheduler.config, timestep_spacing="trailing")
        assert ancestral(other, steps, deviation=0.0) == pytest.approx(0.076, abs=1e-3)


def test_the_figures_on_the_card_are_what_is_measured(tmp_path):
    rows = re.findall(r"^\| (\w+)[^|]*((?:\| *\.\d{3} *){3})\|$", written(SMALL), flags=re.MULTILINE)
    told = [(name, re.findall(r"\.\d{3}", figures)) for name, figures in rows]
    assert [name for name, _ in told] == ["DDPMScheduler", "DDPMScheduler", *SAMPLERS]
    measured = [
        (name, [measure(steps) for steps in (10, 50, 1000)])
        for name, measure in (
            ("DDPMScheduler", lambda n: ancestral(stored(Process(variance="beta"), tmp_path), n)),
            ("DDPMScheduler", lambda n: ancestral(stored(Process(variance="beta_tilde"), tmp_path), n)),
            *((s, lambda n, s=s: gain(s, stored(Process(), tmp_path), n)) for s in SAMPLERS),
        )
    ]
    for (name, figures), (_, values) in zip(told, measured, strict=True):
        # A unit of the last digit, since diffusers computes its tables in float32.
        assert [float(figure) for figure in figures] == pytest.approx(values, abs=1e-3), name


KEYS = {
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "steps_offset",
    "timestep_spacing",
    "rescale_betas_zero_snr",
    "clip_sample",
    "thresholding",
    "num_train_timesteps",
    "skip_prk_steps",
    "set_alpha_to_one",
}


def test_no_class_puts_its_own_default_in_the_place_of_what_was_trained(tmp_path):
    """`from_config` does so with every key that the file leaves out."""
    process = Process(T=20, beta_1=1e-4, beta_T=0.02)
    scheduler = stored(process, tmp_path)
    seen = set()
    for kind in scheduler.compatibles:
        takes = inspect.signature(kind.__init__).parameters
        with contextlib.suppress(ImportError):  # some need other packages
            made = kind.from_config(scheduler.config)
            for key in KEYS & set(takes):
                assert made.config[key] == scheduler_config(process)[key], (kind.__name__, key)
                seen.add(key)
    assert seen == KEYS
    assert set(json.loads((tmp_path / "scheduler_config.json").read_text())) >= KEYS


@pytest.mark.parametrize(
    "process",
    [
        {"T": 8},
        {"T": 7},
        {"T": 20, "schedule": "constant", "beta_1": 0.02},
        {"T": 20, "schedule": "cosine", "prediction": "v", "convention": "official"},
        {"T": 20, "schedule": "quadratic", "prediction": "x_0", "variance": "beta_tilde"},
    ],
)
def test_the_card_runs_as_it_stands(tmp_path, monkeypatch, process):
    """In the folder itself, with every line that it has."""
    settings = small(process=process)
    torch.manual_seed(0)
    text = written(settings)
    write_pipeline(settings.unet(*SHAPE[:2]), settings, SHAPE, tmp_path / "out", text)
    monkeypatch.chdir(tmp_path / "out")
    assert Path("README.md").read_text(encoding="utf-8") == text
    opening, lines, loop = blocks(text)
    names: dict = {}
    exec(opening, names)
    assert len(names["images"]) == 16
    expected = [name for name in SAMPLERS if name != "PNDMScheduler" or process.get("prediction") != "x_0"]
    assert list(lines_of(text)) == expected
    for line in lines.splitlines():
        exec(line, names)
        exec(loop, names)
        assert len(names["images"]) == 16
        assert names["x"].isfinite().all()
        assert names["scheduler"].timesteps[0] + 1 == settings.process.T


def test_pndm_cannot_take_a_prediction_of_the_image():
    """So the card of such a model does not name it."""
    scheduler = diffusers.PNDMScheduler(20, prediction_type="sample", skip_prk_steps=True)
    scheduler.set_timesteps(20)
    with pytest.raises(ValueError, match="must be one of `epsilon` or `v_prediction`"):
        scheduler.step(torch.ones(1, *SHAPE), scheduler.timesteps[0], torch.ones(1, *SHAPE))
