"""Where the images come from, by name."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from ddpm_spec.data.images import Images

__all__ = ["DataName", "Source", "load"]

DataName = Literal["digits", "fashion-mnist", "hub", "folder", "lsun"]

DIGITS_TRAIN = 1500
"""The first 1,500 digits train. The file is ordered by writer: a shuffle across the line would put
writers of the held-out digits into training."""


@dataclass(frozen=True)
class Source:
    """Where the images are, and how they are read."""

    path: str = ""
    """hub: the name of the set. folder, lsun: the folder that holds the parts. fashion-mnist: the folder of
    its four files, if not that of Debian."""
    train_part: str = "train"
    """Split of the hub, sub-folder or LMDB folder with the training images."""
    held_out_part: str = "test"
    """The same with the held-out images. '': the last tenth of the training images, at most 10,000, is held
    out."""
    image_size: int = 0
    """Side to which images are cropped and resized; 0: they are square and all of one size."""
    grey: bool = False
    """One channel instead of red, green and blue."""
    cache: str = ""
    """Folder for decoded images; '': the user's cache folder, ddpm_spec."""
    cache_gb: float = 32.0
    """Sets that take more decoded than this, in GB, are decoded as needed."""


def load(name: DataName, source: Source = Source(), *, workers: int = 0) -> Images:
    """The data set of this name.

    Raises:
        InputError: if it cannot be found or read, with what would help.
        ValueError: if there is no such name.
    """
    if name == "digits":
        return _digits()
    raise ValueError(f"there is no data set {name!r}")


def _digits() -> Images:
    from sklearn.datasets import load_digits  # takes a second to import

    raw = load_digits()
    images = torch.from_numpy(raw.images.astype(np.uint8))[:, None]
    labels = raw.target.astype(np.int64)
    cut = DIGITS_TRAIN
    return Images("digits", 17, images[:cut], images[cut:], labels[:cut], labels[cut:])
