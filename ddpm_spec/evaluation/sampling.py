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
from ddpm_spec.evaluation.loaded import Run, visited
from ddpm_spec.machine import processes
from ddpm_spec.machine.accelerator import accelerator_for
from ddpm_spec.runs import checkpoints, folders
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
    """The options of `ddpm_spec.sample`; what they ask for is checked by `visited`, which knows the T.

    Raises:
        InputError: as for `parse_train`.
    """
    options = parse(SampleOptions, args, None, "python -m ddpm_spec.sample")
    if options.weights not in ("ema", "raw"):
        raise InputError(f"--weights is {options.weights}; it must be ema or raw")
    return options


def sample(args: list[str]) -> None:
    """`python -m ddpm_spec.sample`: the images are not needed, only the run.

    Raises:
        InputError: for anything the user can mend.
        Interrupted: by SIGINT or SIGTERM.
        StoppedElsewhere: where another process has failed.
    """
    with Interrupt() as interrupt:
        processes.join()
        options = processes.from_first(lambda: parse_sample(args))
        run = processes.from_first(lambda: Run.read(options.run))
        times = processes.from_first(lambda: _times(options, run))
        accelerator, network = accelerator_for(run.settings), run.network()
        processes.from_first(lambda: checkpoints.fill(network, run.checkpoint, options.weights))
        processes.share(network.parameters())
        model = run.loaded(network, options.weights, accelerator.device)
        folder = processes.from_first(
            lambda: (
                folders.new_folder(options.out)
                if options.out
                else folders.numbered_folder(options.run, "samples")
            )
        )
        first, end = processes.my_share(options.n)
        T = len(times) or run.settings.process.T
        with progress_bar("sampling", T * -(-(end - first) // options.batch)) as bar, processes.together():

            def advance(rows: int) -> None:
                bar.advance(rows / T)
                interrupt.check(f"stopped; nothing was written to {folder}")

            mine = torch.empty(0, *run.image_shape, dtype=torch.uint8)  # more processes than images
            mine = mine if first == end else model.drawn(
                first, end, seed=options.seed, times=times, eta=options.eta, batch=options.batch,
                progress=advance,
            )  # fmt: skip
        drawn = torch.cat(processes.gathered(mine))
        if processes.is_first():
            array = io.BytesIO()
            np.save(array, drawn.numpy(), allow_pickle=False)
            folders.write_atomically(folder / "samples.npy", array.getvalue())
            folders.write_atomically(folder / "samples.png", pictures.grid_png(drawn, run.levels))
            made = {k: v for k, v in asdict(options).items() if k not in ("out", "batch")}
            made |= {"run": str(options.run), "checkpoint": run.checkpoint.name}
            folders.write_atomically(folder / "samples.json", (json.dumps(made, indent=2) + "\n").encode())
            size = "×".join(map(str, drawn.shape))
            console.print(f"{folder}: samples.npy {size}, samples.png")
        accelerator.end_training()


def _times(options: SampleOptions, run: Run) -> list[int]:
    return visited(
        run.settings.diffusion(),
        n=options.n,
        seed=options.seed,
        steps=options.steps,
        eta=options.eta,
        batch=options.batch,
    )
