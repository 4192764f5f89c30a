"""The options of `ddpm_spec.benchmark`; they are read before torch is imported."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ddpm_spec.errors import InputError
from ddpm_spec.runs.settings import refuse_out_of_range
from ddpm_spec.terminal.options import parse

__all__ = ["BenchmarkOptions", "parse_benchmark"]


@dataclass(frozen=True)
class BenchmarkOptions:
    """Times our training step and sampler beside diffusers', in turn in one process, and the memory of both.

    The ratios hold on a machine with other work too; for the seconds it must be idle. Where diffusers is not
    installed, only ours are timed. `--gpu` is another benchmark, of ten minutes on one GPU, with options of
    its own: `--gpu --help`.
    """

    rounds: int = 9
    """How often each of the two takes its turn."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where; auto takes a GPU if there is one."""
    only: str = ""
    """Only the parts whose name contains this."""
    out: Path = Path("benchmark.json")
    """The file to write; one of that name is replaced."""


def parse_benchmark(args: list[str]) -> BenchmarkOptions:
    """The options, checked.

    Raises:
        InputError: for an unknown option, or a value that is none or out of range.
    """
    options = parse(BenchmarkOptions, args, None, "python -m ddpm_spec.benchmark")
    refuse_out_of_range("rounds", options.rounds)
    if os.path.isdir(options.out):
        raise InputError(f"--out is {options.out}, which is a folder; name a file")
    if not os.access(options.out.absolute().parent, os.W_OK):
        raise InputError(f"--out is {options.out}, which cannot be written; name a file in another folder")
    try:
        with contextlib.suppress(FileNotFoundError):
            options.out.stat()
    except OSError as error:
        raise InputError(f"--out is {options.out}, which cannot be written ({error.strerror})") from None
    return options
