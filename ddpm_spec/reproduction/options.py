"""The options of `ddpm_spec.reproduce`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.options import check_inception
from ddpm_spec.reproduction.targets import TARGETS
from ddpm_spec.runs.settings import refuse_out_of_range
from ddpm_spec.terminal.options import Count, Folder, Name, parse

__all__ = ["ReproduceOptions", "command", "parse_reproduce"]


@dataclass(frozen=True)
class ReproduceOptions:
    """Makes a table or figure of the paper again, or compares what came after it.

    Runs are found by their settings and reused, missing ones are trained; finished batches are kept, so a
    second call goes on where the first was stopped.
    """

    target: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TARGET")] = ""
    """table1 … table4, fig3 … fig10, followups; --list explains each."""
    list: bool = False
    """Only say what there is."""
    preset: str = "digits"
    """Data and settings. Paper: cifar10, lsun-* or celeba-hq-256; --list says which."""
    path: Name = None
    """Where the images are, as for ddpm_spec.train. Without it: as the preset says."""
    cache: Name = None
    """Folder for decoded images, as for ddpm_spec.train."""
    runs: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("runs")
    """Where runs are looked for, and new ones made."""
    from_: Annotated[Path | None, tyro.conf.arg(name="from", metavar="RUN", help_behavior_hint="")] = None
    """The run to take, where one is enough: nothing is trained."""
    out: Folder = None
    """Where table and figure go. Without it: RUNS/results."""
    steps: Count = None
    """Updates of each run. Without it: as the preset says."""
    samples: Count = None
    """Images to draw for measures of quality. Without it: 50,000 for the paper's own data, else as the
    preset says."""
    images: Count = None
    """Images of each set for the bound. Without it: 10,000 for the paper's own data, else as the preset
    says. Paper: all."""
    seed: int = 0
    """Of samples and bounds; the preset has that of the training."""
    batch: Count = None
    """Images in one network call. Without it: as the preset says."""
    inception: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """The file with Inception's weights, for FID and IS. Without it: from torch's cache, or downloaded."""


def command(options: ReproduceOptions) -> str:
    """The words that make the same again, wherever the runs and the results lie."""
    words = ["python -m ddpm_spec.reproduce", options.target, "--preset", options.preset]
    for name in ("steps", "samples", "images", "seed", "batch"):
        value = getattr(options, name)
        if value != getattr(ReproduceOptions, name):
            words += [f"--{name}", str(value)]
    return " ".join(words)


def parse_reproduce(args: list[str]) -> ReproduceOptions:
    """The options, checked.

    Raises:
        InputError: for an unknown target or option, or a value that is none or out of range.
    """
    options = parse(ReproduceOptions, args, None, "python -m ddpm_spec.reproduce")
    if options.list:
        return options
    if options.target not in TARGETS:
        said = f"there is no target {options.target!r}" if options.target else "no target was named"
        raise InputError(f"{said}; choose from {', '.join(TARGETS)}")
    rules = {"steps": "steps", "samples": "samples", "images": "bound_images", "batch": "sample_batch"}
    for name, rule in (*rules.items(), ("seed", "seed")):
        if getattr(options, name) is not None:
            refuse_out_of_range(name, getattr(options, name), rule)
    if options.from_ and options.target in ("table1", "table2", "followups"):
        raise InputError(
            f"{options.target} is made of several runs; leave --from away, --runs names their folder"
        )
    if options.from_ and options.steps:
        raise InputError("--from names a run that is trained already; leave --steps away")
    check_inception(options.inception)
    return options
