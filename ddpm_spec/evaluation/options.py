"""The options of `ddpm_spec.evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ddpm_spec.choices import Convention
from ddpm_spec.errors import InputError
from ddpm_spec.runs.settings import Device, Dtype
from ddpm_spec.terminal.options import Count, Name, parse

__all__ = ["EvaluateOptions", "parse_evaluate"]

OneConvention = Annotated[Convention | None, tyro.conf.arg(metavar="{paper,official}", help_behavior_hint="")]
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


def parse_evaluate(args: list[str]) -> EvaluateOptions:
    """The options, checked.

    Raises:
        InputError: for an unknown option, or a value that is none or out of range.
    """
    options = parse(EvaluateOptions, args, None, "python -m ddpm_spec.evaluate")
    for name, least in (("samples", 2), ("images", 0), ("batch", 1)):
        value = getattr(options, name)
        if value is not None and (value < least or (name == "images" and value == 1)):
            right = "0, for all, or at least 2" if name == "images" else f"at least {least}"
            raise InputError(f"--{name} is {value}; it must be {right}")
    if not -(2**63) <= options.seed < 2**63:
        raise InputError(f"--seed is {options.seed}; it must be an integer of 64 bits")
    return options
