"""The tables of the schedule: their precision, their order, their indices and their shapes."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from ddpm_spec.diffusion import Diffusion
from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import forward
from ddpm_spec.formulas import schedule as formulas
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import exact
from ddpm_spec.schedule import (
    Schedule,
    constant_schedule,
    cosine_schedule,
    evenly,
    linear_schedule,
    quadratic_schedule,
)

roots = st.fractions(Fraction(1, 100), Fraction(99, 100), max_denominator=100)
betas = st.lists(st.floats(1e-6, 0.999), min_size=1, max_size=60)


def exact_products(schedule: Schedule) -> tuple[list[mpmath.mpf], list[mpmath.mpf]]:
    """ᾱ_t and 1 − ᾱ_t at 60 digits from the float64 β_t, as products."""
    with mpmath.workdps(60):
        alpha_bar = [mpmath.mpf(1)]
        for beta in schedule.steps.beta[1:].tolist():
            alpha_bar.append(alpha_bar[-1] * (1 - mpmath.mpf(beta)))
        return alpha_bar, [1 - x for x in alpha_bar]


SCHEDULES = pytest.mark.parametrize(
    "build",
    [constant_schedule, linear_schedule, quadratic_schedule, cosine_schedule],
    ids=["constant", "linear", "quadratic", "cosine"],
)


@SCHEDULES
@pytest.mark.parametrize("T", [10, 100, 1000, 4000])
def test_tables_keep_their_digits(recorder: Recorder, build: Callable[[int], Schedule], T: int) -> None:
    """float64 and float32 hold the number nearest to the exact value, for every step."""
    claim = "ᾱ_t and 1 − ᾱ_t in the tables are the float64 numbers nearest to their 60-digit values"
    with recorder.observe("rounding bound", claim, forward.one_minus_alpha_bar, forward.alpha_bar):
        schedule = build(T)
        alpha_bar, noise = exact_products(schedule)
        assert schedule.steps.alpha_bar.tolist() == [float(x) for x in alpha_bar]
        assert schedule.steps.one_minus_alpha_bar.tolist() == [float(x) for x in noise]
        at = schedule.at(torch.arange(1, T + 1), like=torch.zeros(T, 1))
        # Rounding twice differs from rounding once only at the midpoint of two float32 numbers.
        assert at.one_minus_alpha_bar.flatten().tolist() == [float(np.float32(float(x))) for x in noise[1:]]


def test_cosine_schedule_is_its_definition() -> None:
    """ᾱ_t = f(t)/f(0) with f the squared cosine, up to the step that the clip at 0.999 touches."""
    T, s = 1000, 0.008
    steps = cosine_schedule(T, s).steps
    with mpmath.workdps(60):
        f = [
            mpmath.cos((mpmath.mpf(t) / T + mpmath.mpf(s)) / (1 + mpmath.mpf(s)) * mpmath.pi / 2) ** 2
            for t in range(T)
        ]
        for t in range(T):
            # Each step's β_t is off by a few u of itself, at most u/α_t of the product.
            assert (
                abs(steps.alpha_bar[t].item() / (f[t] / f[0]) - 1)
                <= 4 * 2.0**-53 * (t + 1) / steps.alpha[t].item()
            )
    assert (steps.beta[1:] == 0.999).nonzero().flatten().tolist() == [T - 1]


@given(betas=betas)
def test_tables_are_ordered(recorder: Recorder, betas: list[float]) -> None:
    with recorder.observe("property", "ᾱ_t falls, 1 − ᾱ_t rises, both within [0, 1]", forward.alpha_bar):
        steps = Schedule.from_betas(betas).steps
        assert (steps.alpha_bar.diff() < 0).all()
        assert (steps.one_minus_alpha_bar.diff() >= 0).all()
        assert steps.one_minus_alpha_bar[-1] <= 1
        assert steps.alpha_bar[0] == 1
        assert steps.one_minus_alpha_bar[0] == 0


@SCHEDULES
def test_a_schedule_has_as_many_steps_as_were_asked_for(build: Callable[[int], Schedule]) -> None:
    schedule = build(7)
    assert schedule.T == 7
    assert all(len(table) == 8 for table in schedule.steps)


@given(betas=betas)
def test_previous_is_one_row_up(betas: list[float]) -> None:
    steps = Schedule.from_betas(betas).steps
    assert torch.equal(steps.alpha_bar_prev[1:], steps.alpha_bar[:-1])
    assert torch.equal(steps.one_minus_alpha_bar_prev[1:], steps.one_minus_alpha_bar[:-1])


def test_row_zero_is_the_data() -> None:
    """ᾱ_0 = 1 and no noise; β_0 is a placeholder."""
    first = Step(*(table[0].item() for table in linear_schedule(3).steps))
    assert first == Step(0.0, 1.0, 1.0, 1.0, 0.0, 0.0)


def test_a_constant_schedule_is_constant() -> None:
    assert constant_schedule(3, 0.2).steps.beta[1:].tolist() == [0.2, 0.2, 0.2]


def test_two_steps_are_the_two_end_points() -> None:
    for build in (linear_schedule, quadratic_schedule):
        assert build(2, 0.1, 0.3).steps.beta[1:].tolist() == pytest.approx([0.1, 0.3], rel=4 * 2.0**-53)


@given(ends=st.tuples(roots, roots), T=st.integers(3, 40))
def test_roots_of_the_quadratic_schedule_are_evenly_spaced(
    recorder: Recorder, ends: tuple[Fraction, Fraction], T: int
) -> None:
    claim = "√β_t of the quadratic schedule runs in equal steps from √β_1 to √β_T"
    with recorder.observe("exact law", claim, formulas.quadratic_beta):
        first, last = ends
        betas = [formulas.quadratic_beta(t, T, first**2, last**2) for t in range(1, T + 1)]
        found = [exact.sqrt(beta) for beta in betas]
        assert (found[0], found[-1]) == (first, last)
        assert len({b - a for a, b in pairwise(found)}) == 1


def test_time_is_one_based() -> None:
    schedule = linear_schedule()
    at = schedule.at(torch.tensor([1, 1000]), like=torch.zeros(2, 1, dtype=torch.float64))
    assert at.beta.flatten().tolist() == pytest.approx([1e-4, 0.02], rel=1e-15)
    assert at.alpha_bar_prev[0] == 1


@pytest.mark.parametrize(
    ("t", "message"),
    [
        (torch.tensor([3, 0]), r"^t has 0 in it; times are from 1 to 12: add 1 to a 0-based t$"),
        (torch.tensor(0), "t has 0 in it"),
        (torch.tensor([5, -1]), r"^t has -1 in it; times are from 1 to 12$"),
        (torch.tensor([1, 13]), r"^t has 13 in it; times are from 1 to 12$"),
        (torch.tensor([1.0, 2.0]), "t is of torch.float32; times are integers of torch.int64, from 1 to 12"),
        (torch.ones(13, dtype=torch.uint8), "t is of torch.uint8"),  # as an index this is a mask
        (torch.ones(13, dtype=torch.bool), "t is of torch.bool"),
        (torch.tensor([[1], [2]]), r"t has shape \(2, 1\); give one time, or one for each example"),
    ],
)
def test_a_time_that_is_none_is_refused(t: torch.Tensor, message: str) -> None:
    """0 and −1 are rows of the tables as well: that of the data, and that of T."""
    with pytest.raises(ValueError, match=message):
        linear_schedule(12).at(t, like=torch.zeros(len(t) if t.ndim else 1, 1))


def test_all_times_of_a_schedule_are_allowed() -> None:
    schedule = linear_schedule(12)
    for dtype in (torch.int64, torch.int32):
        at = schedule.at(torch.arange(1, 13, dtype=dtype), like=torch.zeros(12, 1, dtype=torch.float64))
        assert torch.equal(at.beta.flatten(), schedule.steps.beta[1:])
    assert schedule.at(torch.tensor([], dtype=torch.int64), like=torch.zeros(0, 1)).beta.shape == (0, 1)
    for t in (1, 12):
        schedule.check(t)


@pytest.mark.parametrize(("t", "message"), [(0, "add 1 to a 0-based t"), (-1, "t has -1"), (13, "t has 13")])
def test_a_number_that_is_no_time_is_refused(t: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        linear_schedule(12).check(t)


class OnGPU(torch.Tensor):
    """A tensor that says that it is on a CUDA device."""

    is_cuda = True


@pytest.mark.parametrize("t", [[0, 3], [-1, 3], [3, 13], [1, 12]])
def test_times_on_a_gpu_are_asserted_there(t: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asserted there must not be read here, which would wait for the device."""
    asserted = []
    monkeypatch.setattr(torch, "_assert_async", lambda right, line: asserted.append((right, line)))
    monkeypatch.setattr(OnGPU, "__bool__", None)
    linear_schedule(12).check(torch.tensor(t).as_subclass(OnGPU))
    ((right, line),) = asserted
    assert right.as_subclass(torch.Tensor).tolist() == (t == [1, 12])
    assert line == "t must be from 1 to 12: add 1 to a 0-based t"


def test_a_trace_leaves_nothing_in_the_schedule() -> None:
    """A fake tensor in the cache would be what ordinary calls are given afterwards."""

    def at(schedule: Schedule) -> torch.Tensor:
        return schedule.at(torch.tensor([1, 12]), like=torch.zeros(2, 1)).beta

    schedule = linear_schedule(12)
    with FakeTensorMode(allow_non_fake_inputs=True):
        at(schedule)
    assert at(schedule).tolist() == at(linear_schedule(12)).tolist()


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


@pytest.mark.parametrize("build", [cosine_schedule, linear_schedule, quadratic_schedule])
def test_two_steps_are_enough(build: Callable[[int], Schedule]) -> None:
    assert build(2).T == 2


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: cosine_schedule(1), "T = 1: a cosine schedule needs at least two steps"),
        (lambda: cosine_schedule(10, s=0.0), "s = 0.0: the offset of a cosine schedule is positive"),
        (lambda: quadratic_schedule(1), "T = 1: a schedule between two end points"),
        (lambda: constant_schedule(10, 0.0), r"beta_1 = 0.0 is outside \(0, 1\)"),
    ],
)
def test_other_schedules_that_are_none_are_refused(build: Callable[[], Schedule], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_a_linear_schedule_of_one_step_is_refused() -> None:
    with pytest.raises(ValueError, match="T = 1: a schedule between two end points needs at least two steps"):
        linear_schedule(1)


def test_paper_values() -> None:
    """ᾱ_T and β̃_2 of the paper's schedule as others have computed them, to the digits they give."""
    steps = linear_schedule().steps
    assert f"{steps.alpha_bar[-1].item():.7e}" == "4.0358298e-05"
    beta_tilde_2 = steps.one_minus_alpha_bar[1] / steps.one_minus_alpha_bar[2] * steps.beta[2]
    assert f"{beta_tilde_2.item():.7e}" == "5.4531877e-05"


@pytest.mark.parametrize("T", [2, 3, 7, 50, 61, 1000])
def test_fewer_steps_begin_where_the_noise_is(T):
    """The first time that is visited is T, none is 0, and none comes twice, for every number of steps."""
    for steps in range(1, T + 1):
        times = evenly(T, steps)
        assert len(times) == steps
        assert times[-1] == T
        assert times[0] >= 1
        assert all(s < t for s, t in pairwise(times))


@pytest.mark.parametrize("steps", [2, 3, 7, 10])
@pytest.mark.parametrize("eta", [None, 0.0])
def test_a_sampler_in_fewer_steps_asks_the_network_for_time_T_first(steps, eta):
    asked = []

    def network(x, t):
        asked.append(t.tolist())
        return x

    model, x = Diffusion(linear_schedule(10)), torch.zeros(1, 1, 1, 1)
    times = evenly(10, steps)
    for _ in model.sample(network, lambda t: x, times=times, eta=eta):
        pass
    assert asked == [[t] for t in reversed(times)]
    assert asked[0] == [10]
