"""What the figures show, against the model's own methods on the same noise."""

import pytest
import torch
from small_run import SMALL, finished

from ddpm_spec.data import from_unit, load, to_unit
from ddpm_spec.evaluation.draw import keyed
from ddpm_spec.evaluation.measure import Measure
from ddpm_spec.evaluation.model import open_run
from ddpm_spec.reproduction.images import evenly, from_latents, interpolations, progressive, received
from ddpm_spec.terminal.console import Interrupt

ROWS = torch.arange(3)


@pytest.fixture
def measure(tmp_path):
    run = tmp_path / "run"
    finished(run, load("digits"))
    SMALL.save(run / "settings.json")
    return Measure(open_run(run, "cpu"), tmp_path, Interrupt(), seed=2, batch=3)


def path(measure):
    """x_T, …, x_0 of the first three paths, by time."""
    noise = keyed(2, "sample", ROWS, (1, 8, 8))
    x_T = noise(9)
    later = measure.diffusion().sample(measure.model.networks["ema"], noise)
    return dict(zip(range(8, -1, -1), [x_T, *later], strict=True))


def test_evenly():
    assert evenly(1000, 10) == [1000, 900, 800, 700, 600, 500, 400, 300, 200, 100, 0]
    assert evenly(8, 4) == [8, 6, 4, 2, 0]


def test_progressive_shows_what_is_predicted_on_the_path(measure):
    found = progressive(measure, "ema", 3, [8, 5, 1, 0])
    latents, network = path(measure), measure.model.networks["ema"]
    for column, t in enumerate((8, 5, 1)):
        expected = measure.diffusion().predict_x_0(network, latents[t].double(), torch.full((3,), t))
        assert found[:, column].equal(from_unit(expected, 17))
    assert found[:, 3].equal(from_unit(latents[0], 17))
    assert found[:, 3].equal(measure.samples("ema", 3))


def test_received_images_are_those_of_the_curves(measure):
    rows, times = [0, 3, 2, 5], [1, 4, 8]
    found = received(measure, "ema", 6, rows, times)
    store, chosen = measure.chosen("test", 6)
    x_0 = to_unit(store[chosen[rows]], 17).double()
    noise = keyed(2, "bound", torch.tensor(rows), (1, 8, 8))
    official = measure.diffusion("official")
    errors = measure.terms("ema", "test", 6)["official"].squared_error
    for column, t in enumerate(times):
        at = torch.full((4,), t)
        x_t = official.q_sample(x_0, at, noise(t).double())
        x_0_hat = official.predict_x_0(measure.model.networks["ema"], x_t, at)
        assert found[:, column, 0].equal(from_unit(x_t, 17))
        # In batches of another size the network rounds otherwise: a level at most.
        assert (found[:, column, 1].int() - from_unit(x_0_hat, 17).int()).abs().max() <= 1
        squared_error = (x_0_hat - x_0).square().flatten(1).mean(dim=1)
        assert torch.allclose(squared_error, errors[rows, t - 1], rtol=1e-4, atol=0)


def test_latents_are_frozen_and_their_images_are_not(measure):
    found = from_latents(measure, "ema", 3, [8, 4, 2], 2)
    assert found.shape == (3, 3, 3, 1, 8, 8)
    latents = path(measure)
    for column, t in enumerate((8, 4, 2)):
        assert found[:, column, 0].equal(from_unit(latents[t], 17))
        assert not found[:, column, 1].equal(found[:, column, 2])
    fresh = keyed(2, "again", torch.arange(6), (1, 8, 8))
    start = latents[4].repeat_interleave(2, dim=0)
    *_, x_0 = measure.diffusion().decode(measure.model.networks["ema"], start, 4, fresh)
    # In batches of another size the network rounds otherwise: a level at most.
    gap = found[:, 1, 1:].flatten(0, 1).int() - from_unit(x_0, 17).int()
    assert gap.abs().max() <= 1


def test_interpolations_are_those_of_the_model(measure):
    pairs, mixing = torch.tensor([[0, 9], [5, 200]]), [0.0, 0.3, 1.0]
    found = interpolations(measure, "ema", pairs, [4, 0], mixing)
    assert found.shape == (2, 2, 3, 1, 8, 8)
    held_out, diffusion = measure.model.images.held_out, measure.diffusion()
    rows, at = torch.arange(2), torch.full((2,), 4)
    latents = tuple(
        diffusion.q_sample(to_unit(held_out[pairs[:, side]], 17), at, keyed(2, name, rows, (1, 8, 8))(4))
        for side, name in enumerate(("left", "right"))
    )
    noise = keyed(2, "between", rows, (1, 8, 8))
    for column, weight in enumerate(mixing):
        expected = from_unit(
            diffusion.interpolate(measure.model.networks["ema"], latents, weight, 4, noise), 17
        )
        assert (found[:, 0, column].int() - expected.int()).abs().max() <= 1
    assert found[:, 1, 0].equal(held_out[pairs[:, 0]])
    assert found[:, 1, 2].equal(held_out[pairs[:, 1]])


def test_the_noise_of_a_pair_is_the_same_for_all_weights(measure):
    found = interpolations(measure, "ema", torch.tensor([[0, 9]]), [4], [0.5, 0.5])
    assert found[:, :, 0].equal(found[:, :, 1])
