"""Which image stands where in which batch, and how it gets to the device."""

import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ddpm_spec.data.images import Images, Store
from ddpm_spec.errors import InputError
from ddpm_spec.noise import bits, row_keys

__all__ = ["Batches", "answers", "fetch", "indices"]

T = TypeVar("T")

ON_DEVICE = 2 * 2**30
"""Bytes of images that may live on the device."""


@functools.lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int, device: torch.device) -> Tensor:
    """The permutation of one epoch. A batch meets at most two new ones at a time."""
    everyone = torch.arange(count, device=device)
    return bits(row_keys(seed, "order", epoch, everyone), 1).squeeze(1).argsort(stable=True)


def indices(seed: int, step: int, batch: int, positions: Tensor, count: int) -> Tensor:
    """Which of `count` images stand at these positions of the batch of this step: int64, (B,).

    Every epoch is a permutation of all images, a function of (seed, epoch). Batches run on through the
    end of an epoch, so every image is seen equally often.
    """
    place = step * batch + positions
    chosen = torch.empty_like(place)
    for epoch in range(step * batch // count, ((step + 1) * batch - 1) // count + 1):
        order = _order(seed, epoch, count, positions.device)
        chosen = torch.where(place // count == epoch, order[place % count], chosen)
    return chosen


class _Answers(Dataset[T | InputError]):
    """Answers that are returned also where they are refusals: torch would wrap one in a traceback."""

    def __init__(self, ask: Callable[[Tensor], T]) -> None:
        self.ask = ask

    def __getitem__(self, chosen: Tensor) -> T | InputError:
        try:
            return self.ask(chosen)
        except InputError as error:
            return error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def answers(
    ask: Callable[[Tensor], T], chosen: Iterable[Tensor], workers: int, pin: bool = False
) -> Iterator[T | InputError]:
    """What a store says to each entry of `chosen` when it is asked so, in that order; or why it says nothing.

    Decoded ahead by `workers` processes, at most one a core, which end with the iterator; with 0 workers,
    when asked for. `pin` puts them into page-locked memory.
    """
    loader: DataLoader[T | InputError] = DataLoader(
        _Answers(ask),
        batch_size=None,
        sampler=chosen,
        num_workers=min(workers, _cores()),
        pin_memory=pin,
        generator=torch.Generator(),  # torch seeds its workers from it, and would draw from the global one
    )
    yield from loader


def fetch(store: Store, chosen: Iterable[Tensor], workers: int, pin: bool = False) -> Iterator[Tensor]:
    """The images of each entry of `chosen`, uint8 on the CPU, decoded ahead as `answers` says.

    Raises:
        InputError: if an image cannot be read.
    """
    for images in answers(store.__getitem__, chosen, workers, pin):
        if isinstance(images, InputError):
            raise images
        yield images


class Batches:
    """The training images of each step, on the device.

    What a step holds is `indices`, whatever fetches it. Sets of up to 2 GiB are copied to the device once
    and indexed there. Larger ones that are kept decoded are indexed on the CPU. The rest is decoded ahead
    by worker processes, in the order of the steps; a jump, as to another `step` or other `positions`,
    only costs the images fetched ahead.

    Args:
        images: the data set.
        seed: of the order.
        batch: images in the global batch.
        device: where the images go.
        workers: processes that decode; 0: this one.
    """

    def __init__(
        self, images: Images, *, seed: int, batch: int, device: torch.device, workers: int = 0
    ) -> None:
        self._store = images.train
        self._device, self._workers = device, workers
        count = len(self._store)

        def chosen(step: int, positions: Tensor) -> Tensor:
            return indices(seed, step, batch, positions, count)

        # No method: the stream would hold its owner, and its workers would outlive both.
        self._chosen = chosen
        if isinstance(self._store, Tensor) and self._store.nbytes <= ON_DEVICE:
            self._store = self._store.to(device)
        self._stream: Iterator[Tensor] = iter(())
        self._next: tuple[int, Tensor] | None = None

    def rows(self, step: int, positions: Tensor) -> Tensor:
        """The images at these positions of the batch of this step: uint8, (B, C, H, W), on the device.

        Where images are decoded ahead, it is for the same positions at the next step: ask once a step
        for all rows of this process, always with the same tensor, and slice what comes back.

        Raises:
            InputError: if an image cannot be read.
        """
        if isinstance(self._store, Tensor):
            rows = self._store[self._chosen(step, positions.to(self._store.device))]
            if self._device.type == "cuda" and rows.device.type == "cpu":
                rows = rows.pin_memory()
            return rows.to(self._device, non_blocking=True)
        if self._next is None or self._next[0] != step or self._next[1] is not positions:
            pin = self._device.type == "cuda"
            chosen = map(self._chosen, itertools.count(step), itertools.repeat(positions.cpu()))
            self._stream = fetch(self._store, chosen, self._workers, pin)
        self._next = step + 1, positions
        return next(self._stream).to(self._device, non_blocking=True)
