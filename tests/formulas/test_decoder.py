"""Eq. 13: its bins, its tails, its gradient and its rounding error."""

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf
from rounding import UNIT
from scipy import stats

from ddpm_spec.evidence import Recorder
from ddpm_spec.floors import table as floors
from ddpm_spec.formulas import forward, gaussian, objective
from ddpm_spec.formulas.decoder import log_bin_probability, log_bin_probability_tanh, tanh_cdf
from ddpm_spec.formulas.posterior import posterior_variance
from ddpm_spec.ops import multiprecision as multiprecision
from ddpm_spec.schedule import linear_schedule

LEVELS = st.sampled_from([2, 17, 256])
means = st.floats(-5, 5)
log_sigmas = st.floats(-7, 1)


def f64(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


def grid(levels: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """All values that the data can take."""
    return torch.arange(levels, dtype=dtype) * 2 / (levels - 1) - 1


@given(levels=LEVELS, mean=means, log_sigma=log_sigmas)
def test_bins_sum_to_one(recorder: Recorder, levels: int, mean: float, log_sigma: float) -> None:
    with recorder.observe("property", "the bins of the decoder sum to one", log_bin_probability):
        logs = log_bin_probability(grid(levels), f64(mean), f64(2 * log_sigma).exp(), levels)
        # Each of the probabilities is off by its own relative error; near log p = 0 that is what the
        # 256 log-cdf differences of size ≤ 1/u allow.
        scale = 1 + (abs(mean) + 2) / math.exp(log_sigma)
        assert abs(logs.exp().sum().item() - 1) <= 4 * levels * UNIT[torch.float64] * scale


@given(levels=LEVELS, position=st.floats(0, 1), mean=st.floats(-1.2, 1.2), log_sigma=st.floats(-5, 1))
def test_bin_is_the_mass_of_the_normal_law(
    recorder: Recorder, levels: int, position: float, mean: float, log_sigma: float
) -> None:
    """Against scipy's cdf, written with the edges of Eq. 13 as the paper has them."""
    with recorder.observe("oracle", "a bin holds what scipy's normal law puts there", log_bin_probability):
        k = round(position * (levels - 1))
        x_0, sigma = 2 * k / (levels - 1) - 1, math.exp(log_sigma)
        upper = np.inf if k == levels - 1 else x_0 + 1 / (levels - 1)
        lower = -np.inf if k == 0 else x_0 - 1 / (levels - 1)
        mass = stats.norm.cdf(upper, mean, sigma) - stats.norm.cdf(lower, mean, sigma)
        ours = log_bin_probability(grid(levels)[k], f64(mean), f64(sigma**2), levels)
        # scipy's difference loses what the two cdfs, each below 1, round away.
        assert abs(ours.exp().item() - mass) <= 16 * UNIT[torch.float64] * (1 + (abs(mean) + 2) / sigma)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@given(levels=LEVELS, position=st.floats(0, 1), mean=means, log_sigma=log_sigmas)
def test_rounding(
    recorder: Recorder, levels: int, position: float, mean: float, log_sigma: float, dtype: torch.dtype
) -> None:
    claim = "log_bin_probability within 2u of the size of its parts"
    with recorder.observe("rounding bound", claim, log_bin_probability):
        x_0 = grid(levels, dtype)[round(position * (levels - 1))]
        mu, variance = torch.tensor(mean, dtype=dtype), torch.tensor(2 * log_sigma, dtype=dtype).exp()
        inputs = [mpf(x.item()) for x in (x_0, mu, variance)]
        with mpmath.workdps(50):
            reference = log_bin_probability(*inputs, levels)
            error = abs(mpf(log_bin_probability(x_0, mu, variance, levels).item()) - reference)
            bound = 2 * UNIT[dtype] * size_of_parts(*inputs, levels) + torch.finfo(dtype).tiny
        assert error <= bound, f"{float(error / bound):.2f} of the bound"


def size_of_parts(x_0: mpf, mean: mpf, variance: mpf, levels: int) -> mpf:
    """What the roundings inside act on: log p, the two log-cdfs, and the positions of the bin's ends."""
    half_bin, sigma = mpf(1) / (levels - 1), mpmath.sqrt(variance)
    upper = (x_0 + half_bin - mean) / sigma if x_0 < 1 - half_bin else mpmath.inf
    lower = (x_0 - half_bin - mean) / sigma if x_0 > half_bin - 1 else -mpmath.inf
    if lower + upper > 0:
        lower, upper = -upper, -lower
    with mpmath.workdps(80):
        log_p = log_bin_probability(x_0, mean, variance, levels)
        p, below = mpmath.exp(log_p), mpmath.ncdf(lower)
        log_upper = mpmath.log1p(-mpmath.ncdf(-upper)) if upper > 0 else mpmath.log(mpmath.ncdf(upper))
        size = abs(log_p) + abs(log_upper)
        if below > 0:
            size += (abs(mpmath.log(below)) + abs(log_upper)) * below / p
        shift = (abs(x_0) + half_bin + abs(mean)) / sigma
        for z in (lower, upper):
            if mpmath.isfinite(z):
                size += (shift + abs(z)) * mpmath.npdf(z) / p
        return size


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_finite_with_finite_gradient(recorder: Recorder, levels: int) -> None:
    claim = "finite with finite gradient for means in [−5, 5] and log σ in [−7, 1], in float32"
    with recorder.observe("property", claim, log_bin_probability):
        x_0 = grid(levels, torch.float32).reshape(-1, 1, 1)
        mean = torch.linspace(-5, 5, 101).reshape(1, -1, 1).requires_grad_()
        log_sigma = torch.linspace(-7, 1, 33).reshape(1, 1, -1).requires_grad_()
        logs = log_bin_probability(x_0, mean, (2 * log_sigma).exp(), levels)
        assert torch.isfinite(logs).all()
        assert (logs <= 0).all()
        gradients = torch.autograd.grad(logs.sum(), (mean, log_sigma))
        assert all(torch.isfinite(g).all() for g in gradients)


def test_gradient_is_that_of_the_density_ratio(recorder: Recorder) -> None:
    """∂ log p/∂μ = (φ(lower) − φ(upper)) / (σ p), in tails where a plain difference of cdfs is 0/0."""
    with recorder.observe("oracle", "the gradient in the far tail is right", log_bin_probability):
        x_0 = f64(0.0)
        mean = f64(3.0).requires_grad_()
        variance = f64(0.01)
        log_bin_probability(x_0, mean, variance, 17).backward()
        with mpmath.workdps(50):
            upper, lower = ((s * mpf(1) / 16 - 3) / mpmath.sqrt(mpf(variance.item())) for s in (1, -1))
            mass = mpmath.ncdf(upper) - mpmath.ncdf(lower)
            slope = (mpmath.npdf(lower) - mpmath.npdf(upper)) / mass / mpmath.sqrt(mpf(variance.item()))
        # torch forms the slope of log Φ as exp(−z²/2 − log Φ(z)): its exponent is rounded at size z²/2.
        assert mean.grad is not None
        assert abs(mean.grad.item() / float(slope) - 1) <= 2 * float(lower) ** 2 * UNIT[torch.float64]


# ------------------------------------------------------------------- density times width, claim C6


@given(levels=st.integers(3, 300), position=st.floats(0, 1), mean=means, log_sigma=log_sigmas)
def test_density_times_width(
    recorder: Recorder, levels: int, position: float, mean: float, log_sigma: float
) -> None:
    """−r²/6 ≤ log p − log(2δ N(x_0; μ, σ²)) ≤ ζ²r²/6 inside the range, with 50 digits."""
    claim = "density times width is off by at most r²/6 below and ζ²r²/6 above"
    with recorder.observe("property", claim, log_bin_probability, gaussian.log_density):
        k = 1 + round(position * (levels - 3))
        with mpmath.workdps(50):
            x_0 = mpf(2 * k) / (levels - 1) - 1
            mu, variance = mpf(mean), mpmath.exp(2 * mpf(log_sigma))
            width = mpf(2) / (levels - 1)
            exact = log_bin_probability(x_0, mu, variance, levels)
            error = exact - mpmath.log(width) - gaussian.log_density(x_0, mu, variance)
            r, zeta = width / 2 / mpmath.sqrt(variance), (x_0 - mu) / mpmath.sqrt(variance)
            # What 50 digits lose in a density of e^(−ζ²/2).
            slack = mpf(10) ** -40 * (1 + zeta**2 + r**2)
            assert -(r**2) / 6 - slack <= error <= zeta**2 * r**2 / 6 + slack


def test_density_times_width_is_rough_for_the_paper(recorder: Recorder) -> None:
    """δ/σ_1 is 0.39 for σ_1² = β_1 and 0.53 for β̃_2: up to 0.037 and 0.068 bits from below."""
    claim = "in bits, what the paper leaves out between Eq. 13 and Eq. 14 with its own σ_1"
    with recorder.observe("oracle", claim, log_bin_probability, gaussian.log_density):
        for variance, ratio, bits in ((1e-4, 0.392, 0.0370), (5.4531877e-5, 0.531, 0.0678)):
            x_0, width = 2 * 100 / 255 - 1, 2 / 255
            assert width / 2 / math.sqrt(variance) == pytest.approx(ratio, abs=5e-4)
            approximate = math.log(width) + gaussian.log_density(x_0, x_0, variance)
            # At the middle the error is near its bound: −r²/6 + O(r⁴).
            error = (approximate - log_bin_probability(x_0, x_0, variance, 256)) / math.log(2)
            assert error == pytest.approx(bits, rel=0.06)
            assert error < bits


def test_shape_of_the_weights(recorder: Recorder) -> None:
    """Eq. 12's weights fall until t = 349 (350 for β̃) and rise again, by a factor of two."""
    claim = "the weights that Eq. 14 drops are not monotone in t"
    with recorder.observe("oracle", claim, objective.eps_weight):
        at = floors.steps(linear_schedule())
        for variance, least, value in (
            (forward.q_step_variance, 349, 0.00497),
            (posterior_variance, 350, 0.00498),
        ):
            weights = [objective.eps_weight(variance(step), step) for step in at[2:]]
            assert 2 + int(np.argmin(weights)) == least
            assert min(weights) == pytest.approx(value, abs=5e-6)
            assert weights[-1] == pytest.approx(0.0102, abs=5e-5)
            signs = np.sign(np.diff(weights))
            assert (signs[: least - 2] == -1).all()
            assert (signs[least - 2 :] == 1).all()
        # At t = 1 the paper's σ_1² = β_1 gives 1/(2α_1), 100 times the least.
        assert objective.eps_weight(at[1].beta, at[1]) == pytest.approx(1 / (2 * at[1].alpha), rel=1e-12)


# ------------------------------------------------------------------------- the official code's decoder


def test_tanh_cdf(recorder: Recorder) -> None:
    """Against scipy; symmetric, rising, and steepest at 0, so that a centred bin is the best one."""
    claim = "the tanh cdf is within 1.8e-4 of the normal one"
    with recorder.observe("oracle", claim, tanh_cdf):
        x = np.linspace(-8, 8, 16_001)
        ours = np.array([tanh_cdf(value) for value in x.tolist()])
        worst = np.abs(ours - stats.norm.cdf(x)).max()
        assert 1.7e-4 < worst < 1.8e-4
        assert np.abs(ours + ours[::-1] - 1).max() <= 4 * UNIT[torch.float64]
        slope = np.diff(ours)[len(x) // 2 :]
        assert (np.diff(slope)[slope[1:] > 1e-9] < 0).all()
        assert [tanh_cdf(end) for end in (-math.inf, math.inf)] == [0, 1]


@given(levels=LEVELS, mean=st.floats(-1.2, 1.2), log_sigma=st.floats(-5, 1))
def test_official_decoder(recorder: Recorder, levels: int, mean: float, log_sigma: float) -> None:
    claim = "the official decoder is Eq. 13 to 3.6e-4 a bin, but for its floor of 1e-12"
    with recorder.observe("property", claim, log_bin_probability_tanh, log_bin_probability, tanh_cdf):
        arguments = grid(levels), f64(mean), f64(2 * log_sigma).exp(), levels
        ours, exact = log_bin_probability_tanh(*arguments).exp(), log_bin_probability(*arguments).exp()
        assert (ours - exact).abs().max() <= 2 * 1.8e-4
        floored = (ours <= 1e-12 * (1 + 1e-9)).sum().item()
        assert ours.min() >= 1e-12 * (1 - 1e-9)
        # What is not at the floor adds up to one less what the floor lifted, which is below 1e-12 a bin.
        assert -1e-13 <= ours.sum().item() - 1 + 1e-12 * (levels - floored) <= 1.1e-12 * levels


def test_official_decoder_is_no_codelength(recorder: Recorder) -> None:
    """Far from the mean the exact cost grows without bound, the official one stops at 12 log 10."""
    claim = "the official decoder's probabilities sum to more than one"
    with recorder.observe("property", claim, log_bin_probability_tanh, log_bin_probability):
        arguments = grid(256), f64(0.0), f64(5.45e-5), 256
        ours = log_bin_probability_tanh(*arguments)
        assert -ours.min().item() == pytest.approx(12 * math.log(10), rel=1e-12)
        assert ours.exp().sum().item() > 1 + 1e-10
        assert log_bin_probability(*arguments).min().item() < -9000


def test_least_probability_is_exact_where_the_numbers_are(recorder: Recorder) -> None:
    with (
        recorder.observe(
            "exact law", "the least probability is 10⁻¹² to 50 digits", log_bin_probability_tanh
        ),
        mpmath.workdps(50),
    ):
        cost = -log_bin_probability_tanh(mpf(1) / 5, mpf(-1), mpf(1) / 10**6, 256)
        assert abs(cost - 12 * mpmath.log(10)) < mpf(10) ** -45
