"""A `WEIGHTS` argument of the commands: a folder, a file or a hub id, opened."""

from dataclasses import dataclass
from typing import Any

from ddpm_spec.training.settings import Process
from ddpm_spec.unet import UNet

__all__ = ["OpenWeights", "open_weights"]


@dataclass(frozen=True)
class OpenWeights:
    """A network with its weights, and what is known about the process it was trained for."""

    network: UNet
    """On the CPU, float32."""
    process: Process
    """T, the schedule, what is predicted, σ_t², the convention; `Settings(process=process).diffusion()`."""
    image_shape: tuple[int, int, int]
    """(C, H, W)."""
    provenance: dict[str, Any]
    """For reports, JSON-able: `weights` (the argument), `layout` ("diffusers" or "port"), `file` (its
    name), `sha256` of that file, `revision` (of a hub id, else None), `assumed` (names of what neither
    file nor configuration says and was taken from the paper or its code)."""


def open_weights(argument: str) -> OpenWeights:
    """The network and the process behind a `WEIGHTS` argument.

    Args:
        argument: a diffusers folder (of a pipeline, or of a `UNet2DModel` alone); a hub id such as
            `google/ddpm-cifar10-32`, fetched where there is a network or taken from the cache; or a
            `.safetensors`, `.ckpt`, `.pt`, `.pth` or `.bin` file in the layout of the PyTorch ports.
            What exists on disk goes before a hub id. No pickle is executed.

    Raises:
        InputError: if there is nothing there, or it cannot be fetched, read or expressed here: the
            setting, or the tensor, is named.
    """
    raise NotImplementedError
