"""What stands in a batch is the same whatever fetches it."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from ddpm_spec.data import Batches, Images, batches, fetch, indices
from ddpm_spec.errors import InputError

PIXELS = torch.arange(50 * 3 * 2 * 2).remainder(256).to(torch.uint8).view(50, 3, 2, 2)


class Decoder:
    """A store that decodes, and notes in a folder which process was asked for what."""

    shape = tuple(PIXELS.shape)

    def __init__(self, notes: Path | None = None, bad: int = -1) -> None:
        self.notes, self.bad = notes, bad

    def __len__(self) -> int:
        return len(PIXELS)

    def __getitem__(self, chosen: torch.Tensor) -> torch.Tensor:
        if self.notes:
            with (self.notes / str(os.getpid())).open("a") as file:
                file.write(f"{len(chosen)}\n")
        if self.bad in chosen:
            raise InputError(f"image {self.bad} is damaged")
        return PIXELS[chosen]


def made(store, **changes) -> Batches:
    options = {"seed": 3, "batch": 8, "device": torch.device("cpu"), "workers": 0} | changes
    return Batches(Images("test", 256, store, PIXELS[:2], fingerprint="x"), **options)


def expected(step: int, positions: torch.Tensor) -> torch.Tensor:
    return PIXELS[indices(3, step, 8, positions, 50)]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_decoder_serves_what_a_tensor_does(workers):
    decoded, kept, positions = made(Decoder(), workers=workers), made(PIXELS), torch.arange(8)
    for step in range(15):  # two epochs
        rows = decoded.rows(step, positions)
        assert rows.dtype == torch.uint8
        assert rows.equal(expected(step, positions))
        assert kept.rows(step, positions).equal(rows)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_jump_in_the_steps_or_the_positions(workers):
    decoded = made(Decoder(), workers=workers)
    first, second = torch.arange(4), torch.arange(4, 8)
    for step, positions in [(0, first), (7, first), (8, first), (8, first), (9, second), (9, first)]:
        assert decoded.rows(step, positions).equal(expected(step, positions))


def test_processes_that_share_a_batch_see_its_rows():
    halves = [made(Decoder()).rows(5, torch.arange(first, first + 4)) for first in (0, 4)]
    assert torch.cat(halves).equal(expected(5, torch.arange(8)))


def test_workers_decode_ahead_in_processes_of_their_own(tmp_path):
    decoded, positions = made(Decoder(tmp_path), workers=2), torch.arange(8)
    for step in range(4):
        decoded.rows(step, positions)
    asked = {int(p.name) for p in tmp_path.iterdir()}
    assert len(asked) == 2
    assert os.getpid() not in asked


def test_a_large_tensor_stays_where_it_is(monkeypatch):
    monkeypatch.setattr(batches, "ON_DEVICE", 0)
    positions = torch.arange(8)
    assert made(PIXELS).rows(2, positions).equal(expected(2, positions))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_cannot_be_read_is_one_line(workers):
    decoded, positions = made(Decoder(bad=7), workers=workers), torch.arange(8)
    with pytest.raises(InputError, match=r"^image 7 is damaged$"):
        [decoded.rows(step, positions) for step in range(7)]


def test_fetching_leaves_the_global_generator_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    list(fetch(Decoder(), [torch.tensor([1]), torch.tensor([2, 3])], workers=1))
    assert torch.get_rng_state().equal(before)


def test_fetching_keeps_the_order_it_is_asked_in():
    chosen = [torch.tensor(x) for x in ([5, 1], [2], [49, 0, 3], [7])]
    for workers in (0, 2):
        got = list(fetch(Decoder(), chosen, workers=workers))
        assert all(a.equal(PIXELS[b]) for a, b in itertools.zip_longest(got, chosen))


def test_one_order_an_epoch_is_computed_once(monkeypatch):
    calls: list[int] = []
    real = batches.row_keys
    monkeypatch.setattr(batches, "row_keys", lambda *a: calls.append(a[2]) or real(*a))
    batches._order.cache_clear()
    everything = [indices(11, step, 7, torch.arange(7), 20) for step in range(9)]
    assert calls == [0, 1, 2, 3]
    assert (np.bincount(torch.cat(everything)[:60]) == 3).all()
