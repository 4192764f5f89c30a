"""The command `ddpm_spec.reproduce`, from options to files."""

import dataclasses
import time
from pathlib import Path

from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.inception import inception_weights
from ddpm_spec.evaluation.loaded import is_run
from ddpm_spec.evaluation.model import located
from ddpm_spec.machine import processes
from ddpm_spec.machine.accelerator import accelerator_for
from ddpm_spec.reproduction import output
from ddpm_spec.reproduction.makers import MAKERS
from ddpm_spec.reproduction.options import ReproduceOptions, command, parse_reproduce
from ddpm_spec.reproduction.plan import Plan
from ddpm_spec.reproduction.runs import images_of
from ddpm_spec.reproduction.targets import TARGETS, listed
from ddpm_spec.runs import checkpoints, folders
from ddpm_spec.runs.presets import preset
from ddpm_spec.runs.provenance import commit, environment
from ddpm_spec.runs.settings import Settings
from ddpm_spec.terminal.console import Interrupt, console

__all__ = ["reproduce"]

SAMPLES = 50_000
"""The paper's number, where its own data are asked for."""
IMAGES = 10_000
"""All of CIFAR10's test set, and as many training images; the paper has all of both."""


def reproduce(args: list[str]) -> None:
    """`python -m ddpm_spec.reproduce`.

    Raises:
        InputError: for anything the user can mend.
        Interrupted: by SIGINT or SIGTERM; runs and finished batches are kept.
        StoppedElsewhere: where another process has failed.
    """
    with Interrupt() as interrupt:
        processes.joined(lambda: _reproduce(args, interrupt))


def _reproduce(args: list[str], interrupt: Interrupt) -> None:
    start = time.monotonic()
    options = processes.from_first(lambda: parse_reproduce(args))
    if options.list:
        listed()
        return
    plan = _plan(options, interrupt)
    folder = options.out or options.runs / "results"
    processes.from_first(lambda: folders.existing_or_new(folder))
    target = TARGETS[options.target]
    made = MAKERS[options.target](plan)
    if processes.is_first():
        accelerator = accelerator_for(plan.settings)
        provenance = {
            "command": command(options),
            "commit": commit(),
            "seconds": round(time.monotonic() - start, 1),
            **environment(accelerator.device, accelerator.num_processes),
        }
        result = output.as_json(options.target, target, options.preset, made, provenance)
        path = output.write(result, made.picture, folder)
        output.show(result, folder)
        console.print(f"\n{path}")


def _plan(options: ReproduceOptions, interrupt: Interrupt) -> Plan:
    settings = located(preset(options.preset), options.path, options.cache)
    if options.steps:
        training = dataclasses.replace(settings.training, steps=options.steps)
        settings = dataclasses.replace(settings, training=training)
    if options.from_:
        if not is_run(options.from_):
            raise InputError(
                f"{options.from_} is not a run folder: it has no settings.json, and tables and figures "
                "need a run; for the numbers of weights alone: python -m ddpm_spec.evaluate "
                f"{options.from_} --preset {options.preset}"
            )
        saved = Settings.load(options.from_ / "settings.json")
        if images_of(saved) != images_of(settings):
            raise InputError(
                f"{options.from_} was trained on other images ({saved.data}) than --preset {options.preset} "
                "has; name the preset it was trained with"
            )
        shape, _ = checkpoints.image_format(checkpoints.latest(options.from_), saved)
        settings = located(saved, options.path, options.cache)
    if options.inception:
        _check_inception(options.inception, settings)
    own = options.preset in TARGETS[options.target].presets
    samples, images = (SAMPLES, IMAGES) if own else (
        settings.evaluation.samples, settings.evaluation.bound_images
    )  # fmt: skip
    plan = Plan(
        preset=options.preset,
        settings=settings,
        runs=options.runs,
        run=options.from_,
        interrupt=interrupt,
        seed=options.seed,
        samples=options.samples or samples,
        bound_images=options.images or images,
        batch=options.batch or settings.evaluation.sample_batch,
        inception=options.inception,
        held=TARGETS[options.target].held,
    )
    if options.from_:
        plan.check(shape)
    return plan


def _check_inception(file: Path, settings: Settings) -> None:
    """Refuses, before anything is trained, a file that is not right or would not be used.

    Raises:
        InputError: with the reason.
    """
    if settings.data in ("digits", "fashion-mnist") or settings.source.grey:
        raise InputError(
            f"FID and IS are for colour images of 256 levels, which {settings.data} has not; "
            "leave --inception away"
        )
    inception_weights(file)
