"""The commands `ddpm_spec.train` and `ddpm_spec.sample`, from options to files."""

import dataclasses
import functools
import io
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from ddpm_spec import data
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation import quality
from ddpm_spec.evaluation.bound import held_out_bound, histogram_bits, spread
from ddpm_spec.evaluation.draw import draw
from ddpm_spec.training import checkpoints, pictures, report, runs
from ddpm_spec.training.console import STARTED, Interrupt, console, progress_bar
from ddpm_spec.training.loop import Trainer, accelerator_for
from ddpm_spec.training.options import TrainOptions, parse_sample, parse_train
from ddpm_spec.training.settings import Settings

__all__ = ["sample", "train"]


def train(args: list[str]) -> None:
    """`python -m ddpm_spec.train`.

    Raises:
        InputError: for anything the user can mend; nothing has been trained then, or it is saved.
        Interrupted: by SIGINT or SIGTERM, after saving.
    """
    options = parse_train(args)
    with Interrupt() as interrupt:
        images = data.load(options.settings.data)
        accelerator = accelerator_for(options.settings)
        settings = _resolved(options.settings, accelerator)
        _check_fit(settings, images, accelerator)
        trainer = Trainer(settings, images, accelerator)
        run = _run_folder(options, trainer)
        if options.resume:
            trainer.restore(checkpoints.read(checkpoints.latest(run), trainer.belongs_to))
        if accelerator.is_main_process:
            settings.save(run / "settings.json")
            console.print(f"{run}: {settings.data} on {accelerator.device}, {_count(trainer):,} parameters")
        seconds = {"training": _fit(trainer, run, interrupt)}
        if accelerator.is_main_process:
            finished = _evaluate(trainer, images, run, interrupt, seconds)
            report.write(finished, run)
            report.print_report(finished)
            console.print(f"\nreport: {run / 'report.html'}")
        accelerator.wait_for_everyone()
        accelerator.end_training()


def _resolved(settings: Settings, accelerator: Accelerator) -> Settings:
    """The settings with device and threads as they turned out, so that a resumed run has the same."""
    machine = dataclasses.replace(
        settings.machine, device=accelerator.device.type, threads=torch.get_num_threads()
    )
    return dataclasses.replace(settings, machine=machine)


def _check_fit(settings: Settings, images: data.Images, accelerator: Accelerator) -> None:
    """Refuses settings that are sound one by one but not together.

    Raises:
        InputError: with what would be right.
    """
    channels, side, _ = images.shape
    try:
        with torch.device("meta"):
            settings.unet(channels, side)
    except ValueError as error:
        raise InputError(str(error)) from None
    if settings.evaluation.bound_images > len(images.held_out):
        raise InputError(
            f"--bound-images is {settings.evaluation.bound_images}; "
            f"it must be at most {len(images.held_out)}, the held-out images there are"
        )
    if settings.training.batch % accelerator.num_processes:
        raise InputError(
            f"--batch is {settings.training.batch}; it must be a multiple of {accelerator.num_processes}, "
            "the number of processes"
        )


def _count(trainer: Trainer) -> int:
    return sum(p.numel() for p in trainer.network.parameters())


def _run_folder(options: TrainOptions, trainer: Trainer) -> Path:
    """The folder of this run, made by the first process, the same for all."""
    found: list[Any] = [options.resume]
    if trainer.accelerator.is_main_process and not options.resume:
        checkpoints.reserve(options.run or Path("runs"), trainer.network)
        found = [
            runs.new_folder(options.run)
            if options.run
            else runs.numbered_folder(Path("runs"), options.preset)
        ]
    elif options.resume:
        checkpoints.reserve(options.resume, trainer.network)
    return Path(broadcast_object_list(found)[0])


def _fit(trainer: Trainer, run: Path, interrupt: Interrupt) -> float:
    """Trains to the end, or to a signal; seconds taken."""
    start, total = time.monotonic(), trainer.settings.training.steps
    batch = trainer.settings.training.batch

    def save(checkpoint: checkpoints.Checkpoint) -> None:
        if trainer.accelerator.is_main_process:
            checkpoints.write(run, checkpoint)

    with progress_bar("training", total) as bar:
        bar.skip(trainer.step)
        for loss in trainer.run(save):
            bar.advance(batch, f"loss {loss:.4f}  ")
            if interrupt.signal_number is not None and trainer.step < total:
                save(trainer.state())
                break
    interrupt.check(
        f"stopped at step {trainer.step:,} of {total:,} and saved; "
        f"go on with: python -m ddpm_spec.train --resume {run}"
    )
    return time.monotonic() - start


def _evaluate(
    trainer: Trainer, images: data.Images, run: Path, interrupt: Interrupt, seconds: dict[str, float]
) -> report.Report:
    """Samples, bound and figures of the averaged weights; writes the pictures."""
    settings, device = trainer.settings, trainer.accelerator.device
    T, plan = settings.process.T, settings.evaluation
    common = {"batch": plan.sample_batch, "seed": settings.training.seed, "device": device}

    def advance(bar: Any, rows: int) -> None:
        bar.advance(rows / T)
        interrupt.check(
            "stopped; the weights are trained and saved; "
            f"for samples and report: python -m ddpm_spec.train --resume {run}"
        )

    start = time.monotonic()
    with trainer.accelerator.autocast():
        with progress_bar("sampling", T * -(-plan.samples // plan.sample_batch)) as bar:
            samples = draw(
                trainer.average, trainer.diffusion, images.shape, images.levels,
                count=plan.samples, progress=functools.partial(advance, bar), **common,
            )  # fmt: skip
        seconds["samples"], start = time.monotonic() - start, time.monotonic()
        held_out = images.held_out[spread(plan.bound_images, len(images.held_out))]
        with progress_bar("bound", T * -(-len(held_out) // plan.sample_batch)) as bar:
            bound = held_out_bound(
                trainer.average, trainer.diffusion, held_out, images.levels,
                progress=functools.partial(advance, bar), **common,
            )  # fmt: skip
    seconds["bound"], start = time.monotonic() - start, time.monotonic()
    losses = trainer.losses[: trainer.step].cpu().numpy()
    runs.write_atomically(run / "samples.png", _png(samples, images.levels))
    runs.write_atomically(run / "loss.png", pictures.loss_curve(losses))
    judge, seed = quality.Judge(images), settings.training.seed
    figures = [
        judge.figures(x)
        for x in (
            samples,
            quality.class_gaussians(images, plan.samples, seed),
            quality.kernel_density(images, plan.samples, seed),
        )
    ]
    sigma_1 = settings.process.beta_1**0.5
    seconds |= {"figures": time.monotonic() - start, "all": time.monotonic() - STARTED}
    return report.Report(
        run=str(run),
        data=settings.data,
        levels=images.levels,
        step=trainer.step,
        parameters=_count(trainer),
        loss=float(losses[-max(1, len(losses) // 10) :].mean()),
        quality=figures[0],
        class_gaussians=figures[1],
        kernel_density=figures[2],
        held_out=judge.figures(images.held_out),
        bound=bound,
        histogram=histogram_bits(images, held_out),
        bin_in_sigmas=2 / (images.levels - 1) / sigma_1,
        seconds=seconds,
        environment=runs.environment(device, trainer.accelerator.num_processes),
        settings=settings,
    )


def _png(images: torch.Tensor, levels: int) -> bytes:
    out = io.BytesIO()
    pictures.grid(images, levels).save(out, format="png", optimize=True)
    return out.getvalue()


def sample(args: list[str]) -> None:
    """`python -m ddpm_spec.sample`.

    Raises:
        InputError: for anything the user can mend.
        Interrupted: by SIGINT or SIGTERM.
    """
    options = parse_sample(args)
    settings = Settings.load(options.run / "settings.json")
    images = data.load(settings.data)
    accelerator = accelerator_for(settings)
    checkpoint = checkpoints.latest(options.run)
    channels, side, _ = images.shape
    network = settings.unet(channels, side).to(memory_format=torch.channels_last).to(accelerator.device)
    checkpoints.fill(network, checkpoint, options.weights)
    T = settings.process.T
    folder = runs.new_folder(options.out) if options.out else runs.numbered_folder(options.run, "samples")
    with (
        Interrupt() as interrupt,
        progress_bar("sampling", T * -(-options.n // options.batch)) as bar,
        accelerator.autocast(),
    ):

        def advance(rows: int) -> None:
            bar.advance(rows / T)
            interrupt.check(f"stopped; nothing was written to {folder}")

        drawn = draw(
            network, settings.diffusion(), images.shape, images.levels, count=options.n, batch=options.batch,
            seed=options.seed, device=accelerator.device, progress=advance,
        )  # fmt: skip
    array = io.BytesIO()
    np.save(array, drawn.numpy(), allow_pickle=False)
    runs.write_atomically(folder / "samples.npy", array.getvalue())
    runs.write_atomically(folder / "samples.png", _png(drawn, images.levels))
    made = {k: v for k, v in asdict(options).items() if k not in ("out", "batch")}
    made |= {"run": str(options.run), "checkpoint": checkpoint.name}
    runs.write_atomically(folder / "samples.json", (json.dumps(made, indent=2) + "\n").encode())
    console.print(f"{folder}: samples.npy {drawn.shape[0]}×{'×'.join(map(str, images.shape))}, samples.png")
