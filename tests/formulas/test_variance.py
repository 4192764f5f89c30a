"""The best variance of the reverse process, against covariances, mixtures by quadrature and exact numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rational import rational_steps
from rounding import UNIT, check_rounding

from ddpm_spec.evidence import Recorder
from ddpm_spec.floors import table as floor_table
from ddpm_spec.formulas import bound, floors, forward, gaussian, posterior, variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number
from ddpm_spec.schedule import linear_schedule

PAPER = linear_schedule()
AT = floor_table.steps(PAPER)
U = UNIT[torch.float64]
variances = st.fractions(min_value=0, max_value=9, max_denominator=50)


@given(at=rational_steps(), v=variances)
def test_best_variance_is_the_schur_complement(recorder: Recorder, at: Step, v: Fraction) -> None:
    """Var(x_{t−1}) − Cov(x_{t−1}, x_t)² / Var(x_t), from the covariances of Eqs. 2 and 4."""
    claim = "the best variance of normal data is the Schur complement of their covariance"
    with recorder.observe("exact law", claim, variance.optimal_variance):
        before = at.alpha_bar_prev * v + at.one_minus_alpha_bar_prev
        after = at.alpha * before + at.beta
        assert variance.optimal_variance(v, at) == before - at.alpha * before**2 / after


@given(at=rational_steps(), v=variances)
def test_three_ways_to_the_best_variance(recorder: Recorder, at: Step, v: Fraction) -> None:
    claim = "β̃ and what x_0 leaves open add up to the best variance of normal data"
    formulas = (variance.explained_variance, variance.linear_residual, variance.optimal_variance)
    with recorder.observe("exact law", claim, *formulas):
        residual = variance.linear_residual(v, at)
        assert variance.explained_variance(residual, at) == variance.optimal_variance(v, at)
        assert 0 <= residual <= v


@given(at=rational_steps(first=False), v=variances, more=variances)
def test_range_of_the_paper_bounds(recorder: Recorder, at: Step, v: Fraction, more: Fraction) -> None:
    """β̃_t ≤ σ² ≤ β_t exactly for 0 ≤ v ≤ 1, and σ² < β_t/α_t for every v."""
    claim = "the paper's two variances bound the best one exactly for data variance up to 1"
    with recorder.observe("exact law", claim, variance.optimal_variance, posterior.posterior_variance):
        best = variance.optimal_variance(v, at)
        assert posterior.posterior_variance(at) <= best < at.beta / at.alpha
        assert (best <= at.beta) == (v <= 1)
        assert (variance.optimal_variance(v + more, at) > best) == (more > 0)


@given(at=rational_steps(), v=variances)
def test_scale(recorder: Recorder, at: Step, v: Fraction) -> None:
    claim = "one step of Eq. 2 takes the variance to its place, and unscaled noise adds up"
    with recorder.observe("exact law", claim, variance.marginal_variance, variance.unscaled_variance):
        before = at.alpha_bar_prev * v + at.one_minus_alpha_bar_prev
        after = variance.marginal_variance(v, at)
        assert after == at.alpha * before + at.beta
        assert (after - 1) * (v - 1) >= 0
        assert abs(after - 1) <= abs(before - 1)
        assert variance.unscaled_variance(before, at) == before + at.beta


# Gauss–Hermite would need the smooth mixture; a plain fine grid over x_t is exact to rounding for it.
GRID = np.linspace(-12, 12, 24_001)


def _two_points(at: Step) -> tuple[float, float]:
    """E Var(x_0 | x_t) and E Var(x_{t−1} | x_t) for x_0 = ±1 with equal chance, on a grid of x_t."""
    scale, noise = math.sqrt(at.alpha_bar), at.one_minus_alpha_bar
    weights = [np.exp(-((GRID - s * scale) ** 2) / (2 * noise)) for s in (1, -1)]
    density = sum(weights) / (2 * math.sqrt(2 * math.pi * noise)) * (GRID[1] - GRID[0])
    share = 1 / (1 + np.exp(-2 * scale * GRID / noise))
    of_x_0 = 4 * share * (1 - share)
    # x_{t−1} given x_t is a mixture of two normals with the posterior's mean and variance.
    means = [posterior.posterior_mean(s, GRID, at) for s in (1.0, -1.0)]
    mean = share * means[0] + (1 - share) * means[1]
    spread = share * (means[0] - mean) ** 2 + (1 - share) * (means[1] - mean) ** 2
    return float((density * of_x_0).sum()), float(
        (density * (posterior.posterior_variance(at) + spread)).sum()
    )


@pytest.mark.parametrize("t", [100, 200, 300, 600])
def test_two_points(recorder: Recorder, t: int) -> None:
    """Unit variance, and not normal: strictly between the paper's two, below what normal data need."""
    claim = "for data at ±1 the best variance is the mean variance of x_{t-1} given x_t"
    formulas = (variance.explained_variance, variance.linear_residual, posterior.posterior_mean)
    with recorder.observe("oracle", claim, *formulas):
        at = AT[t]
        residual, exact = _two_points(at)
        best = variance.explained_variance(residual, at)
        # The trapezoidal rule on a smooth density leaves rounding, of 24,001 terms.
        assert best == pytest.approx(exact, rel=1e-10)
        assert posterior.posterior_variance(at) < best < at.beta
        assert residual < variance.linear_residual(1.0, at)


@given(
    t=st.integers(2, 1000),
    excess=st.floats(0.01, 3),
    log_sigma_squared=st.floats(-4, 4),
)
def test_no_other_variance_is_better(
    recorder: Recorder, t: int, excess: float, log_sigma_squared: float
) -> None:
    """E L_{t−1} by averaging the divergence over two equally likely μ̃ − μ = ±√w."""
    claim = "no σ² beats the best variance, and there the step costs ½ log σ*²/β̃"
    formulas = (variance.best_step_term, gaussian.kl, posterior.posterior_variance)
    with recorder.observe("property", claim, *formulas):
        at = AT[t]
        beta_tilde = posterior.posterior_variance(at)
        w = excess * beta_tilde

        def cost(sigma_squared: float) -> float:
            mean = math.sqrt(w)
            return sum(gaussian.kl(m, beta_tilde, 0, sigma_squared) for m in (mean, -mean)) / 2

        best = beta_tilde + w
        least = variance.best_step_term(best, at)
        # The terms of the divergence are of size 1 + log.
        assert cost(best) == pytest.approx(least, abs=16 * U * (1 + excess))
        other = best * math.exp(log_sigma_squared)
        assert cost(other) >= least - 16 * U * (1 + cost(other))
        if abs(log_sigma_squared) > 1e-3:
            assert cost(other) > least


def test_prior_term_in_bits(recorder: Recorder) -> None:
    """C1: L_T is linear in E x_0² and no network enters; ≈ 1e-5 bits/dim needs a moment near 0.34."""
    with recorder.observe("oracle", "L_T for data of second moment 0, ¼ and 1", bound.prior_term):
        bits = [bound.bits_per_dim(bound.prior_term(math.sqrt(m), AT[1000]), 1) for m in (0, 0.25, 1)]
        assert bits == pytest.approx([5.9e-10, 7.3e-6, 2.9e-5], rel=0.02)
        # The divergence by its integral, on a grid, at x_0 = 1.
        at = AT[1000]
        q_mean, q_variance = math.sqrt(at.alpha_bar), at.one_minus_alpha_bar
        log_ratio = gaussian.log_density(GRID, q_mean, q_variance) - gaussian.log_density(GRID, 0, 1.0)
        mass = np.exp(gaussian.log_density(GRID, q_mean, q_variance)) * (GRID[1] - GRID[0])
        # Two log-densities of size up to 72 cancel to 2e-5 nats on each of the points that count.
        assert bits[2] * math.log(2) == pytest.approx(float((mass * log_ratio).sum()), abs=100 * U)


def test_unit_normal_data_pay_the_information(recorder: Recorder) -> None:
    claim = "for N(0, I) the terms L_1..L_T add up to the mutual information of x_0 and x_1"
    formulas = (variance.best_step_term, variance.optimal_variance, bound.prior_term)
    with recorder.observe("oracle", claim, *formulas):
        rate = floor_table.rate_of_unit_normal(PAPER)
        # I of jointly normal variables of correlation ρ is −½ log(1 − ρ²); ρ² = ᾱ_1 = 1 − 1e-4.
        assert rate == pytest.approx(-math.log2(1e-4) / 2, rel=1000 * U)
        assert floor_table.information(PAPER) == pytest.approx(rate, rel=1000 * U)
        # The floor is paid within it, not on top of it.
        assert floor_table.of_schedule(PAPER)[0].rate < rate


# --------------------------------------------------------------------------------------------- rounding

POSITIVE = st.floats(1e-6, 10)
FORMULAS = [
    variance.marginal_variance,
    variance.unscaled_variance,
    variance.optimal_variance,
    variance.explained_variance,
    variance.linear_residual,
    floors.loss_floor,
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("formula", FORMULAS, ids=lambda f: f.__name__)
@given(t=st.integers(1, 1000), v=POSITIVE)
def test_rounding(recorder: Recorder, formula: object, dtype: torch.dtype, t: int, v: float) -> None:
    def with_fields(value: Number, *fields: Number) -> Number:
        return formula(value, Step(*fields))  # type: ignore[operator]

    with recorder.observe("rounding bound", f"{formula.__name__} within 2(1+κ)u", formula):  # type: ignore
        check_rounding(with_fields, [v, *AT[t]], dtype)


def test_the_oracles_variance(recorder: Recorder) -> None:
    """Against `oracles.gaussian`, which conditions by covariances in float64."""
    from ddpm_spec.oracles.gaussian import GaussianData

    claim = "the best variance is that of the normal oracle"
    with recorder.observe("oracle", claim, variance.optimal_variance, forward.q_step_variance):
        for v in (0.0, 0.37, 1.0, 2.5):
            for t in (2, 10, 500, 1000):
                exact = GaussianData(PAPER, 0.0, v).reverse_coefficients(t)[2]
                # The oracle's difference cancels by up to 1/β_t.
                assert variance.optimal_variance(v, AT[t]) == pytest.approx(exact, rel=8 * U / AT[t].beta)
        assert forward.q_step_variance(AT[3]) == AT[3].beta
