"""The split, the scaling and the order of the images."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from ddpm_spec.data import from_unit, indices, load, to_unit


def test_the_first_1500_train_and_the_last_297_are_held_out():
    raw, images = load_digits(), load("digits")
    assert images.levels == 17
    assert images.shape == (1, 8, 8)
    assert (images.train.flatten(1).numpy() == raw.data[:1500]).all()
    assert (images.held_out.flatten(1).numpy() == raw.data[1500:]).all()
    assert len(images.held_out) == 297
    assert (images.train_labels == raw.target[:1500]).all()
    assert (images.held_out_labels == raw.target[1500:]).all()


def test_the_digest_sees_one_changed_pixel_and_a_moved_line():
    import dataclasses

    images = load("digits")
    changed = images.train.clone()
    changed[7, 0, 3, 3] += 1
    assert dataclasses.replace(images, train=changed).digest != images.digest
    everything = torch.cat([images.train, images.held_out])
    moved = dataclasses.replace(images, train=everything[:1499], held_out=everything[1499:])
    assert moved.digest != images.digest
    assert load("digits").digest == images.digest


@pytest.mark.parametrize("levels", [17, 256])
def test_scaling_and_back(levels):
    x = torch.arange(levels, dtype=torch.uint8)
    unit = to_unit(x, levels)
    assert unit.dtype == torch.float32
    assert unit[0] == -1
    assert unit[-1] == 1
    assert np.allclose(np.diff(unit.numpy()), 2 / (levels - 1), atol=2**-22, rtol=0)
    assert (from_unit(unit, levels) == x).all()
    assert from_unit(torch.tensor([-3.0, 2.0]), levels).tolist() == [0, levels - 1]


def test_every_epoch_is_a_permutation_and_batches_run_on_through_its_end():
    batch, count = 6, 10
    order = torch.cat([indices(3, step, batch, torch.arange(batch), count) for step in range(5)]).view(3, 10)
    assert (order.sort(dim=1).values == torch.arange(10)).all()
    assert len({tuple(row.tolist()) for row in order}) == 3
    assert (indices(4, 0, batch, torch.arange(batch), count) != order[0, :6]).any()


def test_a_batch_larger_than_the_data():
    everything = torch.cat([indices(0, step, 25, torch.arange(25), 10) for step in range(2)])
    assert everything.bincount().tolist() == [5] * 10


def test_processes_that_share_a_batch_see_its_rows():
    whole = indices(1, 7, 8, torch.arange(8), 1500)
    halves = [indices(1, 7, 8, torch.arange(first, first + 4), 1500) for first in (0, 4)]
    assert (torch.cat(halves) == whole).all()


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match="no data set 'letters'"):
        load("letters")
