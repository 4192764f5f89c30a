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
from ddpm_spec.formulas.decoder import log_bin_probability
from ddpm_spec.ops import multiprecision as multiprecision

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
