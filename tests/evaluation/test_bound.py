"""The bound as it is reported, against the model's own terms and a variance whose price is known."""

import dataclasses
import math

import pytest
import torch
from small_run import trainer

from ddpm_spec.data import to_unit
from ddpm_spec.evaluation.bound import _check, held_out_bound
from ddpm_spec.noise import normal, row_keys


def bound(made, images, batch):
    return held_out_bound(
        made.average, made.diffusion, images.held_out[:5], 17, batch=batch, seed=1, device=torch.device("cpu")
    )


def test_the_reported_terms(images):
    made = trainer(images)
    reported = bound(made, images, batch=5)
    x_0, rows = to_unit(images.held_out[:5], 17), torch.arange(5)
    terms = made.diffusion.bound(
        made.average, x_0, 17, lambda t: normal(row_keys(1, "bound", t, rows), (1, 8, 8))
    )
    bits = 1 / (64 * math.log(2))
    expected = [terms.prior, terms.steps.sum(1), terms.decoder]
    assert [reported.L_T, reported.L_steps, reported.L_0] == pytest.approx(
        [term.mean().item() * bits for term in expected], rel=1e-9
    )
    each = (terms.prior + terms.steps.sum(1) + terms.decoder) * bits
    assert reported.total == pytest.approx(each.mean().item(), rel=1e-9)
    assert reported.standard_error == pytest.approx(each.std().item() / math.sqrt(5), rel=1e-9)
    assert reported.images == 5
    by_t = [terms.decoder.mean(), *terms.steps.mean(0)]
    half = sum(by_t) / 2
    assert sum(by_t[: reported.half_at - 1]) < half <= sum(by_t[: reported.half_at])


def test_the_batch_changes_no_number(images):
    made = trainer(images)
    whole, parts = bound(made, images, batch=5), bound(made, images, batch=2)
    assert whole.total == pytest.approx(parts.total, rel=1e-5)
    assert whole.standard_error == pytest.approx(parts.standard_error, rel=1e-4)


def test_the_price_of_the_variance(images):
    """By the schedule's tables alone: Σ ½ (r − 1 − ln r) with r = (1 − ᾱ_{t−1}) / (1 − ᾱ_t)."""
    made = trainer(images)
    v = made.diffusion.schedule.steps.one_minus_alpha_bar.tolist()
    ratios = [v[t - 1] / v[t] for t in range(2, 9)]
    expected = sum((r - 1 - math.log(r)) / 2 for r in ratios) / math.log(2)
    assert bound(made, images, batch=5).mismatch == pytest.approx(expected, rel=1e-12)
    made.diffusion = dataclasses.replace(made.diffusion, variance="beta_tilde")
    assert bound(made, images, batch=5).mismatch == 0


def test_images_of_all_levels_can_be_measured():
    """255 is a level of 256: torch compares a byte with 256 as with 0."""
    _check(torch.full((2, 1, 4, 4), 255, dtype=torch.uint8), 256, 1, 0)
