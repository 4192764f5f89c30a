"""What is measured of a model: samples and the terms of the bound, batch by batch, each only once."""

import dataclasses
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ddpm_spec.choices import Convention
from ddpm_spec.data import Store
from ddpm_spec.diffusion import Diffusion, Network, told
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.bound import Terms, spread, terms
from ddpm_spec.evaluation.draw import Progress, draw
from ddpm_spec.evaluation.model import Model
from ddpm_spec.evaluation.parts import Parts, Tensors
from ddpm_spec.terminal.console import Interrupt

__all__ = ["CONVENTIONS", "Measure", "Split"]

Split = Literal["train", "test"]
CONVENTIONS: tuple[Convention, ...] = get_args(Convention)


@dataclass(frozen=True)
class Measure:
    """One model, one seed, one folder of finished batches."""

    model: Model
    folder: Path
    interrupt: Interrupt
    seed: int = 0
    batch: int = 256
    convention: Convention | None = None
    """How to sample; None: as the settings of the model say."""
    times: tuple[int, ...] = ()
    """The times that samples and bound visit; none for all."""
    eta: float | None = None
    """η of DDIM, by which to sample; a bound does not know it."""

    @property
    def parts(self) -> Parts:
        """The finished batches."""
        return Parts(self.folder / "parts", self.model.accelerator, self.interrupt)

    def diffusion(self, convention: Convention | None = None) -> Diffusion:
        """The model's process, under a convention."""
        own = self.model.settings.diffusion()
        return dataclasses.replace(own, convention=convention or self.convention or own.convention)

    def chain(self, convention: Convention | None = None) -> Diffusion:
        """The same where all times are visited, else the chain of fewer steps, whose bound is measured."""
        whole = self.diffusion(convention)
        return whole.visiting(self.times) if self.times else whole

    def purpose(self, kind: str, weights: str, **more: Any) -> dict[str, Any]:
        """Everything that decides numbers of this kind."""
        machine = self.model.settings.machine
        device = self.model.accelerator.device.type
        return {
            "kind": kind,
            "weights": self.model.digests[weights],
            "data": self.model.images.digest,
            "process": asdict(self.model.settings.process),
            "seed": self.seed,
            "computed_in": [device, machine.dtype],
            **more,
        }

    def samples(self, weights: str, count: int) -> Tensor:
        """`count` images, uint8 grey levels: of Algorithm 2, or as `times` and `eta` say."""
        diffusion, images = self.diffusion(), self.model.images

        def make(first: int, end: int, progress: Progress) -> Tensors:
            with self.model.accelerator.autocast():
                drawn = draw(
                    self.model.networks[weights], diffusion, images.shape, images.levels, start=first,
                    count=end, batch=self.batch, seed=self.seed, device=self.model.accelerator.device,
                    progress=progress, times=self.times, eta=self.eta,
                )  # fmt: skip
            return {"samples": drawn}

        purpose = self.purpose("samples", weights, convention=diffusion.convention, **self._otherwise)
        title, calls = f"samples ({weights})", len(self.times) or diffusion.schedule.T
        return self.parts.collect(title, purpose, count, self.batch, calls, make)["samples"]

    @property
    def _otherwise(self) -> dict[str, Any]:
        """What is not Algorithm 2 in all steps, for a purpose."""
        return {k: v for k, v in (("times", list(self.times) or None), ("eta", self.eta)) if v is not None}

    def chosen(self, split: Split, count: int) -> tuple[Store, Tensor]:
        """A set of images and which of them to take: `count`, evenly spread.

        Raises:
            InputError: if there are not so many images.
        """
        images = self.model.images
        store: Store = images.train if split == "train" else images.held_out
        if count > len(store):
            train, test = len(images.train), len(images.held_out)
            raise InputError(
                f"--images is {count}; it must be at most {min(train, test)}: {images.name} has "
                f"{train} train and {test} test images"
            )
        return store, spread(count, len(store))

    def terms(self, weights: str, split: Split, count: int) -> dict[Convention, Terms]:
        """The terms of Eq. 5 on `count` images, evenly spread, under both conventions.

        Raises:
            InputError: if there are not so many images.
            ValueError: for DDIM, which is another process than the one that has this bound.
        """
        if self.eta is not None:
            raise ValueError(f"eta is {self.eta}: Eq. 5 bounds Algorithm 2, not DDIM")
        images, device = self.model.images, self.model.accelerator.device
        store, chosen = self.chosen(split, count)
        diffusions = [self.chain(convention) for convention in CONVENTIONS]
        network: Network = self.model.networks[weights]
        if self.times:
            network = told(network, self.times)

        def make(first: int, end: int, progress: Progress) -> Tensors:
            with self.model.accelerator.autocast():
                measured = terms(
                    network, diffusions, store[chosen[first:end]].to(device), images.levels,
                    rows=torch.arange(first, end, device=device), seed=self.seed, progress=progress,
                )  # fmt: skip
            return {
                f"{convention}.{name}": tensor
                for convention, found in zip(CONVENTIONS, measured, strict=True)
                for name, tensor in found._asdict().items()
            }

        purpose = self.purpose("bound", weights, split=split, images=count, **self._otherwise)
        title = f"bound ({weights}, {split})"
        found = self.parts.collect(title, purpose, count, self.batch, diffusions[0].schedule.T, make)
        return {c: Terms(*(found[f"{c}.{name}"] for name in Terms._fields)) for c in CONVENTIONS}
