"""Every formula that states a bound against itself at 50 digits."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rounding import check_rounding

from ddpm_spec.evidence import Recorder
from ddpm_spec.followups import (
    consistency,
    ddim,
    flow_matching,
    learned_variance,
    preconditioning,
    snr,
    steering,
    v_prediction,
    weights,
)
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number
from ddpm_spec.paper import Formula
from ddpm_spec.schedule import linear_schedule

SCHEDULE = linear_schedule()
PRECISIONS = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
data = st.floats(-3, 3).filter(lambda x: abs(x) > 1e-3)
positive = st.floats(1e-3, 1e3)

FORMULAS = [
    (ddim.implied_noise, 2, 2),
    (ddim.ddim_variance, 1, 3),
    (flow_matching.path_time, 0, 4),
    (snr.snr, 0, 2),
    (snr.snr_prev, 0, 2),
    (learned_variance.noise_gain, 0, 3),
    (steering.denoiser_slope, 1, 3),
    (v_prediction.velocity, 2, 2),
    (v_prediction.eps_from_v, 2, 2),
    (weights.on_x_0, 1, 3),
]
"""Each with the number of arguments before the step, and c of the bound c(1+κ)u."""


def with_step(formula: Formula) -> Callable[..., Number]:
    """The formula as a function of plain numbers, the last six of which are the step."""
    return lambda *inputs: formula(*inputs[:-6], Step(*inputs[-6:]))


@PRECISIONS
@pytest.mark.parametrize(("formula", "arguments", "c"), FORMULAS, ids=lambda x: getattr(x, "__name__", ""))
@given(draw=st.data())
def test_formulas_of_a_step(
    recorder: Recorder, formula: Formula, arguments: int, c: int, dtype: torch.dtype, draw: st.DataObject
) -> None:
    t = draw.draw(st.integers(2, SCHEDULE.T))
    inputs = [*(draw.draw(data) for _ in range(arguments)), *(table[t].item() for table in SCHEDULE.steps)]
    with recorder.observe("rounding bound", f"{formula.__name__} within {c}(1+κ)u", formula):
        check_rounding(with_step(formula), inputs, dtype, c)


@PRECISIONS
@given(noise=positive.filter(lambda x: abs(x - 1) > 1e-3))
def test_noise_label(recorder: Recorder, noise: float, dtype: torch.dtype) -> None:
    with recorder.observe("rounding bound", "noise_label within 2(1+κ)u", preconditioning.noise_label):
        check_rounding(preconditioning.noise_label, [noise], dtype)


@PRECISIONS
@given(noise=positive, variance=positive)
def test_skip_scale(recorder: Recorder, noise: float, variance: float, dtype: torch.dtype) -> None:
    with recorder.observe("rounding bound", "skip_scale within 2(1+κ)u", preconditioning.skip_scale):
        check_rounding(preconditioning.skip_scale, [noise, variance], dtype)


@PRECISIONS
@given(first=positive, second=positive)
def test_formulas_of_two_positive_numbers(
    recorder: Recorder, first: float, second: float, dtype: torch.dtype
) -> None:
    for formula in (steering.dps_excess, steering.norm_step):
        with recorder.observe("rounding bound", f"{formula.__name__} within 2(1+κ)u", formula):
            check_rounding(formula, [first, second], dtype)


@PRECISIONS
@given(x=data, denoised=data, sigma=positive)
def test_path_speed(recorder: Recorder, x: float, denoised: float, sigma: float, dtype: torch.dtype) -> None:
    with recorder.observe("rounding bound", "path_speed within 2(1+κ)u", consistency.path_speed):
        check_rounding(consistency.path_speed, [x, denoised, sigma], dtype)


@PRECISIONS
@given(simple=positive, term=positive, weight=positive, T=st.integers(1, 4000))
def test_hybrid_loss(
    recorder: Recorder, simple: float, term: float, weight: float, T: int, dtype: torch.dtype
) -> None:
    with recorder.observe("rounding bound", "hybrid_loss within 2(1+κ)u", learned_variance.hybrid_loss):
        check_rounding(learned_variance.hybrid_loss, [simple, term, weight, T], dtype)
