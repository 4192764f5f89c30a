"""A trained network opened to be used: samples, and the bound on images that somebody has."""

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ddpm_spec.diffusion import Diffusion
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.bound import Bound, held_out_bound
from ddpm_spec.evaluation.draw import Progress, draw
from ddpm_spec.evaluation.options import check_draw
from ddpm_spec.machine.accelerator import compiled, device_for, resolved
from ddpm_spec.runs import checkpoints
from ddpm_spec.runs.settings import Device, Machine, Settings, without_dashes
from ddpm_spec.schedule import evenly
from ddpm_spec.unet import UNet

__all__ = ["Loaded", "Run", "check_diffusers", "is_run", "load", "ready", "visited"]

Weights = Literal["ema", "raw"]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Loaded:
    """A network with its weights and the process it was trained for; `load` makes one.

    It is frozen: `dataclasses.replace(model, levels=17)` gives one with another field.
    """

    network: nn.Module
    """ε_θ, or what else was predicted: called as `network(x_t, t)`, t in 1..T. On its device, without
    gradients; `network.requires_grad_()` gives them back."""
    diffusion: Diffusion
    """The forward and the reverse process."""
    image_shape: Shape
    """(C, H, W) of one image."""
    levels: int
    """Grey levels of the images: those of a run's data, 256 for weights without a run."""
    settings: Settings | None
    """All that decided a run; None for weights without one."""
    origin: dict[str, Any]
    """Where the weights come from: folder, checkpoint and which weights of a run; else
    `OpenWeights.provenance`, whose `assumed` says what the files do not tell."""

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def sample(
        self, n: int, seed: int = 0, *, steps: int | None = None, eta: float | None = None, batch: int = 256
    ) -> Tensor:
        """`n` images by Algorithm 2: uint8 grey levels 0..levels − 1, shape (n, C, H, W), on the CPU.

        Image i is a function of (seed, i), however many are drawn. For a run these are the images that
        `python -m ddpm_spec.sample` draws on the same device with as many threads, bit for bit.

        Args:
            n: how many.
            seed: an integer from 0 to 2³² − 1.
            steps: steps to take, evenly spread over 1..T; None for all T.
            eta: η of DDIM, in [0, 1]; None for Algorithm 2 with the model's own variance.
            batch: images in one call of the network.

        Raises:
            InputError: for a value out of range, or fewer steps than a variance of single steps can take.
        """
        try:
            times = visited(self.diffusion, n=n, seed=seed, steps=steps, eta=eta, batch=batch)
        except InputError as error:
            raise InputError(without_dashes(str(error))) from None
        return self.drawn(0, n, seed=seed, times=times, eta=eta, batch=batch)

    def drawn(
        self,
        start: int,
        count: int,
        *,
        seed: int,
        times: list[int],
        eta: float | None,
        batch: int,
        progress: Progress = lambda rows: None,
    ) -> Tensor:
        """Images `start` to `count` − 1 of these, by the times that `visited` gave."""
        reduced = self.settings is not None and self.settings.machine.dtype == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=reduced):
            return draw(
                self.network, self.diffusion, self.image_shape, self.levels, start=start, count=count,
                batch=batch, seed=seed, device=self.device, progress=progress, times=times, eta=eta,
            )  # fmt: skip

    def bound(self, images: Tensor, seed: int = 0, *, batch: int = 256) -> Bound:
        """The bound of Eq. 5 on these images in bits/dim, with its terms: T network calls a batch.

        The network computes in float32, whatever it was trained in. One ε is drawn for every image and t,
        a function of (seed, t, i).

        Args:
            images: uint8 grey levels 0..levels − 1, shape (N, C, H, W), N at least 2.
            seed: an integer from 0 to 2³² − 1.
            batch: images in one call of the network.

        Raises:
            InputError: for images of another kind, shape or range, or a value out of range.
        """
        shape = tuple(getattr(images, "shape", ()))
        if len(shape) == 4 and shape[1:] != self.image_shape:
            mine = ", ".join(map(str, self.image_shape))
            raise InputError(f"images have shape {shape}; this model's have (N, {mine})")
        return held_out_bound(
            self.network, self.diffusion, images, self.levels, batch=batch, seed=seed, device=self.device
        )


@dataclass(frozen=True)
class Run:
    """What a run's folder says before its weights are read. The images are not needed."""

    folder: Path
    settings: Settings
    checkpoint: Path
    """The last one."""
    image_shape: Shape
    levels: int

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """The run in this folder.

        Raises:
            InputError: if it is none, or is damaged, or has no checkpoint.
        """
        settings = Settings.load(folder / "settings.json")
        checkpoint = checkpoints.latest(folder)
        return cls(folder, settings, checkpoint, *checkpoints.image_format(checkpoint, settings))

    def network(self) -> UNet:
        """Its network, with no weights of the run yet."""
        return self.settings.unet(*self.image_shape[:2])

    def loaded(self, network: UNet, weights: str, device: torch.device) -> Loaded:
        """The model, of its network with these weights."""
        network = ready(network, self.settings, device)
        origin = {"run": str(self.folder), "checkpoint": self.checkpoint.name, "weights": weights}
        return Loaded(
            network, self.settings.diffusion(), self.image_shape, self.levels, self.settings, origin
        )


def load(path: str | os.PathLike[str], *, weights: Weights = "ema", device: Device | None = None) -> Loaded:
    """A trained model, to sample from and to be measured.

    Args:
        path: a run folder of `ddpm_spec.train`; or what `interop.open_weights` takes: a diffusers folder, a
            hub id such as `google/ddpm-cifar10-32`, a file in the layout of the PyTorch ports.
        weights: of a run: "ema", the averaged weights, or "raw", those as trained.
        device: "cpu", "cuda", or "auto" for a GPU if there is one. None: as the run was trained; else auto.

    Raises:
        InputError: if there is nothing of the kind, or it is damaged, or there is no such device.
    """
    if weights not in get_args(Weights):
        raise InputError(f"weights is {weights}; it must be ema or raw")
    if device is not None and device not in get_args(Device):
        raise InputError(f"device is {device}; it must be auto, cpu or cuda")
    if not is_run(Path(path)):
        return _foreign(str(path), weights, device or "auto")
    run = Run.read(Path(path))
    found, network = _device(run.settings.machine, device), run.network()
    checkpoints.fill(network, run.checkpoint, weights)
    return run.loaded(network, weights, found)


def _foreign(argument: str, weights: Weights, device: Device) -> Loaded:
    """Weights without a run."""
    if weights != "ema":
        raise InputError(f"{argument} is no run and has one set of weights; leave weights away")
    if os.path.isdir(argument):
        check_diffusers(Path(argument))
    from ddpm_spec.interop.weights import open_weights  # brings the hub's client

    opened, here = open_weights(argument), _device(Machine(), device)
    settings = Settings(process=opened.process)
    network = ready(opened.network, settings, here)
    return Loaded(network, settings.diffusion(), opened.image_shape, 256, None, opened.provenance)


def _device(machine: Machine, device: Device | None) -> torch.device:
    machine = dataclasses.replace(machine, device=device) if device else machine
    try:
        return device_for(Settings(machine=machine))
    except InputError as error:
        raise InputError(without_dashes(str(error))) from None


def is_run(folder: Path) -> bool:
    """Whether this is a run folder of ours, whatever its state."""
    return os.path.exists(folder / "settings.json")


def check_diffusers(folder: Path) -> None:
    """Refuses a folder in which nothing of diffusers can be.

    Raises:
        InputError: with the run that may be meant.
    """
    if not (folder / "config.json").exists() and not (folder / "unet").is_dir():
        runs = sorted(settings.parent for settings in folder.glob("*/settings.json"))
        right = f"did you mean {runs[-1]}?" if runs else "give that of a run, of a pipeline or of its unet"
        raise InputError(f"{folder} is neither a run folder nor one of diffusers; {right}")


def ready(network: UNet, settings: Settings, device: torch.device) -> UNet:
    """The network as it is called: on the device, without gradients, compiled where the settings ask."""
    network = network.to(memory_format=torch.channels_last).to(device)
    network.eval().requires_grad_(False)
    compiled(network, resolved(settings, device))
    return network


def visited(
    diffusion: Diffusion, *, n: int, seed: int, steps: int | None, eta: float | None, batch: int
) -> list[int]:
    """The times that samples visit, when what is asked for can be drawn; none for all T.

    Raises:
        InputError: naming the option that is out of range.
    """
    T = diffusion.schedule.T
    check_draw(n=n, seed=seed, eta=eta, batch=batch)
    if steps in (None, T):
        return []
    if not 2 <= steps <= T:
        raise InputError(f"--steps is {steps}; it must be from 2 to {T}, the T of the model")
    if diffusion.variance == "learned" and eta is None:
        raise InputError(
            "the model has learned the variance of single steps; leave --steps away, or give --eta"
        )
    return evenly(T, steps)
