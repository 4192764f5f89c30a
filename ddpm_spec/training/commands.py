"""The command `ddpm_spec.train`, from options to files."""

import contextlib
import functools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from ddpm_spec import data, pictures
from ddpm_spec.data.taken import copied, say
from ddpm_spec.diffusion import Diffusion
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation import quality
from ddpm_spec.evaluation.bound import held_out_bound, histogram_bits, spread
from ddpm_spec.evaluation.draw import draw
from ddpm_spec.machine import memory, processes
from ddpm_spec.machine.accelerator import accelerator_for, description, resolved, say_what_differs
from ddpm_spec.runs import checkpoints, folders, lock, provenance
from ddpm_spec.runs.presets import preset
from ddpm_spec.runs.settings import SEEDS, Settings
from ddpm_spec.terminal.console import STARTED, Interrupt, Interrupted, console, notice, progress_bar
from ddpm_spec.training import chain, report
from ddpm_spec.training.log import Log
from ddpm_spec.training.loop import Diverged, Trainer
from ddpm_spec.training.options import TrainOptions, parse_train

__all__ = ["DIVERGED", "fit", "train"]

DIVERGED = "diverged.json"
"""In the folder of a run that came to no end: the first bad step, what was not finite, its value."""

GRID = 64
"""Samples in a grid that is drawn on the way."""


def train(args: list[str]) -> None:
    """`python -m ddpm_spec.train`.

    Raises:
        InputError: for anything the user can mend; nothing has been trained then, or it is saved.
        Interrupted: by SIGINT or SIGTERM, after saving.
        StoppedElsewhere: where another process has failed.
    """
    with Interrupt() as interrupt:
        processes.joined(lambda: _train(args, interrupt))


def _train(args: list[str], interrupt: Interrupt) -> None:
    options = processes.from_first(lambda: parse_train(args))
    with fit(options, interrupt) as (trainer, images, run, seconds):
        if processes.is_first():  # the others have nothing to wait for
            finished = _evaluate(trainer, images, run, interrupt, {"training": seconds})
            report.write(finished, run)
            report.print_report(finished)
            console.print(f"\nreport: {run / 'report.html'}")


@contextlib.contextmanager
def fit(
    options: TrainOptions, interrupt: Interrupt, check: Callable[[data.Images], object] = lambda images: None
) -> Iterator[tuple[Trainer, data.Images, Path, float]]:
    """Trains what the options say to its last step: the trainer, its images, its folder, the seconds taken.

    Until the block ends, no other process can train in that folder. `check` is told the images before that
    and may refuse what is to be done with them.

    Raises:
        InputError: as `train`; `Diverged`, one of them, after noting it in the run.
        Interrupted: by a signal, after saving.
        StoppedElsewhere: where another process has failed.
    """
    with contextlib.ExitStack() as alone:
        if options.resume:
            held = lock.writing(options.resume)
            processes.from_first(lambda: alone.enter_context(held))
        with processes.together():
            accelerator = accelerator_for(options.settings)
        images = _load(options.settings, accelerator, interrupt)
        with processes.together():
            _check_fit(options, images, accelerator)
            check(images)
        settings = processes.from_first(lambda: resolved(options.settings, accelerator.device))
        trainer = Trainer(settings, images, accelerator)
        run = processes.from_first(lambda: _open_run(options, trainer, alone))
        if short := chain.too_short(settings, images):
            notice(short)
        trainer.share()
        yield trainer, images, run, _fit(trainer, run, interrupt)


def _load(settings: Settings, accelerator: Accelerator, interrupt: Interrupt) -> data.Images:
    """The images, which must be the same on every machine.

    Raises:
        InputError: if they are not, or cannot be had, or no network can be trained on them here.
        Interrupted: by a signal while they are decoded into the cache.
    """

    @contextlib.contextmanager
    def decoding(count: int) -> Iterator[Callable[[int], None]]:
        with progress_bar("decoding", count) as bar:

            def done(images: int) -> None:
                bar.advance(1, calls=images)
                interrupt.check("stopped while decoding images; nothing was trained")

            yield done

    workers = settings.machine.workers
    images = processes.one_a_machine(
        lambda: data.load(
            settings.data,
            settings.source,
            workers=workers,
            progress=decoding,
            check=functools.partial(_fits, settings, accelerator),
        )
    )
    digest = processes.from_first(lambda: images.digest)
    with processes.together():
        if images.digest != digest:
            raise InputError(
                f"{settings.data} here is not what the first process has; give every machine the same images"
            )
    say(images)
    if why := quality.why_no_judge(images):
        notice(f"the samples will not be judged: {why}")
    return images


def _fits(settings: Settings, accelerator: Accelerator, channels: int, side: int) -> None:
    """Refuses images of this shape that the network cannot halve so often, or the memory cannot hold."""
    with torch.device("meta"):
        network = settings.unet(channels, side)
    parts = accelerator.num_processes * settings.training.accumulate
    memory.refuse_training(settings, _count(network), (channels, side, side), accelerator.device, parts)


def _check_fit(options: TrainOptions, images: data.Images, accelerator: Accelerator) -> None:
    """Refuses settings that are sound one by one but not together.

    Raises:
        InputError: with what would be right.
    """
    settings = options.settings
    channels, side, _ = images.shape
    _fits(settings, accelerator, channels, side)  # once more for images that are not decoded
    sides = [side >> level for level in range(len(settings.network.multipliers))]
    asked = settings.network.attention
    if not options.resume and asked != preset(options.preset).network.attention:  # a default may do nothing
        for odd in set(asked).difference(sides):
            raise InputError(
                f"no feature map has side {odd}, which --attention names; "
                f"they have {' '.join(map(str, sides))}"
            )
    if settings.evaluation.bound_images > len(images.held_out):
        raise InputError(
            f"--bound-images is {settings.evaluation.bound_images}; "
            f"it must be at most {len(images.held_out)}, the held-out images there are"
        )
    parts = accelerator.num_processes * settings.training.accumulate
    if settings.training.batch % parts:
        raise InputError(
            f"--batch is {settings.training.batch}; it must be a multiple of {parts}, "
            "the number of processes times --accumulate"
        )
    if not options.resume and settings.training.batch > len(images.train):  # older versions repeated images
        raise InputError(
            f"--batch is {settings.training.batch}; it must be at most {len(images.train):,}, "
            "the training images there are"
        )
    memory.refuse_samples("--samples", settings.evaluation.samples, images.shape)


def _count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def _open_run(options: TrainOptions, trainer: Trainer, alone: contextlib.ExitStack) -> Path:
    """The folder of this run: one to go on in, from its last checkpoint if it has one, or a new one.

    A new one is locked until `alone` is closed; the other is already.
    """
    settings = trainer.settings
    checkpoints.reserve(options.resume or options.run or Path("runs"), trainer.network)
    if options.resume:
        run = options.resume
        if checkpoints.steps_in(run):
            place = settings.source.path or settings.data
            saved = checkpoints.read(checkpoints.latest(run), trainer.belongs_to, place)
            trainer.restore(saved)
            say_what_differs(saved.made_on, description(settings, trainer.accelerator))
        else:
            notice(f"{run} holds no checkpoint yet; it starts from its beginning")
    elif options.run:
        run = folders.new_folder(options.run)
    else:
        run = folders.numbered_folder(Path("runs"), options.preset)
    if not options.resume:
        alone.enter_context(lock.writing(run))
    settings.save(run / "settings.json")
    console.print(
        f"{run}: {settings.data} on {trainer.accelerator.device.type}, {_count(trainer.network):,} parameters"
    )
    return run


def _fit(trainer: Trainer, run: Path, interrupt: Interrupt) -> float:
    """Trains to the end, or to a signal; seconds taken.

    Raises:
        Diverged: as the loop does, after noting it in the run.
        Interrupted: by a signal, after saving.
    """
    start, total = time.monotonic(), trainer.settings.training.steps
    log = Log(run, trainer.step) if processes.is_first() else None

    resume = f"go on with: python -m ddpm_spec.train --resume {run}"
    with progress_bar("training", total) as bar, processes.all_alive(resume):
        bar.skip(trainer.step)
        seen = trainer.step
        looks = trainer.run(
            lambda checkpoint: checkpoints.write(run, checkpoint),
            draw=lambda: _draw_grid(trainer, run, interrupt, log),
            signal=lambda: interrupt.signal_number or 0,
        )
        try:
            for look in looks:
                rate = bar.advance(
                    trainer.settings.training.batch, f"loss {look.loss:.4f}  ", look.step - seen
                )
                seen = look.step
                if log:
                    log.look(look, rate)
        except Diverged as end:
            noted = {"step": end.step, "cause": end.cause, "value": str(end.value)}
            folders.write_atomically(run / DIVERGED, (json.dumps(noted, indent=2) + "\n").encode())
            steps = checkpoints.steps_in(run)
            saved = f" (checkpoint-{steps[-1]} is from before)" if steps else " (nothing was saved)"
            raise Diverged(end.step, end.cause, end.value, saved) from None
        except RuntimeError as error:
            raise _one_line(error) or error from None
    if processes.is_first():
        (run / DIVERGED).unlink(missing_ok=True)  # this time it has passed that step
    if trainer.stopped_by and trainer.step < total:
        said = f"stopped at step {trainer.step:,} of {total:,} and saved; {resume}"
        raise processes.alike(Interrupted(trainer.stopped_by, said))
    return time.monotonic() - start


def _one_line(error: RuntimeError) -> InputError | None:
    """What the person can mend about this, if anything."""
    if isinstance(error, torch.OutOfMemoryError):
        return InputError("the device is out of memory; raise --accumulate, or lower --batch")
    if isinstance(error, torch._dynamo.exc.TorchDynamoException):
        return InputError(
            f"the network cannot be compiled here ({str(error).strip().splitlines()[0]}); use --compile off"
        )
    return None


def _draw_grid(trainer: Trainer, run: Path, interrupt: Interrupt, log: Log | None) -> None:
    """grid-<step>.png: samples from the noise that every grid of the run begins with."""
    with contextlib.suppress(Interrupted), trainer.accelerator.autocast():
        samples = draw(
            trainer.average, trainer.diffusion, trainer.image_shape, trainer.levels,
            count=GRID, batch=trainer.settings.evaluation.sample_batch,
            seed=trainer.settings.training.seed, device=trainer.accelerator.device,
            progress=lambda rows: interrupt.check("no time for a grid"),
        )  # fmt: skip
        png = pictures.grid_png(samples, trainer.levels)
        folders.write_atomically(run / f"grid-{trainer.step}.png", png)
        if log:
            log.grid(png, trainer.step)


def _evaluate(
    trainer: Trainer, images: data.Images, run: Path, interrupt: Interrupt, seconds: dict[str, float]
) -> report.Report:
    """Samples, bound and figures of the averaged weights; writes the pictures."""
    settings, device = trainer.settings, trainer.accelerator.device
    T, plan = settings.process.T, settings.evaluation
    seed = settings.training.seed % SEEDS  # a run of an older version may have another
    common = {"batch": plan.sample_batch, "seed": seed, "device": device}

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
    folders.write_atomically(run / "samples.png", pictures.grid_png(samples, images.levels))
    folders.write_atomically(run / "loss.png", pictures.loss_curve(losses))
    figures = {}
    if quality.has_judge(images):
        judge = quality.Judge(images)
        figures = {
            report.OURS: judge.figures(samples),
            "a Gaussian a class": judge.figures(quality.class_gaussians(images, plan.samples, seed)),
            "kernel density": judge.figures(quality.kernel_density(images, plan.samples, seed)),
            "held-out images": judge.figures(images.held_out),
        }
    seconds |= {"figures": time.monotonic() - start, "all": time.monotonic() - STARTED}
    return report.Report(
        run=str(run),
        data=settings.data,
        levels=images.levels,
        step=trainer.step,
        parameters=_count(trainer.network),
        loss=float(losses[-max(1, len(losses) // 10) :].mean()),
        figures=figures,
        bound=bound,
        histogram=histogram_bits(images, held_out) if figures else None,
        bin_in_sigmas=_bin_in_sigmas(trainer.diffusion, images.levels),
        seconds=seconds,
        environment=provenance.environment(device, trainer.accelerator.num_processes),
        settings=settings,
        short_chain=chain.too_short(settings, images),
        no_figures=quality.why_no_judge(images),
        taken=images.taken,
        copies=copied(images.copies, len(images.held_out)) if images.copies else "",
    )


def _bin_in_sigmas(diffusion: Diffusion, levels: int) -> float | None:
    """Width of a grey level's bin, for data in [−1, 1], over σ_1; nothing if every image has its own."""
    if diffusion.learns_variance:
        return None
    nothing = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    _, variance = diffusion.reverse_law(lambda x_t, t: x_t, nothing, torch.ones(1, dtype=torch.int64))
    return 2 / (levels - 1) / float(variance) ** 0.5
