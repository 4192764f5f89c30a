"""What is asked for, the run it is measured on, and what comes out."""

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.features import Features
from ddpm_spec.evaluation.inception import fid_and_is, inception_weights
from ddpm_spec.evaluation.measure import Measure, Split
from ddpm_spec.evaluation.model import open_run
from ddpm_spec.evaluation.quality import Judge
from ddpm_spec.evaluation.results import Results, bounds, judges_of, quality
from ddpm_spec.machine import memory, processes
from ddpm_spec.reproduction.runs import MADE_BY, Found, trained
from ddpm_spec.runs.settings import Settings
from ddpm_spec.terminal.console import Interrupt

__all__ = ["WEIGHTS", "Made", "Plan", "Run", "Table", "one_run", "open_for"]

WEIGHTS = "ema"
"""The paper samples with the averaged weights."""


@dataclass(frozen=True)
class Plan:
    """What was asked for."""

    preset: str
    settings: Settings
    runs: Path
    """The folder with the runs."""
    run: Path | None
    """The run to take, where a target needs one only."""
    interrupt: Interrupt
    seed: int
    samples: int
    bound_images: int
    batch: int
    inception: Path | None
    held: int = 0
    """How often so many samples are in the memory at once."""

    def check(self, image_shape: tuple[int, int, int]) -> None:
        """Refuses more samples of such images than the memory can hold.

        Raises:
            InputError: with the memory needed and the memory there is.
        """
        memory.refuse_samples("--samples", self.samples, image_shape, self.held)

    def trained(self, settings: Settings) -> Found:
        """A run with these settings; see `runs.trained`."""
        return trained(
            settings, self.preset, self.runs, self.interrupt, lambda images: self.check(images.shape)
        )


@dataclass(frozen=True)
class Table:
    """Cells as they are shown."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass
class Made:
    """A table or figure, made again."""

    tables: list[Table] = field(default_factory=list)
    picture: bytes | None = None
    alt: str = ""
    notes: list[str] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    """The runs behind it: folder, checkpoint, hash, seeds."""
    numbers: dict[str, Any] = field(default_factory=dict)
    """What the cells and curves were made from, unrounded."""


@dataclass(frozen=True)
class Run:
    """A trained model, ready to be measured."""

    plan: Plan
    measure: Measure
    trained_with: int
    """The seed of the training."""

    @property
    def source(self) -> dict[str, Any]:
        """What a number from this run must name."""
        model = self.measure.model
        return {
            **model.origin,
            "run": Path(model.origin["run"]).name,
            "weights": WEIGHTS,
            "sha256": model.digests[WEIGHTS],
            "data": model.images.name,
            "data_sha256": model.images.digest,
            "trained_with_seed": self.trained_with,
            "measured_with_seed": self.measure.seed,
            "trained": _trained_by(Path(model.origin["run"])),
            "settings": asdict(model.settings),
        }

    @property
    def named(self) -> str:
        """The same in a cell."""
        model = self.measure.model
        folder = Path(model.origin["run"]).name
        return f"{folder}, {model.digests[WEIGHTS][:8]}, seed {self.measure.seed}"

    @property
    def by_ddim(self) -> bool:
        """Whether samples are by DDIM, which has no bound by Eq. 5."""
        return self.measure.eta is not None

    @property
    def count(self) -> dict[Split, int]:
        """Images for the bound, from each set."""
        sets = self.measure.model.images
        sizes: dict[Split, int] = {"train": len(sets.train), "test": len(sets.held_out)}
        return {split: min(self.plan.bound_images, size) for split, size in sizes.items()}

    @cached_property
    def bound(self) -> tuple[Results, Results]:
        """Bound and curves, by set and convention."""
        return bounds(self.measure, WEIGHTS, self.count)

    @cached_property
    def quality(self) -> Results:
        """Figures and distances of samples."""
        return quality(self.measure.samples(WEIGHTS, self.plan.samples), self.judges)

    @cached_property
    def judges(self) -> tuple[Judge, Features] | None:
        """What judges samples of small grey images."""
        return judges_of(self.measure.model.images, self.plan.seed)

    def inception(self, samples: Tensor | None = None) -> Results | str:
        """FID and IS of these samples, or of the run's own; or why there are none.

        All processes call this and draw; the first one measures.
        """
        model = self.measure.model
        if model.images.shape[0] != 3 or model.images.levels != 256:
            return "not of colour images"
        drawn = self.measure.samples(WEIGHTS, self.plan.samples) if samples is None else samples
        references = {"train": model.images.train, "test": model.images.held_out}

        def measured() -> Results | str:
            try:
                weights = inception_weights(self.plan.inception)
            except InputError as error:
                return str(error)
            return fid_and_is(drawn, references, weights, model.accelerator.device)

        return processes.from_first(measured)


def _trained_by(run: Path) -> dict[str, Any] | None:
    """Commit, hardware and time of the training, where they were noted."""
    noted = run / MADE_BY
    return json.loads(noted.read_text(encoding="utf-8")) if noted.exists() else None


def open_for(plan: Plan, run: Path) -> Run:
    """This run, to be measured as asked."""
    source = plan.settings.source
    model = open_run(run, path=source.path or None, cache=source.cache or None)
    plan.check(model.images.shape)
    convention = plan.settings.process.convention
    folder = run / "evaluation"
    measure = Measure(model, folder, plan.interrupt, plan.seed, plan.batch, convention)
    return Run(plan, measure, model.settings.training.seed)


def one_run(plan: Plan) -> Run:
    """The run that was named, or one with the preset's settings.

    Raises:
        InputError: if it diverged: nothing can be shown of it.
    """
    if plan.run:
        return open_for(plan, plan.run)
    found = plan.trained(plan.settings)
    if found.diverged:
        raise InputError(f"{found.run} diverged at step {found.diverged['step']}; change its settings")
    return open_for(plan, found.run)
