"""The training and the held-out images: two sets that share nothing, or one that is cut in two."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ddpm_spec.data.records import Labels, Records, digest
from ddpm_spec.errors import InputError

__all__ = ["Part", "cut", "shared"]

MOST = 10_000
"""Images that are held out of a larger set."""


def shared(train: str, held_out: str) -> InputError:
    """What to say of held-out images that are trained on."""
    return InputError(
        f"{train} and {held_out} hold the same images, which would be trained on and held out; name two "
        "places by --train-part and --held-out-part, or give --held-out-part '' for a tenth of the training "
        "images"
    )


def cut(records: Records) -> tuple["Part", "Part"]:
    """A tenth of the records is held out, at most 10,000, and of each class in proportion: its last ones.

    Raises:
        InputError: if there is only one.
    """
    count = min(-(-len(records) // 10), MOST)
    if count == len(records):
        raise InputError(f"{records.where} holds one image; it takes two to hold one out")
    chosen = _last(records.labels if len(records.labels) else np.zeros(len(records), np.int64), count)
    how = "held out, evenly from the classes" if len(records.classes) > 1 else "held out"
    return (
        Part(records, np.flatnonzero(~chosen), "for training", passed_over=True),
        Part(records, np.flatnonzero(chosen), how, passed_over=False),
    )


def _last(labels: Labels, count: int) -> NDArray[np.bool_]:
    """Marks so many images, the last of each class, from each in proportion to its size."""
    backwards = labels[::-1]
    by_class = np.argsort(backwards, kind="stable")
    sizes = np.bincount(labels)
    rank = np.empty(len(labels), np.int64)  # 0 for the last of a class
    rank[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    share = ((rank + 0.5) / sizes[backwards])[::-1]  # of its class, that must be held out to reach it
    chosen = np.zeros(len(labels), np.bool_)
    chosen[np.argsort(share, kind="stable")[:count]] = True
    return chosen


class Part:
    """Some of the records.

    Args:
        records: all of them.
        chosen: the numbers of those, ascending.
        use: what this part is for.
        passed_over: whether it answers for what lies beside the images.
    """

    def __init__(self, records: Records, chosen: NDArray[np.int64], use: str, *, passed_over: bool) -> None:
        self.records, self.chosen = records, chosen
        self.where = f"{records.where}, {use}"
        self.passed_over = records.passed_over if passed_over else ()
        self.found = len(chosen) + (records.found - len(records) if passed_over else 0)
        self.labels = records.labels[chosen] if len(records.labels) else records.labels
        self.classes = records.classes
        self.fingerprint = digest([records.fingerprint, *self._which()])

    def _which(self) -> list[object]:
        """The numbers, for a digest: of neighbours the two ends, as runs of before know them."""
        first, end = int(self.chosen[0]), int(self.chosen[-1]) + 1
        neighbours = end - first == len(self)
        return [first, end] if neighbours else [hashlib.sha256(self.chosen.tobytes()).hexdigest()]

    def __len__(self) -> int:
        return len(self.chosen)

    def stamp(self) -> str:
        """As `Records` says."""
        return digest([self.records.stamp(), *self._which()])

    def name(self, index: int) -> str:
        """As `Records` says."""
        return self.records.name(int(self.chosen[index]))

    def open(self, index: int) -> Image.Image:
        """As `Records` says."""
        return self.records.open(int(self.chosen[index]))
