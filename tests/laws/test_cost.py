"""What a deviation costs, against closed forms and another quadrature."""

import math

import numpy as np
import pytest

from ddpm_spec.laws import cost as room
from ddpm_spec.laws.cost import MEAN, Moments, cost
from ddpm_spec.laws.mistakes import CATALOGUE
from ddpm_spec.laws.plain import Plain
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Subject

SHORT = np.linspace(0.02, 0.4, 8)
PAPER = np.linspace(1e-4, 0.02, 1000)


def wrong(what: str, betas=SHORT) -> object:
    return CATALOGUE[what].build(betas, 9)


def test_a_right_one_costs_nothing() -> None:
    for found in cost(Plain(SHORT, 9)):
        assert found.samples is not None
        assert found.samples.mean == pytest.approx(found.right.mean, abs=1e-14)
        assert found.samples.variance == pytest.approx(found.right.variance, rel=1e-13)
        assert found.samples.error == 0
        assert abs(found.bits) < 1e-13
        assert abs(found.bound) < 1e-13
        assert not found.why


def test_the_paper_s_chain_ends_close_to_the_data() -> None:
    """In the limit of small steps the samples are the data; with 1,000 of them N(0.3, 0.05) is met to 1 %."""
    (found,) = cost(Plain(PAPER), variances=[0.05])
    assert found.samples.mean == pytest.approx(MEAN, abs=1e-4)
    assert found.samples.variance == pytest.approx(0.05, rel=0.01)


def test_divergence_is_that_of_two_normal_laws() -> None:
    assert Moments(MEAN, 0.37).bits(0.37) == 0
    assert Moments(MEAN + 2, 1.0).bits(1.0) == pytest.approx(2 / math.log(2))
    assert Moments(MEAN, 0.5).bits(1.0) == pytest.approx((1 - math.log(2)) / 2 / math.log(2))
    assert Moments(MEAN, 0.0).bits(1.0) == math.inf


def test_noise_in_the_last_step_stays_in_the_image() -> None:
    for found in cost(wrong("noise in the last step")):
        assert found.samples.variance - found.right.variance == pytest.approx(SHORT[0], rel=1e-10)
        assert found.samples.mean == pytest.approx(found.right.mean)


def test_wrong_noising_costs_what_is_learned_from_it() -> None:
    """Trained on x_t = √ᾱ x_0 + (1 − ᾱ) ε, the best network is E[ε | x_t] of that."""
    (found,) = cost(wrong("1 − ᾱ for its root in noising"), variances=[0.37])
    bars = np.cumprod(1 - SHORT)
    mean, variance = 0.0, 1.0
    for beta, bar, t in zip(SHORT[::-1], bars[::-1], range(8, 0, -1), strict=True):
        slope = (1 - bar) / (bar * 0.37 + (1 - bar) ** 2)  # of ε in x_t
        keep = (1 - beta / math.sqrt(1 - bar) * slope) / math.sqrt(1 - beta)
        shift = beta / math.sqrt(1 - bar) * slope * math.sqrt(bar) * MEAN / math.sqrt(1 - beta)
        mean, variance = keep * mean + shift, keep**2 * variance + (beta if t > 1 else 0)
    assert found.samples.mean == pytest.approx(mean, rel=1e-12)
    assert found.samples.variance == pytest.approx(variance, rel=1e-12)
    assert found.samples.variance > 1.4 * found.right.variance
    assert found.bits > 0


def test_the_constant_that_is_left_out_of_the_bound() -> None:
    bars = np.cumprod(1 - SHORT)
    ratios = (1 - bars[:-1]) / (1 - bars[1:])  # β̃_t/β_t
    missing = ((ratios - 1 - np.log(ratios)) / 2).sum() / math.log(2)
    for found in cost(wrong("the constant C is left out")):
        assert found.bound == pytest.approx(-missing, rel=1e-12)
        assert found.bound_error == 0
        assert abs(found.bits) < 1e-13  # the samples are right


def by_matrix(model: Plain, variance: float) -> tuple[float, float]:
    """Mean and variance of the last x_0 by a dense transition matrix at every step."""
    subject = Subject(model)
    network = Reference(subject).normal_denoiser(MEAN, variance)
    grid = np.linspace(-7, 7, 1401)
    mass = np.exp(-(grid**2) / 2)
    mass /= mass.sum()
    rows = grid[:, None] * np.ones((1, 3))
    for t in range(len(SHORT), 0, -1):
        moved = model.p_sample(network, rows, t, 0 * rows)[:, 0]
        if t == 1:
            mean = mass @ moved
            return float(mean), float(mass @ (moved - mean) ** 2)
        kernel = np.exp(-((grid[:, None] - moved) ** 2) / (2 * model.variance(t)))
        mass = (kernel / kernel.sum(axis=0)) @ mass
    raise AssertionError("t = 1 comes last")


def test_clipping_is_followed_on_a_grid() -> None:
    model = wrong("the official clip, in sampler and bound")
    for found in cost(model):
        mean, variance = by_matrix(model, found.variance)
        assert found.samples.error < 1e-3
        assert abs(found.samples.mean - mean) <= found.samples.error + 1e-6
        assert abs(found.samples.variance - variance) <= found.samples.error + 1e-6
    assert found.samples.error > 0
    assert found.samples.variance < 0.6  # of data with variance 1, most of it outside [−1, 1]
    assert found.bound > 1
    assert found.bound_error < 0.1 * found.bound


def test_grid_and_coefficients_agree_where_both_apply() -> None:
    subject = Subject(Plain(SHORT, 9))
    reference = Reference(subject)
    network = reference.normal_denoiser(MEAN, 0.37)
    exact = room._by_coefficients(reference, subject, network)
    grid = room._on_a_grid(reference, subject, network, 1024)
    assert grid.mean == pytest.approx(exact.mean, abs=1e-9)
    assert grid.variance == pytest.approx(exact.variance, abs=1e-9)


def test_what_cannot_be_computed_is_said() -> None:
    class Explodes(Plain):
        def mean(self, network, x_t, t):
            return 10 * super().mean(network, x_t, t).clip(-1, 100)

    (found,) = cost(Explodes(SHORT, 9), variances=[0.37])
    assert found.samples is None
    assert found.bits is None
    assert "the samples leave [−8, 8]" in found.why

    class Tables:
        betas = SHORT

    (found,) = cost(Tables(), variances=[0.37])
    assert found.why == "it has no p_sample; it has no bound_term"
