"""No network gets below the floors, and data at one point reach them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rounding import UNIT
from torch import Tensor

from ddpm_spec.choices import Convention, Variance
from ddpm_spec.diffusion import Diffusion
from ddpm_spec.evidence import Recorder
from ddpm_spec.floors import table as floor_table
from ddpm_spec.formulas import bound, decoder, floors, forward, objective, reverse
from ddpm_spec.oracles.gaussian import GaussianData
from ddpm_spec.schedule import linear_schedule

PAPER = linear_schedule()
AT = floor_table.steps(PAPER)
TABLE = {(f.convention, f.variance): f for f in floor_table.of_schedule(PAPER)}
U = UNIT[torch.float64]
MODELS = pytest.mark.parametrize(
    ("convention", "variance"), list(TABLE), ids=["-".join(key) for key in TABLE]
)
LEVELS = 256


def tensor(x: float) -> Tensor:
    return torch.full((1, 1, 1, 1), x, dtype=torch.float64)


def cost(model: Diffusion, x_0: float, t: int, eps: float, eps_hat: float) -> float:
    """L_{t−1} of one pixel for a network that answers `eps_hat`."""
    answer = tensor(eps_hat)
    times = torch.tensor([t])
    return model.bound_term(lambda x, t: answer, tensor(x_0), times, tensor(eps), LEVELS).item()


def floor(model: Diffusion, x_0: float, t: int) -> float:
    """The floor of that term, in nats, from the formulas."""
    found = TABLE[model.convention, model.variance]
    if t == 1:
        return (found.edge if abs(x_0) == 1 else found.inside) * math.log(2)
    at = AT[t]
    sigma_squared = (
        at.beta
        if model.variance == "beta"
        else at.one_minus_alpha_bar_prev * at.beta / (at.one_minus_alpha_bar)
    )
    nats: float = floors.step_floor(sigma_squared, at)
    return nats


@MODELS
@given(
    level=st.integers(0, 255),
    t=st.one_of(st.just(1), st.integers(2, 1000)),
    eps=st.floats(-4, 4),
    wrong=st.one_of(st.just(0.0), st.floats(-1e-2, 1e-2), st.floats(-300, 300)),
)
def test_no_network_gets_below(
    recorder: Recorder,
    convention: Convention,
    variance: Variance,
    level: int,
    t: int,
    eps: float,
    wrong: float,
) -> None:
    """Any output at all: the network's answer is the true noise plus anything."""
    claim = f"no output costs less than the floor, {convention}, {variance}"
    formulas = (bound.step_term, bound.decoder_term) if convention == "paper" else (bound.step_term,)
    with recorder.observe("property", claim, *formulas):
        model = Diffusion(PAPER, variance, convention=convention)
        x_0 = 2 * level / 255 - 1
        paid, least = cost(model, x_0, t, eps, eps + wrong), floor(model, x_0, t)
        # The terms of the divergence are of size 1 + what is paid, with variances known to a few u; the
        # decoder's probability near its largest is flat, so u of it remains.
        assert paid >= least - 32 * U * (1 + paid)


@given(
    shift=st.floats(-0.02, 0.02), level=st.integers(0, 255), convention=st.sampled_from(["paper", "official"])
)
def test_no_mean_makes_a_pixel_cheaper(
    recorder: Recorder, shift: float, level: int, convention: Convention
) -> None:
    """The mean near the pixel, where the floor is close; with the clip it stays in the range."""
    claim = "no mean of the decoder costs less than the floor of its pixel"
    with recorder.observe("property", claim, decoder.log_bin_probability, decoder.log_bin_probability_tanh):
        x_0, variance = 2 * level / 255 - 1, AT[1].beta
        log_p = decoder.log_bin_probability
        assert -log_p(x_0, x_0 + shift, variance, LEVELS) >= (
            0 if level in (0, 255) else floors.interior_floor(variance, LEVELS) - 8 * U
        )
        mean = min(1.0, max(-1.0, x_0 + shift))
        for log_p, edge, inside in (
            (
                decoder.log_bin_probability,
                floors.clipped_edge_floor(variance, LEVELS),
                floors.interior_floor(variance, LEVELS),
            ),
            (
                decoder.log_bin_probability_tanh,
                -decoder.log_bin_probability_tanh(1.0, 1.0, variance, LEVELS),
                -decoder.log_bin_probability_tanh(0.0, 0.0, variance, LEVELS),
            ),
        ):
            least = edge if level in (0, 255) else inside
            assert -log_p(x_0, mean, variance, LEVELS) >= least - 64 * U
            assert edge <= inside


@MODELS
@pytest.mark.parametrize("level", [0, 77, 255])
def test_data_at_one_point_reach_the_floors(
    recorder: Recorder, convention: Convention, variance: Variance, level: int
) -> None:
    """The exact denoiser of one point answers the true noise; then every term is its floor.

    But for the edge pixel without a clip, whose floor is 0: there its mean is 1, and it pays half a bin.
    """
    claim = f"data at one point pay the floor in every step, {convention}, {variance}"
    with recorder.observe("oracle", claim, bound.step_term, floors.step_floor):
        model, x_0 = Diffusion(PAPER, variance, convention=convention), 2 * level / 255 - 1
        oracle = GaussianData(PAPER, x_0, 0.0)
        for t in (1, 2, 3, 50, 1000):
            for eps in (-1.3, 0.2):
                x_t = forward.q_sample(tensor(x_0), tensor(eps), PAPER.at(torch.tensor(t), like=tensor(0.0)))
                times = torch.tensor([t])
                answer = oracle.eps(x_t, times).item()
                paid, least = cost(model, x_0, t, eps, answer), floor(model, x_0, t)
                if t == 1 and convention == "paper" and level in (0, 255):
                    least = floors.clipped_edge_floor(TABLE[convention, variance].variance_1, LEVELS)
                # The noise is recovered by a difference of size √ᾱ_t; Eq. 15 divides by up to 157.
                assert paid == pytest.approx(least, abs=1e-9)


def test_the_floor_at_an_edge_without_the_clip_is_zero(recorder: Recorder) -> None:
    with recorder.observe("property", "far outside an edge pixel costs nothing", decoder.log_bin_probability):
        costs = [-decoder.log_bin_probability(1.0, mean, AT[1].beta, LEVELS) for mean in (1, 1.01, 1.05, 1.1)]
        assert costs == sorted(costs, reverse=True)
        assert costs[-1] < 1e-20
        assert costs[0] == pytest.approx(floors.clipped_edge_floor(AT[1].beta, LEVELS), rel=8 * U)


@given(gain=st.floats(-1, 1), offset=st.floats(-1, 1), t=st.integers(1, 1000), v=st.floats(0, 4))
def test_no_affine_network_trains_below_the_floor(
    recorder: Recorder, gain: float, offset: float, t: int, v: float
) -> None:
    """E(ε − a − b x_t)² of normal data, exactly, from the three moments of (ε, x_t).

    For normal data the conditional mean is affine, so affine networks are all that need a trial.
    """
    claim = "no network trains normal data below the floor, which the conditional mean reaches"
    with recorder.observe("oracle", claim, floors.loss_floor, objective.simple_loss):
        at = AT[t]
        spread = at.alpha_bar * v + at.one_minus_alpha_bar
        best = math.sqrt(at.one_minus_alpha_bar) / spread

        def loss(slope: float) -> float:
            return 1 - 2 * slope * math.sqrt(at.one_minus_alpha_bar) + slope**2 * spread

        least = floors.loss_floor(v, at)
        total = objective.simple_loss(0.0, offset) + loss(best + gain)
        assert total >= least - 16 * U * (1 + total)
        assert loss(best) == pytest.approx(least, abs=16 * U)


def test_the_table_of_the_paper(recorder: Recorder) -> None:
    """Figures for the paper's schedule, against scipy's normal law and a sum in plain logarithms."""
    from scipy import stats

    claim = "the floors of the paper's schedule, by scipy"
    formulas = (floors.step_floor, floors.interior_floor, decoder.log_bin_probability_tanh)
    with recorder.observe("oracle", claim, *formulas):
        found = {(f.convention, f.variance): f for f in floor_table.of_schedule(PAPER)}
        ratio = [at.one_minus_alpha_bar_prev / at.one_minus_alpha_bar for at in AT[2:]]
        rate = sum((-math.log(r) + r - 1) / 2 for r in ratio) / math.log(2)
        assert found["paper", "beta"].rate == pytest.approx(rate, rel=1e-12)
        assert found["paper", "beta_tilde"].rate == 0
        for floor in found.values():
            reach = 1 / 255 / math.sqrt(floor.variance_1)
            inside = -math.log2(2 * stats.norm.cdf(reach) - 1)
            tolerance = 1e-12 if floor.convention == "paper" else 1e-3
            assert floor.inside == pytest.approx(inside, rel=tolerance)
        assert found["paper", "beta"].edge == 0
        assert found["official", "beta"].edge == pytest.approx(
            -math.log2(stats.norm.cdf(1 / 255 / math.sqrt(found["official", "beta"].variance_1))), rel=1e-3
        )
        # What was settled before training is less than what the paper reports, part by part.
        assert found["official", "beta"].rate < floor_table.PAPER_RATE
        assert found["official", "beta"].inside < floor_table.PAPER_DISTORTION


def test_printing(capsys: pytest.CaptureFixture[str]) -> None:
    floor_table.show()
    printed = capsys.readouterr().out
    for found in TABLE.values():
        assert f"{found.inside:.4f}" in printed
        assert f"{found.rate:.4f}" in printed
    assert "1.78" in printed
    assert "1.97" in printed


def test_clipping_is_what_limits_the_mean(recorder: Recorder) -> None:
    """At t = 1 the mean is x̂_0, so the clip to [−1, 1] is a clip of the mean."""
    with recorder.observe("property", "at t = 1 the mean is the predicted x_0", reverse.predict_x_0):
        x_1, eps = tensor(0.4), tensor(-2.0)
        at = PAPER.at(torch.tensor(1), like=x_1)
        x_0 = reverse.predict_x_0(x_1, eps, at)
        model = Diffusion(PAPER, convention="official")
        mean, _ = model.reverse_law(lambda x, t: eps, x_1, torch.tensor([1]))
        assert mean.item() == pytest.approx(x_0.item(), rel=8 * U)
        mean, _ = model.reverse_law(lambda x, t: 1000 * eps, x_1, torch.tensor([1]))
        assert mean.item() == pytest.approx(1.0, rel=8 * U)
