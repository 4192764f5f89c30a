"""The options of `ddpm_spec.evaluate` and `ddpm_spec.sample`; they are read before torch is imported."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ddpm_spec.choices import Convention, Prediction
from ddpm_spec.errors import InputError
from ddpm_spec.runs.settings import Device, Dtype, Process, ScheduleName, Settings, refuse_out_of_range
from ddpm_spec.terminal.options import Count, Folder, Name, Number, parse

__all__ = [
    "PROCESS",
    "EvaluateOptions",
    "SampleOptions",
    "check_draw",
    "check_inception",
    "parse_evaluate",
    "parse_sample",
]

OneConvention = Annotated[Convention | None, tyro.conf.arg(metavar="{paper,official}", help_behavior_hint="")]
OneSchedule = Annotated[
    ScheduleName | None,
    tyro.conf.arg(metavar="{linear,quadratic,constant,cosine}", help_behavior_hint=""),
]
OnePrediction = Annotated[Prediction | None, tyro.conf.arg(metavar="{eps,x_0,mu,v}", help_behavior_hint="")]
OneVariance = Annotated[
    Literal["beta", "beta_tilde"] | None,
    tyro.conf.arg(metavar="{beta,beta_tilde}", help_behavior_hint=""),
]
FileOrFolder = Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")]


@dataclass(frozen=True)
class EvaluateOptions:
    """Measures a trained model: bits/dim on training and held-out images, and the quality of samples.

    Finished batches are kept, so a second call goes on where the first was stopped.
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN|WEIGHTS")]
    """A run folder of ddpm_spec.train; or a diffusers folder, a hub id, or a file of the PyTorch ports."""
    preset: Name = None
    """For WEIGHTS: the preset with the images they were trained on."""
    path: Name = None
    """For WEIGHTS, and where a run's images have moved: where they are, as for ddpm_spec.train."""
    cache: Name = None
    """Folder for decoded images, as for ddpm_spec.train."""
    T: Count = None
    """For WEIGHTS that do not say for what process they were trained: its number of steps."""
    schedule: OneSchedule = None
    """As --T: how beta_t goes from beta-1 to beta-T."""
    beta_1: Number = None
    """As --T: the first variance of the schedule."""
    beta_T: Number = None  # noqa: N815 (the paper's name)
    """As --T: the last variance of the schedule."""
    prediction: OnePrediction = None
    """As --T: what the network predicts."""
    variance: OneVariance = None
    """As --T: the variance of a reverse step."""
    samples: Count = None
    """Images to draw. Without it: as the settings of the model say. Paper: 50,000."""
    images: Count = None
    """Images of each of the two sets for the bound, evenly spread, T network calls a batch; 0: all there are.
    Without it: as the settings say. Paper: all."""
    weights: Literal["both", "ema", "raw"] = "both"
    """Of a run: the averaged weights, the weights as trained, or both. Paper: ema."""
    convention: OneConvention = None
    """How to sample: as the paper prints Algorithm 2, or with its code's clipping. Without it: as the
    settings say. The bound is always given both ways."""
    seed: int = 0
    """Image i of the samples, and the noise at image i of the bound, are functions of (seed, i)."""
    batch: Count = None
    """Images in one network call. Without it: as the settings say."""
    device: Device = "auto"
    """Device to compute on; auto takes a GPU if there is one."""
    dtype: Dtype = "float32"
    """What the network computes in, whatever it was trained in; bfloat16 is faster on a GPU, and its rounding
    enters the bound."""
    inception: FileOrFolder = None
    """The file with Inception's weights, for FID and IS. Without it: from torch's cache, or downloaded."""
    out: FileOrFolder = None
    """Folder for the results. Without it: RUN/evaluation, or evaluation-<name> for WEIGHTS."""

    @property
    def stated(self) -> dict[str, Any]:
        """What is said of the process of WEIGHTS, by the names of `Process`."""
        return {name: getattr(self, name) for name in PROCESS if getattr(self, name) is not None}


PROCESS = ("T", "schedule", "beta_1", "beta_T", "prediction", "variance")
"""The options that state the process of weights without one; --convention says more than that."""


def parse_evaluate(args: list[str]) -> EvaluateOptions:
    """The options, checked.

    Raises:
        InputError: for an unknown option, or a value that is none or out of range, or no file.
    """
    options = parse(EvaluateOptions, args, None, "python -m ddpm_spec.evaluate")
    if options.images is not None and (options.images < 0 or options.images == 1):
        raise InputError(f"--images is {options.images}; it must be 0, for all, or at least 2")
    for name, rule in (("samples", "samples"), ("batch", "sample_batch"), ("seed", "seed")):
        if getattr(options, name) is not None:
            refuse_out_of_range(name, getattr(options, name), rule)
    Settings(process=replace(Process(), **options.stated)).check()
    check_inception(options.inception)
    return options


def check_inception(file: Path | None) -> None:
    """Refuses what cannot hold Inception's weights.

    Raises:
        InputError: if it is no file.
    """
    if file and not os.path.isfile(file):  # Path.is_file raises where a name is too long
        raise InputError(f"--inception is {file}, which is no file; name one, or leave it away")


@dataclass(frozen=True)
class SampleOptions:
    """Draws images from a trained run: by Algorithm 2, in fewer steps, or by DDIM."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """A run folder of ddpm_spec.train."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 256
    """How many images."""
    seed: int = 0
    """Image i is a function of (seed, i), however many are drawn and in whatever batches."""
    steps: Count = None
    """Steps to take, evenly spread over 1..T. Without it: all T. Paper: all."""
    eta: Number = None
    """η of DDIM, in [0, 1]: 0 adds no noise, 1 is the variance beta_tilde. Without it: Algorithm 2 with the
    run's own variance. Paper: Algorithm 2."""
    batch: int = 256
    """Images in one network call."""
    weights: str = "ema"
    """ema, the averaged weights, or raw. Paper: ema."""
    out: Folder = None
    """Folder for samples.npy and samples.png, new or empty. Without it: RUN/samples-<k>, the next free k."""


def check_draw(*, n: int, seed: int, eta: float | None, batch: int) -> None:
    """Refuses what no model can draw.

    Raises:
        InputError: naming the option that is out of range.
    """
    for name, value, rule in (("n", n, "n"), ("batch", batch, "sample_batch"), ("seed", seed, "seed")):
        refuse_out_of_range(name, value, rule)
    if eta is not None and not 0 <= eta <= 1:
        raise InputError(f"--eta is {eta}; it must be from 0 to 1")


def parse_sample(args: list[str]) -> SampleOptions:
    """The options of `ddpm_spec.sample`, checked as far as it takes no T.

    Raises:
        InputError: as for `parse_train`.
    """
    options = parse(SampleOptions, args, None, "python -m ddpm_spec.sample")
    if options.weights not in ("ema", "raw"):
        raise InputError(f"--weights is {options.weights}; it must be ema or raw")
    check_draw(n=options.n, seed=options.seed, eta=options.eta, batch=options.batch)
    Settings.load(options.run / "settings.json")
    return options
