"""A set of images: integers in their own grey levels, split into training and held-out ones."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddpm_spec.data.taken import Taken
from ddpm_spec.errors import InputError

__all__ = ["Images", "Read", "Store", "Unread", "from_unit", "to_unit"]


COMPARED = 2 * 2**30
"""Bytes of training images up to which the held-out ones are looked for among them: seconds."""


class Unread(InputError):
    """Some of the images that a store was asked for cannot be read: why, by their number."""

    def __init__(self, reasons: dict[int, str]) -> None:
        several = (
            f"{len(reasons)} images cannot be read: {', '.join(map(_cause, list(reasons.values())[:3]))}"
        )
        more = " …" if len(reasons) > 3 else ""
        one = len(reasons) == 1
        super().__init__(*reasons.values() if one else [f"{several}{more}; mend or remove them"])
        self.reasons = reasons

    def __reduce__(self) -> tuple[Any, ...]:
        return Unread, (self.reasons,)  # as it comes from a worker


def _cause(line: str) -> str:
    return line.partition(";")[0]


class Read(NamedTuple):
    """What came of the images that a store was asked for."""

    images: Tensor
    """Those that can be read, in their order."""
    unread: dict[int, str]
    """Why the images with these numbers cannot be read."""
    several: list[int]
    """Images that are the first of several in their file."""


class Store(Protocol):
    """Images that can be asked for by number: a tensor, or something that decodes them when asked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Tensor, /) -> Tensor:
        """The images with these numbers, int64 of shape (B,) on the CPU: uint8, (B, C, H, W), there too.

        Raises:
            Unread: if some of them cannot be read.
        """
        ...


@dataclass(frozen=True, eq=False)
class Images:
    """A data set. Images are uint8, (N, C, H, W), values 0..levels − 1."""

    name: str
    levels: int
    train: Store
    """A tensor in memory or mapped from a file, or, for sets too large to keep, a decoder."""
    held_out: Tensor
    train_labels: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """(N,); empty where the source has none."""
    held_out_labels: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    fingerprint: str = ""
    """Stands for the images in the digest where reading them all takes too long."""
    taken: tuple[Taken, ...] = ()
    """How many files were found, used and left out, where they are files."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        _, channels, height, width = self.train.shape
        return channels, height, width

    def whole(self) -> Tensor:
        """The training images as one tensor.

        Raises:
            InputError: where they are decoded when asked for.
        """
        if isinstance(self.train, Tensor):
            return self.train
        raise InputError(
            f"{self.name} is decoded as needed, and this needs all of it at once; give a larger --cache-gb"
        )

    @cached_property
    def copies(self) -> int:
        """Held-out images that are training images too, in every pixel.

        Not counted, and 0, for training images that are decoded as needed or take more than 2 GiB.
        """
        if not isinstance(self.train, Tensor) or self.train.nbytes > COMPARED:
            return 0
        held_out = [image.tobytes() for image in self.held_out.numpy()]
        new = set(held_out).difference(image.tobytes() for image in self.train.numpy())
        return sum(image not in new for image in held_out)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the images and their split: a checkpoint belongs to one."""
        shapes = tuple(self.train.shape), tuple(self.held_out.shape)
        state = hashlib.sha256(repr((self.levels, shapes, self.fingerprint)).encode())
        if not self.fingerprint:
            for images in (self.whole(), self.held_out):
                for part in _parts(images):
                    state.update(part.numpy().data)
        return state.hexdigest()


def _parts(images: Tensor) -> Iterator[Tensor]:
    """The images in pieces that fit into memory, contiguous."""
    for part in torch.split(images, 4096):
        yield part.contiguous()


def to_unit(images: Tensor, levels: int) -> Tensor:
    """Grey levels 0..levels − 1 as float32 in [−1, 1] (§3.3)."""
    return images.float() * (2 / (levels - 1)) - 1


def from_unit(x: Tensor, levels: int) -> Tensor:
    """The nearest grey level of x in [−1, 1], uint8; what lies outside goes to the first or last."""
    return ((x + 1) * ((levels - 1) / 2)).round().clamp(0, levels - 1).to(torch.uint8)
