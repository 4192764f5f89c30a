"""The tables of the schedule: their precision, their order, their indices and their shapes."""

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import forward
from ddpm_spec.formulas.step import Step
from ddpm_spec.schedule import Schedule, linear_schedule

betas = st.lists(st.floats(1e-6, 0.999), min_size=1, max_size=60)


def exact_products(schedule: Schedule) -> tuple[list[mpmath.mpf], list[mpmath.mpf]]:
    """ᾱ_t and 1 − ᾱ_t at 60 digits from the float64 β_t, as products."""
    with mpmath.workdps(60):
        alpha_bar = [mpmath.mpf(1)]
        for beta in schedule.steps.beta[1:].tolist():
            alpha_bar.append(alpha_bar[-1] * (1 - mpmath.mpf(beta)))
        return alpha_bar, [1 - x for x in alpha_bar]


def ulps(computed: float, exact: mpmath.mpf) -> float:
    with mpmath.workdps(60):
        return float(abs(mpmath.mpf(computed) - exact) / math.ulp(float(exact)))


@pytest.mark.parametrize(
    ("T", "beta_1", "beta_T"), [(1000, 1e-4, 0.02), (10, 1e-4, 0.02), (4000, 1e-5, 0.03)]
)
def test_float64_tables_hold_32_ulp(recorder: Recorder, T: int, beta_1: float, beta_T: float) -> None:
    claim = "1 − ᾱ_t in the float64 table is within 32 ulp of its 60-digit value"
    with recorder.observe("rounding bound", claim, forward.one_minus_alpha_bar):
        schedule = linear_schedule(T, beta_1, beta_T)
        _, noise = exact_products(schedule)
        computed = schedule.steps.one_minus_alpha_bar.tolist()
        assert max(ulps(c, e) for c, e in zip(computed[1:], noise[1:], strict=True)) <= 32


@given(betas=betas)
def test_alpha_bar_holds_its_digits(recorder: Recorder, betas: list[float]) -> None:
    claim = "ᾱ_t after t steps is off by at most 2t roundings"
    with recorder.observe("rounding bound", claim, forward.alpha_bar, forward.alpha):
        schedule = Schedule.from_betas(betas)
        alpha_bar, _ = exact_products(schedule)
        for t, (computed, exact) in enumerate(zip(schedule.steps.alpha_bar.tolist(), alpha_bar, strict=True)):
            # One rounding in the product, and one in α_t of relative size at most u/α_t.
            slack = sum(1 + 1 / (1 - beta) for beta in betas[:t])
            assert abs(computed - exact) <= slack * 2.0**-53 * exact


def test_float32_tables_are_correctly_rounded() -> None:
    schedule = linear_schedule()
    at = schedule.at(torch.arange(1, 1001), like=torch.zeros(1000, 1))
    _, noise = exact_products(schedule)
    for t in range(1, 1001):
        # Correctly rounded but where the exact value is within 32 float64 ulp of the midpoint of two
        # float32 numbers: 32/2^29 of all values, none of these.
        assert at.one_minus_alpha_bar[t - 1].item() == np.float32(float(noise[t]))


@given(betas=betas)
def test_tables_are_ordered(recorder: Recorder, betas: list[float]) -> None:
    with recorder.observe("property", "ᾱ_t falls, 1 − ᾱ_t rises, both within [0, 1]", forward.alpha_bar):
        steps = Schedule.from_betas(betas).steps
        assert (steps.alpha_bar.diff() < 0).all()
        assert (steps.one_minus_alpha_bar.diff() >= 0).all()
        assert steps.one_minus_alpha_bar[-1] <= 1
        assert steps.alpha_bar[0] == 1
        assert steps.one_minus_alpha_bar[0] == 0


@given(betas=betas)
def test_previous_is_one_row_up(betas: list[float]) -> None:
    steps = Schedule.from_betas(betas).steps
    assert torch.equal(steps.alpha_bar_prev[1:], steps.alpha_bar[:-1])
    assert torch.equal(steps.one_minus_alpha_bar_prev[1:], steps.one_minus_alpha_bar[:-1])


def test_time_is_one_based() -> None:
    schedule = linear_schedule()
    at = schedule.at(torch.tensor([1, 1000]), like=torch.zeros(2, 1, dtype=torch.float64))
    assert at.beta.flatten().tolist() == pytest.approx([1e-4, 0.02], rel=1e-15)
    assert at.alpha_bar_prev[0] == 1


@pytest.mark.parametrize("shape", [(5, 2, 3, 4), (4, 2, 3, 4), (4, 4)])
def test_shapes_broadcast_over_examples(shape: tuple[int, ...]) -> None:
    """(B,) beside (B, C, H, W) would be silently wrong where B equals the width."""
    schedule = linear_schedule()
    x_0, eps = torch.randn(shape), torch.randn(shape)
    t = torch.arange(1, 2 + shape[0])[: shape[0]] * 150
    together = forward.q_sample(x_0, eps, schedule.at(t, like=x_0))
    assert together.shape == shape
    for i in range(shape[0]):
        alone = forward.q_sample(x_0[i], eps[i], schedule.at(t[i], like=x_0))
        assert torch.equal(together[i], alone)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
    ],
)
def test_coefficients_are_never_in_half_precision(dtype: torch.dtype, expected: torch.dtype) -> None:
    x = torch.ones(2, 1, dtype=dtype)
    at = linear_schedule().at(torch.tensor([1, 2]), like=x)
    assert all(isinstance(field, torch.Tensor) and field.dtype == expected for field in at)
    assert isinstance(at, Step)


@pytest.mark.parametrize(
    ("betas", "message"),
    [
        ([], "needs at least one beta"),
        ([0.1, 0.0], r"beta_2 = 0.0 is outside \(0, 1\)"),
        ([1.0], r"beta_1 = 1.0 is outside \(0, 1\)"),
        ([0.5, float("nan")], "beta_2 = nan"),
    ],
)
def test_a_schedule_that_is_none_is_refused(betas: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule.from_betas(betas)


def test_a_linear_schedule_of_one_step_is_refused() -> None:
    with pytest.raises(ValueError, match="T = 1: a linear schedule needs at least two steps"):
        linear_schedule(1)


def test_paper_values() -> None:
    """ᾱ_T and β̃_2 of the paper's schedule as others have computed them, to the digits they give."""
    steps = linear_schedule().steps
    assert f"{steps.alpha_bar[-1].item():.7e}" == "4.0358298e-05"
    beta_tilde_2 = steps.one_minus_alpha_bar[1] / steps.one_minus_alpha_bar[2] * steps.beta[2]
    assert f"{beta_tilde_2.item():.7e}" == "5.4531877e-05"
