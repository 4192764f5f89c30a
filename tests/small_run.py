"""A run of the trainer that takes a second, for the tests of `training`."""

import dataclasses
from pathlib import Path
from typing import Any

from ddpm_spec.data import Images
from ddpm_spec.machine.accelerator import accelerator_for
from ddpm_spec.runs import checkpoints
from ddpm_spec.runs.settings import Evaluation, Machine, Network, Process, Settings, Training
from ddpm_spec.training.loop import Trainer

__all__ = ["FLAGS", "SMALL", "finished", "same", "small", "trainer"]

SMALL = Settings(
    network=Network(channels=8, multipliers=(1, 2), groups=4, dropout=0.2),
    process=Process(T=8),
    training=Training(steps=7, batch=6, warmup=2, ema=0.5, flip=True, seed=3, save_every=3),
    evaluation=Evaluation(samples=12, bound_images=4, sample_batch=5),
    machine=Machine(device="cpu", threads=1, compile="off"),
)
"""Flips and dropout are on: they must survive a resume too."""

_WORDS = """
--channels 8 --multipliers 1 2 --groups 4 --dropout 0.2 --T 8 --steps 7 --batch 6 --warmup 2 --ema 0.5 --flip
--seed 3 --save-every 3 --samples 12 --bound-images 4 --sample-batch 5 --device cpu --threads 1
"""
FLAGS = _WORDS.split()
"""The same on the command line."""


def small(**changes: Any) -> Settings:
    """The settings of the small run with some replaced: those of training, or of a group given by name."""
    groups = {name: changes.pop(name, {}) for name in ("network", "process", "machine")}
    groups["training"] = changes
    replaced = {name: dataclasses.replace(getattr(SMALL, name), **values) for name, values in groups.items()}
    return dataclasses.replace(SMALL, **replaced)


def trainer(images: Images, **changes: Any) -> Trainer:
    """A trainer of the small run with these changes."""
    settings = small(**changes)
    return Trainer(settings, images, accelerator_for(settings))


def finished(run: Path, images: Images, **changes: Any) -> Trainer:
    """The same, trained to its last step, with its checkpoints in `run`."""
    run.mkdir(exist_ok=True)
    made = trainer(images, **changes)
    for _ in made.run(lambda state: checkpoints.write(run, state)):
        pass
    return made


def same(a: checkpoints.Checkpoint, b: checkpoints.Checkpoint) -> bool:
    """Whether two states agree in every bit."""
    pairs = [(a.ema, b.ema), (a.raw, b.raw), (a.moments, b.moments), ({"": a.losses}, {"": b.losses})]
    return a.step == b.step and all(
        x.keys() == y.keys() and all(x[k].equal(y[k]) for k in x) for x, y in pairs
    )
