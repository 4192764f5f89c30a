"""The command `ddpm_spec.sample`, from options to files."""

import io
import json
from dataclasses import asdict

import numpy as np
import torch

from ddpm_spec import pictures
from ddpm_spec.evaluation.loaded import Run, visited
from ddpm_spec.evaluation.options import SampleOptions, parse_sample
from ddpm_spec.machine import memory, processes
from ddpm_spec.machine.accelerator import accelerator_for
from ddpm_spec.runs import checkpoints, folders
from ddpm_spec.terminal.console import Interrupt, console, progress_bar

__all__ = ["sample"]


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
            else folders.numbered_folder(options.run, "samples", "name one with --out")
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


def _times(options: SampleOptions, run: Run) -> list[int]:
    memory.refuse_samples("--n", options.n, run.image_shape)
    return visited(
        run.settings.diffusion(),
        n=options.n,
        seed=options.seed,
        steps=options.steps,
        eta=options.eta,
        batch=options.batch,
    )
