"""The images: integers in their own grey levels, split into training and held-out ones."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor

from ddpm_spec.noise import bits, row_keys

__all__ = ["Images", "from_unit", "indices", "load", "to_unit"]

DIGITS_TRAIN = 1500
"""The first 1,500 digits train. The file is ordered by writer: a shuffle across the line would put
writers of the held-out digits into training."""


@dataclass(frozen=True, eq=False)
class Images:
    """A data set. Images are uint8, (N, C, H, W), values 0..levels − 1; labels are int64, (N,)."""

    name: str
    levels: int
    train: Tensor
    train_labels: NDArray[np.int64]
    held_out: Tensor
    held_out_labels: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        _, *shape = self.train.shape
        return shape[0], shape[1], shape[2]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the images and their split: a checkpoint belongs to one."""
        state = hashlib.sha256(repr((self.levels, self.train.shape, self.held_out.shape)).encode())
        state.update(self.train.numpy().tobytes())
        state.update(self.held_out.numpy().tobytes())
        return state.hexdigest()


def load(name: str) -> Images:
    """The data set of this name.

    Raises:
        ValueError: if there is none.
    """
    if name != "digits":
        raise ValueError(f"there is no data set {name!r}")
    raw = load_digits()
    images = torch.from_numpy(raw.images.astype(np.uint8))[:, None]
    labels = raw.target.astype(np.int64)
    cut = DIGITS_TRAIN
    return Images(name, 17, images[:cut], labels[:cut], images[cut:], labels[cut:])


def to_unit(images: Tensor, levels: int) -> Tensor:
    """Grey levels 0..levels − 1 as float32 in [−1, 1] (§3.3)."""
    return images.float() * (2 / (levels - 1)) - 1


def from_unit(x: Tensor, levels: int) -> Tensor:
    """The nearest grey level of x in [−1, 1], uint8; what lies outside goes to the first or last."""
    return ((x + 1) * ((levels - 1) / 2)).round().clamp(0, levels - 1).to(torch.uint8)


def indices(seed: int, step: int, batch: int, positions: Tensor, count: int) -> Tensor:
    """Which of `count` images stand at these positions of the batch of this step: int64, (B,).

    Every epoch is a permutation of all images, a function of (seed, epoch). Batches run on through the
    end of an epoch, so every image is seen equally often.
    """
    place = step * batch + positions
    everyone = torch.arange(count, device=positions.device)
    chosen = torch.empty_like(place)
    for epoch in range(step * batch // count, ((step + 1) * batch - 1) // count + 1):
        order = bits(row_keys(seed, "order", epoch, everyone), 1).squeeze(1).argsort(stable=True)
        here = place // count == epoch
        chosen = torch.where(here, order[place % count], chosen)
    return chosen
