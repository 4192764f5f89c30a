"""The command `ddpm_spec.sample`, from options to files."""

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro

from ddpm_spec import pictures
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.draw import draw
from ddpm_spec.machine import processes
from ddpm_spec.machine.accelerator import accelerator_for, compiled, resolved
from ddpm_spec.runs import checkpoints, folders
from ddpm_spec.runs.settings import Settings
from ddpm_spec.schedule import evenly
from ddpm_spec.terminal.console import Interrupt, console, progress_bar
from ddpm_spec.terminal.options import Count, Folder, Number, parse

__all__ = ["SampleOptions", "parse_sample", "sample"]


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


def parse_sample(args: list[str]) -> SampleOptions:
    """The options of `ddpm_spec.sample`, checked.

    Raises:
        InputError: as for `parse_train`.
    """
    options = parse(SampleOptions, args, None, "python -m ddpm_spec.sample")
    for name in ("n", "batch"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name} is {getattr(options, name)}; it must be at least 1")
    if options.weights not in ("ema", "raw"):
        raise InputError(f"--weights is {options.weights}; it must be ema or raw")
    if not -(2**63) <= options.seed < 2**63:
        raise InputError(f"--seed is {options.seed}; it must be an integer of 64 bits")
    if options.eta is not None and not 0 <= options.eta <= 1:
        raise InputError(f"--eta is {options.eta}; it must be from 0 to 1")
    return options


def sample(args: list[str]) -> None:
    """`python -m ddpm_spec.sample`: the images are not needed, only the run.

    Raises:
        InputError: for anything the user can mend.
        Interrupted: by SIGINT or SIGTERM.
        StoppedElsewhere: where another process has failed.
    """
    with Interrupt() as interrupt:
        processes.joined(lambda: _sample(args, interrupt))


def _sample(args: list[str], interrupt: Interrupt) -> None:
    options = processes.from_first(lambda: parse_sample(args))
    settings = processes.from_first(lambda: Settings.load(options.run / "settings.json"))
    times = processes.from_first(lambda: _times(options, settings))
    accelerator = accelerator_for(settings)
    checkpoint = processes.from_first(lambda: checkpoints.latest(options.run))
    shape, levels = processes.from_first(lambda: checkpoints.image_format(checkpoint))
    network = settings.unet(*shape[:2]).to(memory_format=torch.channels_last).to(accelerator.device)
    processes.from_first(lambda: checkpoints.fill(network, checkpoint, options.weights))
    processes.share(network.parameters())
    compiled(network, resolved(settings, accelerator))
    folder = processes.from_first(
        lambda: (
            folders.new_folder(options.out)
            if options.out
            else folders.numbered_folder(options.run, "samples")
        )
    )
    first, end = processes.my_share(options.n)
    T = len(times) or settings.process.T
    with progress_bar("sampling", T * -(-(end - first) // options.batch)) as bar, processes.together():

        def advance(rows: int) -> None:
            bar.advance(rows / T)
            interrupt.check(f"stopped; nothing was written to {folder}")

        mine = torch.empty(0, *shape, dtype=torch.uint8)  # more processes than images
        with accelerator.autocast():
            mine = mine if first == end else draw(
                network, settings.diffusion(), shape, levels, start=first, count=end, batch=options.batch,
                seed=options.seed, device=accelerator.device, progress=advance, times=times,
                eta=options.eta,
            )  # fmt: skip
    drawn = torch.cat(processes.gathered(mine))
    if processes.is_first():
        array = io.BytesIO()
        np.save(array, drawn.numpy(), allow_pickle=False)
        folders.write_atomically(folder / "samples.npy", array.getvalue())
        folders.write_atomically(folder / "samples.png", pictures.grid_png(drawn, levels))
        made = {k: v for k, v in asdict(options).items() if k not in ("out", "batch")}
        made |= {"run": str(options.run), "checkpoint": checkpoint.name}
        folders.write_atomically(folder / "samples.json", (json.dumps(made, indent=2) + "\n").encode())
        size = "×".join(map(str, drawn.shape))
        console.print(f"{folder}: samples.npy {size}, samples.png")


def _times(options: SampleOptions, settings: Settings) -> list[int]:
    """The times to visit; none for all of them.

    Raises:
        InputError: if there are not so many, or the run's variance is that of single steps.
    """
    T = settings.process.T
    if options.steps in (None, T):
        return []
    if not 2 <= options.steps <= T:
        raise InputError(f"--steps is {options.steps}; it must be from 2 to {T}, the T of the run")
    if settings.process.variance == "learned" and options.eta is None:
        raise InputError(
            f"{options.run} has learned the variance of single steps; leave --steps away, or give --eta"
        )
    return evenly(T, options.steps)
