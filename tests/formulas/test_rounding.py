"""Every formula against itself at 50 digits, within the bound that its docstring states."""

import math
from collections.abc import Callable

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rounding import UNIT, check_rounding

from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import (
    forward,
    gaussian,
    interpolation,
    objective,
    posterior,
    reverse,
    sampling,
    schedule,
)
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number
from ddpm_spec.paper import Formula
from ddpm_spec.schedule import linear_schedule

SCHEDULE = linear_schedule()
PRECISIONS = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])

data = st.floats(-4, 4).filter(lambda x: abs(x) > 1e-6)
variance = st.floats(1e-6, 10)
unit = st.floats(1e-6, 1 - 1e-6)


def with_step(formula: Formula) -> Callable[..., Number]:
    """The formula with the six fields of its step as separate last arguments."""
    return lambda *x: formula(*x[:-6], Step(*x[-6:]))


STEP_FORMULAS = [
    (forward.q_step_mean, 1),
    (forward.q_step_variance, 0),
    (forward.q_mean, 1),
    (forward.q_variance, 0),
    (forward.q_sample, 2),
    (posterior.posterior_mean, 2),
    (posterior.posterior_variance, 0),
    (reverse.predict_x_0, 2),
    (reverse.mean_from_eps, 2),
    (reverse.x_0_from_mean, 2),
]
PLAIN_FORMULAS = [
    (gaussian.linear_mean, (data, data)),
    (gaussian.linear_variance, (variance, variance, variance)),
    (gaussian.log_density, (data, data, variance)),
    (forward.alpha, (unit,)),
    (forward.alpha_bar, (unit, unit)),
    (forward.one_minus_alpha_bar, (unit, unit)),
    (sampling.p_sample, (data, variance, data)),
    (objective.simple_loss, (data, data)),
    (interpolation.mix, (data, data, unit)),
]


@PRECISIONS
@pytest.mark.parametrize(("formula", "arguments"), STEP_FORMULAS, ids=lambda x: getattr(x, "__name__", ""))
@given(draw=st.data())
def test_formulas_of_a_step(
    recorder: Recorder, formula: Formula, arguments: int, dtype: torch.dtype, draw: st.DataObject
) -> None:
    t = draw.draw(st.integers(1, SCHEDULE.T))
    fields = [table[t].item() for table in SCHEDULE.steps]
    inputs = [*(draw.draw(data) for _ in range(arguments)), *fields]
    with recorder.observe("rounding bound", f"{formula.__name__} within 2(1+κ)u", formula):
        check_rounding(with_step(formula), inputs, dtype)


@PRECISIONS
@pytest.mark.parametrize(("formula", "domain"), PLAIN_FORMULAS, ids=lambda x: getattr(x, "__name__", ""))
@given(draw=st.data())
def test_other_formulas(
    recorder: Recorder,
    formula: Formula,
    domain: tuple[st.SearchStrategy[float], ...],
    dtype: torch.dtype,
    draw: st.DataObject,
) -> None:
    inputs = [draw.draw(values) for values in domain]
    with recorder.observe("rounding bound", f"{formula.__name__} within 2(1+κ)u", formula):
        check_rounding(formula, inputs, dtype)


@PRECISIONS
@given(weight=unit)
def test_mixed_noise(recorder: Recorder, weight: float, dtype: torch.dtype) -> None:
    with recorder.observe("rounding bound", "mixed_noise within 3(1+κ)u", interpolation.mixed_noise):
        check_rounding(interpolation.mixed_noise, [weight], dtype, c=3)


@PRECISIONS
@given(t=st.integers(1, SCHEDULE.T), sigma_squared=variance)
def test_weight(recorder: Recorder, t: int, sigma_squared: float, dtype: torch.dtype) -> None:
    inputs = [sigma_squared, *(table[t].item() for table in SCHEDULE.steps)]
    with recorder.observe("rounding bound", "eps_weight within 2(1+κ)u", objective.eps_weight):
        check_rounding(with_step(objective.eps_weight), inputs, dtype)


@PRECISIONS
@pytest.mark.parametrize(("formula", "c"), [(schedule.linear_beta, 2), (schedule.quadratic_beta, 4)])
@given(t=st.integers(1, 4000), T=st.integers(2, 4000), ends=st.tuples(unit, unit))
def test_betas_between_end_points(
    recorder: Recorder,
    formula: Formula,
    c: int,
    t: int,
    T: int,
    ends: tuple[float, float],
    dtype: torch.dtype,
) -> None:
    with recorder.observe("rounding bound", f"{formula.__name__} within {c}(1+κ)u", formula):
        check_rounding(lambda first, last: formula(min(t, T), T, first, last), sorted(ends), dtype, c)


@PRECISIONS
@given(T=st.integers(2, 4000), position=unit, s=st.floats(1e-3, 0.1))
def test_cosine_beta(recorder: Recorder, T: int, position: float, s: float, dtype: torch.dtype) -> None:
    """κ in s alone understates what an error of an angle does; it is taken in the two angles."""
    t = max(1, math.ceil(position * T))
    with recorder.observe("rounding bound", "cosine_beta within 5(1+κ)u", schedule.cosine_beta):
        offset = torch.tensor(s, dtype=dtype)
        with mpmath.workdps(50):
            reference = schedule.cosine_beta(t, T, mpmath.mpf(offset.item()))
            a, b = (schedule.cosine_angle(k, T, mpmath.mpf(offset.item())) for k in (t - 1, t))
            error = abs(mpmath.mpf(schedule.cosine_beta(t, T, offset).item()) - reference) / reference
            # |x d log β/dx| for x = a + b, b − a and a.
            kappa = (a + b) * abs(mpmath.cot(a + b)) + (b - a) * mpmath.cot(b - a) + 2 * a * mpmath.tan(a)
            assert error <= 5 * (1 + kappa) * UNIT[dtype]
