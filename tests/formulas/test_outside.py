"""Formulas against definitions that are not ours: torch.distributions, scipy, quadrature."""

import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf
from rounding import UNIT
from scipy import integrate, stats
from torch.distributions import Normal, kl_divergence

from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import bound, coding, forward, gaussian, schedule
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import multiprecision as multiprecision
from ddpm_spec.schedule import linear_schedule

U = UNIT[torch.float64]
PAPER = linear_schedule().steps
data = st.floats(-4, 4)
variances = st.floats(1e-3, 10)


def f64(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


@given(x=data, mean=data, variance=variances)
def test_log_density(recorder: Recorder, x: float, mean: float, variance: float) -> None:
    with recorder.observe("oracle", "log_density is scipy's", gaussian.log_density):
        ours = gaussian.log_density(f64(x), f64(mean), f64(variance)).item()
        theirs = stats.norm.logpdf(x, mean, math.sqrt(variance))
        assert abs(ours - theirs) <= 16 * U * (1 + (x - mean) ** 2 / variance + abs(math.log(variance)))


@given(mean=data, variance=variances, mean_p=data, variance_p=variances)
def test_kl(recorder: Recorder, mean: float, variance: float, mean_p: float, variance_p: float) -> None:
    with recorder.observe("oracle", "kl is torch.distributions'", gaussian.kl):
        ours = gaussian.kl(*(f64(x) for x in (mean, variance, mean_p, variance_p))).item()
        p, q = Normal(f64(mean), f64(variance).sqrt()), Normal(f64(mean_p), f64(variance_p).sqrt())
        ratio = variance / variance_p
        size = ratio + 1 + abs(math.log(ratio)) + (mean - mean_p) ** 2 / variance_p
        # 4u for ours, as much for theirs, whose roots and squares add a few roundings.
        assert abs(ours - kl_divergence(p, q).item()) <= 12 * U * size


@given(
    mean=st.floats(-1, 1), variance=st.floats(0.1, 2), mean_p=st.floats(-1, 1), variance_p=st.floats(0.1, 2)
)
def test_kl_is_the_integral(
    recorder: Recorder, mean: float, variance: float, mean_p: float, variance_p: float
) -> None:
    with recorder.observe("oracle", "kl is the integral of q log q/p", gaussian.kl):
        q, p = stats.norm(mean, variance**0.5), stats.norm(mean_p, variance_p**0.5)
        reach = 10 * variance**0.5
        # Analytic and zero at both ends: with 20 nodes a standard deviation the rule is exact to rounding.
        x = np.linspace(mean - reach, mean + reach, 401)
        value = integrate.trapezoid(q.pdf(x) * (q.logpdf(x) - p.logpdf(x)), x)
        ours = gaussian.kl(mean, variance, mean_p, variance_p)
        assert abs(ours - value) <= 1e-10  # the tails beyond ten standard deviations


@given(d=st.floats(0, 1e6))
def test_message_length(recorder: Recorder, d: float) -> None:
    """Elias' δ code without rounding down, of an index of D + 1 bits."""
    with recorder.observe(
        "oracle", "the length of a message by a logarithm to base 2", coding.message_length
    ):
        bits = mpf(d) + 1
        expected = bits + 2 * mpmath.log(bits + 1, 2) + 1
        # Six roundings of positive numbers; that of D + 2 weighs 1/log 2 in its logarithm.
        assert abs(coding.message_length(f64(d)).item() - expected) <= 7 * U * expected


@given(nats=st.floats(0.01, 1e6), dims=st.integers(1, 10**6))
def test_bits_per_dim(recorder: Recorder, nats: float, dims: int) -> None:
    with recorder.observe("oracle", "bits per coordinate by log2(e)", bound.bits_per_dim):
        expected = nats * math.log2(math.e) / dims
        assert abs(bound.bits_per_dim(f64(nats), dims).item() - expected) <= 6 * U * expected
        assert bound.bits_per_dim(f64(nats), dims).item() == bound.bits_per_dim(nats, dims)


def test_bits_are_powers_of_two_to_50_digits(recorder: Recorder) -> None:
    with (
        recorder.observe("exact law", "2 to the bits is e to the nats, to 50 digits", bound.bits_per_dim),
        mpmath.workdps(50),
    ):
        assert abs(2 ** (3 * bound.bits_per_dim(mpf(7) / 5, 3)) / mpmath.exp(mpf(7) / 5) - 1) < mpf(10) ** -48


def test_the_papers_schedule(recorder: Recorder) -> None:
    """§4: linear from 1e-4 to 0.02 over T = 1000, so that SNR(T) is small."""
    with recorder.observe("oracle", "β_1 and β_T of §4, evenly spaced between", schedule.linear_beta):
        betas = [schedule.linear_beta(t, 1000, 1e-4, 0.02) for t in range(1, 1001)]
        assert betas[0] == 1e-4
        assert betas[-1] == pytest.approx(0.02, rel=2 * U)
        steps = {round((b - a) * 999 / 0.0199, 9) for a, b in pairwise(betas)}
        assert steps == {1.0}


@given(x_0=st.floats(-1, 1))
def test_prior_term(recorder: Recorder, x_0: float) -> None:
    with recorder.observe("oracle", "L_T is the divergence of q(x_T | x_0) from N(0, 1)", bound.prior_term):
        at = Step(*(table[-1] for table in PAPER))
        ours = bound.prior_term(f64(x_0), at).item()
        q = Normal(at.alpha_bar.sqrt() * x_0, at.one_minus_alpha_bar.sqrt())
        theirs = kl_divergence(q, Normal(f64(0.0), f64(1.0))).item()
        assert abs(ours - theirs) <= 24 * U  # both subtract numbers of size 1


@given(x_0=st.floats(-1, 1), x_t=data, mean=data, t=st.integers(2, 1000), variance=st.floats(1e-4, 0.02))
def test_step_term(recorder: Recorder, x_0: float, x_t: float, mean: float, t: int, variance: float) -> None:
    """The posterior is conditioned here by covariances, the divergence is torch's."""
    with recorder.observe("oracle", "L_{t-1} is the divergence from the conditioned law", bound.step_term):
        at = Step(*(table[t] for table in PAPER))
        ours = bound.step_term(f64(x_0), f64(x_t), f64(mean), f64(variance), at).item()
        # (x_{t−1}, x_t) given x_0: means √ᾱ x_0, variances 1−ᾱ, covariance √α_t (1−ᾱ_{t−1}).
        covariance = at.alpha.sqrt() * at.one_minus_alpha_bar_prev
        gain = covariance / at.one_minus_alpha_bar
        center = at.alpha_bar_prev.sqrt() * x_0 + gain * (x_t - at.alpha_bar.sqrt() * x_0)
        spread = at.one_minus_alpha_bar_prev - gain * covariance
        theirs = kl_divergence(Normal(center, spread.sqrt()), Normal(f64(mean), f64(variance).sqrt())).item()
        # The conditioned variance cancels: it is a difference of numbers 1/β_t times its size.
        size = (
            1
            + ((center - mean) ** 2 / variance + spread / variance).item()
            + abs(center.item()) / variance**0.5
        )
        loss = (at.one_minus_alpha_bar_prev / spread).item()
        assert abs(ours - theirs) <= 24 * U * size * loss * (1 + abs(x_t) + abs(mean) / variance**0.5)


def test_half_precision_is_refused_nowhere_but_never_forms_a_coefficient() -> None:
    """A bfloat16 batch gets float32 coefficients, so √ᾱ_t is not rounded to 8 bits."""
    schedule = linear_schedule()
    x = torch.ones(1, 1, dtype=torch.bfloat16)
    at = schedule.at(torch.tensor([1]), like=x)
    assert {field.dtype for field in at} == {torch.float32}
    assert forward.q_mean(x, at).dtype == torch.float32
