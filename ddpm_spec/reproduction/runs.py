"""The runs that a table or figure needs: found by their settings, gone on with, or trained."""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ddpm_spec.data import Images
from ddpm_spec.errors import InputError
from ddpm_spec.machine import processes
from ddpm_spec.runs import checkpoints
from ddpm_spec.runs.folders import numbered_folder, write_atomically
from ddpm_spec.runs.provenance import commit, environment
from ddpm_spec.runs.settings import Settings
from ddpm_spec.terminal.console import Interrupt, console
from ddpm_spec.training.commands import DIVERGED, fit
from ddpm_spec.training.loop import Diverged
from ddpm_spec.training.options import TrainOptions

__all__ = ["MADE_BY", "Found", "find", "images_of", "trained"]

MADE_BY = "made_by.json"
"""In the folder of a run that was trained here: commit, hardware and the seconds that the last call took."""


@dataclass(frozen=True)
class Found:
    """A run with the settings asked for."""

    run: Path
    step: int
    """Of its last checkpoint; 0 without one."""
    diverged: dict[str, Any] | None
    """Where and how it diverged, if it did."""


def find(settings: Settings, runs: Path) -> Found | None:
    """The run with these settings that has come furthest, where the machine and the evaluation may differ."""
    found = []
    for file in sorted(runs.glob("*/settings.json")):
        try:
            saved = Settings.load(file)
        except InputError:
            continue  # of another version, or damaged: not a run with these settings
        if _decisive(saved) == _decisive(settings):
            found.append(_found(file.parent))
    return max(found, key=lambda one: (one.diverged is not None, one.step), default=None)


def _decisive(settings: Settings) -> dict[str, Any]:
    """What must agree for one run to stand for another."""
    more = {"steps": settings.training.steps, "variance": settings.process.variance}
    return settings.lasting() | more | {"images": images_of(settings)}


def images_of(settings: Settings) -> tuple[Any, ...]:
    """Which images these are, wherever they lie; that they are the same is for their digest to tell."""
    source = settings.source
    name = source.path if settings.data == "hub" else ""
    return settings.data, name, source.train_part, source.held_out_part, source.image_size, source.grey


def _found(run: Path) -> Found:
    steps = checkpoints.steps_in(run)
    noted = run / DIVERGED
    diverged = json.loads(noted.read_text(encoding="utf-8")) if noted.exists() else None
    return Found(run, steps[-1] if steps else 0, diverged)


def trained(
    settings: Settings,
    preset: str,
    runs: Path,
    interrupt: Interrupt,
    check: Callable[[Images], object] = lambda images: None,
) -> Found:
    """A run with these settings that has come to its end: found, gone on with, or trained in a new folder.

    `check` is told the images before anything is trained, and may refuse them.

    Raises:
        InputError: for anything but divergence, which is a result.
        Interrupted: by a signal; the run is saved and the next call goes on with it.
    """
    found = processes.from_first(lambda: find(settings, runs))
    if found and (found.diverged or found.step == settings.training.steps):
        console.print(f"{found.run}: has these settings, is used")
        return found
    run = found.run if found else processes.from_first(lambda: numbered_folder(runs, preset))
    place = {"resume": run} if found else {"run": run}
    options = TrainOptions(preset=preset, settings=settings, **place)
    start = time.monotonic()
    try:
        with fit(options, interrupt, check) as (trainer, *_):
            device, ranks = trainer.accelerator.device, trainer.accelerator.num_processes
    except Diverged as end:
        console.print(f"{run}: {end}")
        device, ranks = torch.device("cpu"), processes.count()
    except InputError:
        with contextlib.suppress(OSError):
            run.rmdir()  # which it refuses where anything has been written
        raise
    told = {"seconds": round(time.monotonic() - start, 1), "commit": commit(), **environment(device, ranks)}
    processes.from_first(
        lambda: write_atomically(run / MADE_BY, (json.dumps(told, indent=2) + "\n").encode())
    )
    return processes.from_first(lambda: _found(run))
