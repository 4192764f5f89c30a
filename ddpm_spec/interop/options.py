"""The options of `ddpm_spec.export`; they are read before torch is imported."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ddpm_spec.runs.settings import Settings
from ddpm_spec.terminal.options import parse

__all__ = ["ExportOptions", "parse_export"]


@dataclass(frozen=True)
class ExportOptions:
    """Writes a trained run as a folder for diffusers' DDPMPipeline."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """A run folder of ddpm_spec.train."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """The folder to write; it must not exist."""
    weights: Literal["ema", "raw"] = "ema"
    """ema, the averaged weights, or raw. Paper: ema."""


def parse_export(args: list[str]) -> ExportOptions:
    """The options, checked.

    Raises:
        InputError: for an unknown option, or a value that is none, or a folder that is no run.
    """
    options = parse(ExportOptions, args, None, "python -m ddpm_spec.export")
    Settings.load(options.run / "settings.json")
    return options
