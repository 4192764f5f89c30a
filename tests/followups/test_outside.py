"""Against definitions from outside: quadrature, Runge and Kutta, chains of steps, the paper's schedule."""

import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf
from scipy.integrate import solve_ivp
from scipy.stats import chi, norm

from ddpm_spec.evidence import Recorder
from ddpm_spec.followups import (
    absorbing,
    consistency,
    ddim,
    diffusion_limit,
    finite_data,
    guidance,
    learned_variance,
    metrics,
    preconditioning,
    resolution,
    schedules,
    snr,
    steering,
    v_prediction,
    weights,
)
from ddpm_spec.formulas import forward, gaussian, objective, posterior, reverse, variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import multiprecision as multiprecision
from ddpm_spec.oracles import bound as oracle
from ddpm_spec.oracles.gaussian import GaussianData
from ddpm_spec.oracles.mixture import lattice
from ddpm_spec.schedule import Schedule, cosine_schedule, linear_schedule

SCHEDULE = linear_schedule()
SHORT = linear_schedule(12, 0.02, 0.4)


def step(t: int, schedule: Schedule = SCHEDULE) -> Step:
    """The quantities of one step, as numbers."""
    return Step(*(table[t].item() for table in schedule.steps))


def exact_step(t: int, schedule: Schedule = SCHEDULE) -> Step:
    """The step of these β at 50 digits."""
    at = Step(mpf(0), mpf(1), mpf(1), mpf(1), mpf(0), mpf(0))
    for beta in schedule.steps.beta[1 : t + 1]:
        b = mpf(beta.item())
        rest = forward.one_minus_alpha_bar(b, at.one_minus_alpha_bar)
        at = Step(b, 1 - b, (1 - b) * at.alpha_bar, at.alpha_bar, rest, at.one_minus_alpha_bar)
    return at


# ------------------------------------------------------------------------------------------ sampling


def test_ddpms_larger_variance_is_no_member(recorder: Recorder) -> None:
    """At t = 2 the root is of −2.0e-5; elsewhere σ² = β_t with Eq. 11's mean keeps other marginals."""
    claim = (
        "DDPM's σ_t² = β_t is outside the family at t = 2, and a member with it has another mean than Eq. 11"
    )
    with recorder.observe("property", claim, ddim.ddim_mean):
        second = step(2)
        assert second.one_minus_alpha_bar_prev - second.beta == pytest.approx(-2.0e-5, abs=0.05e-5)
        with pytest.raises(ValueError, match="math domain error"):
            ddim.ddim_mean(0.5, 0.4, second.beta, second)
        at = exact_step(300)
        with mpmath.workdps(50):
            member = ddim.ddim_mean(mpf(0), mpf(1), at.beta, at)
            assert abs(member - posterior.posterior_mean(mpf(0), mpf(1), at)) > mpf(10) ** -6


def test_the_chain_of_any_member_keeps_every_marginal(recorder: Recorder) -> None:
    """Each step is affine in x_t, so mean and variance are carried along without random numbers."""
    claim = "a chain of long DDIM steps from T down to any s has the mean and variance of Eq. 4 there"
    places = [12, 9, 5, 4, 1]
    with recorder.observe("oracle", claim, ddim.skip, ddim.ddim_mean, ddim.ddim_variance):
        for eta in (0.0, 0.3, 1.0):
            x_0 = 0.7
            mean, spread = forward.q_mean(x_0, step(12, SHORT)), forward.q_variance(step(12, SHORT))
            for t, s in pairwise(places):
                at = ddim.skip(step(t, SHORT), step(s, SHORT))
                sigma_squared = ddim.ddim_variance(eta, at)
                slope = ddim.ddim_mean(0.0, 1.0, sigma_squared, at)
                mean = ddim.ddim_mean(x_0, mean, sigma_squared, at)
                spread = slope**2 * spread + sigma_squared
                assert mean == pytest.approx(forward.q_mean(x_0, step(s, SHORT)), rel=1e-12)
                assert spread == pytest.approx(step(s, SHORT).one_minus_alpha_bar, rel=1e-12)


@given(t=st.integers(2, 12), x_t=st.floats(-3, 3), eps=st.floats(-3, 3))
def test_solvers_of_order_one(recorder: Recorder, t: int, x_t: float, eps: float) -> None:
    claim = "DPM-Solver of order one and DDIM without noise agree to 45 digits"
    with recorder.observe("oracle", claim, ddim.solver_step, ddim.ddim_mean), mpmath.workdps(50):
        at = exact_step(t, SHORT)
        x, e = mpf(x_t), mpf(eps)
        other = ddim.ddim_mean(reverse.predict_x_0(x, e, at), x, mpf(0), at)
        assert abs(ddim.solver_step(x, e, at) - other) <= mpf(10) ** -45 * (1 + abs(x) + abs(e))


@pytest.mark.slow  # to import diffusers takes seconds
def test_the_scalings_of_a_library(recorder: Recorder) -> None:
    claim = "the scalings of a consistency model are those of diffusers' scheduler"
    recorder.needs("diffusers", "oracle", claim)
    diffusers = pytest.importorskip("diffusers", reason="needs the interop extra")
    formulas = (consistency.boundary_skip, consistency.boundary_output)
    with recorder.observe("oracle", claim, *formulas):
        scheduler = diffusers.CMStochasticIterativeScheduler()
        least, data = scheduler.config.sigma_min, scheduler.config.sigma_data**2
        for sigma in (least, 0.01, 0.5, 3.0, 80.0):
            theirs = scheduler.get_scalings_for_boundary_condition(sigma)
            ours = tuple(formula(sigma, least, data) for formula in formulas)
            assert ours == pytest.approx(theirs, rel=1e-12)
            y = 1.7
            f = consistency.consistent(y, 0.3, sigma, least, data)
            assert f == pytest.approx(theirs[0] * y + theirs[1] * 0.3, rel=1e-12)


@given(sigma=st.floats(0.002, 80), data=st.floats(0.1, 2), network=st.floats(-2, 2))
def test_the_scalings_of_a_consistency_model(
    recorder: Recorder, sigma: float, data: float, network: float
) -> None:
    """EDM's output scale is σσ_d/√(σ² + σ_d²); here σ−σ_min stands for the first σ, and in c_skip."""
    claim = "a consistency model's scalings are EDM's with σ − σ_min where the noise is what F removes"
    formulas = (consistency.consistent, consistency.boundary_skip, consistency.boundary_output)
    with recorder.observe("oracle", claim, *formulas):
        least, y = 0.002, 1.7
        skip = consistency.boundary_skip(sigma, least, data)
        out = consistency.boundary_output(sigma, least, data)
        assert 1 / skip == pytest.approx(1 + (sigma - least) ** 2 / data, rel=1e-12)
        root = math.sqrt(data)
        assert math.hypot(sigma, root) * out == pytest.approx(root * (sigma - least), rel=1e-12, abs=1e-12)
        f = consistency.consistent(y, network, sigma, least, data)
        assert f == pytest.approx(skip * y + out * network, rel=1e-12, abs=1e-12)


def test_the_path_of_normal_data_by_a_library(recorder: Recorder) -> None:
    """SciPy's Runge and Kutta of order eight along σ; from each of its points the start is the same."""
    claim = "the ODE of the exact denoiser, integrated by SciPy, keeps the start that the flow gives"
    with recorder.observe("oracle", claim, consistency.path_speed, diffusion_limit.flow):
        data, least = 0.37, 0.002

        def speed(sigma: float, x: np.ndarray) -> np.ndarray:
            denoised = preconditioning.denoised(x, 0.0, sigma**2, data)
            return consistency.path_speed(x, denoised, sigma)

        path = solve_ivp(speed, (least, 80.0), [0.9], method="DOP853", rtol=1e-12, atol=1e-12)
        assert path.success
        for sigma, x in zip(path.t.tolist(), path.y[0].tolist(), strict=True):
            start = diffusion_limit.flow(x, data + sigma**2, data + least**2)
            assert start == pytest.approx(0.9, rel=1e-9)


# ---------------------------------------------------------------------------------------- likelihood


@pytest.mark.parametrize("spacing", ["even in log-SNR", "even in ᾱ"])
def test_more_steps_come_nearer_to_the_bound_of_continuous_time(recorder: Recorder, spacing: str) -> None:
    claim = (
        "the steps of normal data sum to more than the integral between their ends, by less the more they are"
    )
    v, ends = 0.37, (60.0, 0.01)
    with recorder.observe("oracle", claim, snr.snr_bound, snr.x_0_snr_weight):
        excess = []
        for T in (20, 40, 80, 160):
            share = torch.linspace(0, 1, T + 1, dtype=torch.float64)
            first, last = (torch.tensor(end, dtype=torch.float64) for end in ends)
            if spacing == "even in ᾱ":
                alpha_bar = first / (1 + first) + share * (last / (1 + last) - first / (1 + first))
            else:
                alpha_bar = torch.sigmoid(first.log() + share * (last.log() - first.log()))
            at = Step(share, share, alpha_bar[1:], alpha_bar[:-1], 1 - alpha_bar[1:], 1 - alpha_bar[:-1])
            total = (snr.x_0_snr_weight(at) * variance.linear_residual(v, at)).sum().item()
            excess.append(total - snr.snr_bound(v, *ends))
        assert all(a > b > 0 for a, b in pairwise(excess))


def test_the_bound_of_continuous_time_by_quadrature(recorder: Recorder) -> None:
    claim = "½ ∫ Var(x_0 | x_t) dSNR by quadrature"
    with recorder.observe("oracle", claim, snr.snr_bound), mpmath.workdps(30):
        v, low, high = mpf("0.37"), mpf("0.02"), mpf(50)
        integral = mpmath.quad(lambda y: v / (1 + v * y) / 2, [low, 1, 10, high])
        assert abs(snr.snr_bound(v, high, low) - integral) < mpf(10) ** -20


# ------------------------------------------------------------------------------------------ variance


@pytest.mark.parametrize("t", [2, 5, 9, 12])
def test_the_best_variance_of_two_points(recorder: Recorder, t: int) -> None:
    """±1 with equal chance: the score by differences of log q, its mean square by the trapezoidal rule."""
    claim = "for data at ±1 the variance from the score is that from Var(x_0 | x_t), and lies in [β̃_t, β_t]"
    formulas = (learned_variance.analytic_variance, learned_variance.noise_error)
    with recorder.observe("oracle", claim, *formulas):
        at = step(t, SHORT)
        x = torch.linspace(-12, 12, 20001, dtype=torch.float64)
        root, noise = at.alpha_bar**0.5, at.one_minus_alpha_bar
        q = sum(torch.exp(gaussian.log_density(x, sign * root, noise)) for sign in (-1, 1)) / 2
        score = -(x - root * torch.tanh(x * root / noise)) / noise
        square = torch.trapezoid(score**2 * q, x).item()
        best = learned_variance.analytic_variance(square, at)
        law = lattice(SHORT, torch.tensor([[-1.0], [1.0]]))
        assert best == pytest.approx(oracle.optimal_variance(law, t).value, rel=1e-9)
        assert posterior.posterior_variance(at) <= best <= at.beta


def test_the_best_variance_of_a_network_on_a_grid(recorder: Recorder) -> None:
    claim = "no variance on a grid makes a step of the bound cheaper than the imperfect mean's optimum"
    formulas = (learned_variance.imperfect_variance, learned_variance.noise_gain)
    with recorder.observe("oracle", claim, *formulas):
        at, error = step(6, SHORT), 0.21
        beta_tilde = posterior.posterior_variance(at)

        def cost(sigma_squared: float) -> float:
            mismatch = (beta_tilde / sigma_squared - 1 - math.log(beta_tilde / sigma_squared)) / 2
            return mismatch + objective.eps_weight(sigma_squared, at) * error

        best = learned_variance.imperfect_variance(error, at)
        assert all(cost(best) <= cost(best * factor) for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2.0))
        ratio = snr.snr_prev(at) / snr.snr(at)
        assert cost(best) == pytest.approx(math.log(1 + error * (ratio - 1)) / 2, rel=1e-12)


@given(v=st.floats(0, 1), t=st.integers(2, 1000))
def test_the_learned_variance_lies_between(recorder: Recorder, v: float, t: int) -> None:
    claim = (
        "for v in [0, 1] the learned variance lies between β̃_t and β_t; at v = ½ it is their geometric mean"
    )
    with recorder.observe("oracle", claim, learned_variance.interpolated_variance):
        at = step(t)
        small, large = posterior.posterior_variance(at), at.beta
        between = learned_variance.interpolated_variance(v, small, large)
        assert small * (1 - 1e-12) <= between <= large * (1 + 1e-12)
        middle = learned_variance.interpolated_variance(0.5, small, large)
        assert middle == pytest.approx(math.sqrt(small * large), rel=1e-12)
        assert between == pytest.approx(large**v * small ** (1 - v), rel=1e-12)


def test_at_the_first_step_the_smaller_variance_has_no_logarithm(recorder: Recorder) -> None:
    claim = "at t = 1 the learned range needs another lower end than β̃_1 = 0"
    with recorder.observe("property", claim, learned_variance.interpolated_variance):
        first = step(1)
        with pytest.raises(ValueError, match="math domain error"):
            learned_variance.interpolated_variance(0.5, posterior.posterior_variance(first), first.beta)
        small = posterior.posterior_variance(step(2))
        assert 0 < learned_variance.interpolated_variance(0.0, small, first.beta) < first.beta


# ------------------------------------------------------------------------------------------ schedule


def test_the_papers_schedule_is_rescaled(recorder: Recorder) -> None:
    claim = "the paper's schedule ends with SNR 4.036e-5, the rescaled one with 0 and β_T = 1"
    with recorder.observe("property", claim, schedules.zero_terminal_root, schedules.beta_between):
        assert snr.snr(step(1000)) == pytest.approx(4.035993e-5, rel=1e-6)
        roots = SCHEDULE.steps.alpha_bar.sqrt()
        assert roots[-1].item() == pytest.approx(0.006353, abs=5e-7)
        new = schedules.zero_terminal_root(roots[1:], roots[1], roots[-1])
        assert new[0] == roots[1]
        assert new[-1] == 0
        alpha_bar = torch.cat([torch.ones(1, dtype=torch.float64), new**2])
        betas = schedules.beta_between(alpha_bar[1:], alpha_bar[:-1])
        assert betas[-1] == 1
        assert ((betas > 0) & (betas <= 1)).all()


def test_the_clip_of_the_cosine_schedule_acts_once() -> None:
    """Without it the last step already is pure noise, and nothing else of the schedule changes."""
    clipped, free = cosine_schedule(), cosine_schedule(max_beta=1 - 1e-9)
    assert (clipped.steps.beta != free.steps.beta).nonzero().flatten().tolist() == [1000]
    assert clipped.steps.alpha_bar[-1] > 1e-9 > 1e-12 > free.steps.alpha_bar[-1]


# ------------------------------------------------------------------------------------ discretisation


def test_ddpm_tends_to_its_limit_like_one_over_t(recorder: Recorder) -> None:
    claim = "ᾱ of T steps differs from its limit by a term of order 1/T"
    with recorder.observe("oracle", claim, diffusion_limit.limit_alpha_bar):
        gaps = []
        for T in (250, 500, 1000, 2000):
            steps = linear_schedule(T, 0.1 / T, 20 / T).steps.alpha_bar
            limits = [diffusion_limit.limit_alpha_bar(t / T, 0.1, 20.0) for t in range(T + 1)]
            gaps.append(max(abs(a - b) for a, b in zip(steps.tolist(), limits, strict=True)))
        assert all(1.9 < a / b < 2.1 for a, b in pairwise(gaps))


def test_how_far_a_thousand_steps_are_from_the_limit(recorder: Recorder) -> None:
    claim = "ᾱ_T of 1000 steps is 0.9345 of its limit e^{−10.05}, of which the sum of β_t² explains 0.9352"
    with recorder.observe("oracle", claim, diffusion_limit.limit_alpha_bar):
        end = diffusion_limit.limit_alpha_bar(1.0, 0.1, 20.0)
        assert end == pytest.approx(math.exp(-10.05), rel=1e-12)
        ratio = SCHEDULE.steps.alpha_bar[-1].item() / end
        assert ratio == pytest.approx(0.9345, abs=5e-5)
        assert math.exp(-(SCHEDULE.steps.beta**2).sum().item() / 2) == pytest.approx(0.9352, abs=5e-5)


@pytest.mark.parametrize("v", [0.37, 2.5])
def test_the_flow_by_runge_kutta(recorder: Recorder, v: float) -> None:
    claim = "the ODE integrated by Runge and Kutta's rule ends where the closed form says"
    formulas = (diffusion_limit.flow, diffusion_limit.flow_velocity, diffusion_limit.limit_rate)
    with recorder.observe("oracle", claim, *formulas):

        def variance_at(time: float) -> float:
            alpha_bar = diffusion_limit.limit_alpha_bar(time, 0.1, 20.0)
            return alpha_bar * v + 1 - alpha_bar

        def speed(time: float, x: float) -> float:
            rate = diffusion_limit.limit_rate(time, 0.1, 20.0)
            return diffusion_limit.flow_velocity(x, -x / variance_at(time), rate)

        x, h = 1.3, 1 / 1000
        for k in range(1000):
            t = k * h
            a = speed(t, x)
            b = speed(t + h / 2, x + h / 2 * a)
            c = speed(t + h / 2, x + h / 2 * b)
            d = speed(t + h, x + h * c)
            x += h / 6 * (a + 2 * b + 2 * c + d)
        assert x == pytest.approx(diffusion_limit.flow(1.3, v, variance_at(1.0)), rel=1e-8)


# ----------------------------------------------------------------------------------------- weighting


def test_the_weights_of_the_papers_schedule(recorder: Recorder) -> None:
    claim = "Min-SNR-5 acts up to t = 130; the bound's weight is least at t = 349 or 350 and is not monotone"
    with recorder.observe("property", claim, weights.min_snr_weight):
        acts = [t for t in range(1, 1001) if weights.min_snr_weight(5.0, step(t)) < 1]
        assert acts == list(range(1, 131))
        beta = torch.tensor([objective.eps_weight(step(t).beta, step(t)) for t in range(2, 1001)])
        tilde = torch.tensor([snr.eps_snr_weight(step(t)) for t in range(2, 1001)])
        assert (beta.argmin().item() + 2, tilde.argmin().item() + 2) == (349, 350)
        assert beta.min().item() == pytest.approx(0.00497, abs=5e-6)
        assert tilde.min().item() == pytest.approx(0.00498, abs=5e-6)
        assert beta[-1].item() == pytest.approx(0.0102, abs=5e-5)


@given(t=st.integers(1, 1000), k=st.floats(0.1, 3), gamma=st.floats(0.1, 2))
def test_p2(recorder: Recorder, t: int, k: float, gamma: float) -> None:
    claim = "P2's weight is a power of k + SNR(t)"
    with recorder.observe("oracle", claim, weights.p2_weight):
        at = step(t)
        assert weights.p2_weight(k, gamma, at) == pytest.approx((k + snr.snr(at)) ** -gamma, rel=1e-12)


def test_the_simple_loss_has_no_monotone_weight(recorder: Recorder) -> None:
    """L_simple stands for w(λ) = −dt/dλ, one over twice the bound's weight of a step."""
    claim = "on the paper's schedule the weight that L_simple stands for rises and falls with the log-SNR"
    with recorder.observe("property", claim, snr.eps_snr_weight):
        implied = [1 / (2 * snr.eps_snr_weight(step(t))) for t in range(2, 1001)]
        top = implied.index(max(implied))
        assert top + 2 == 350
        assert all(a < b for a, b in pairwise(implied[: top + 1]))
        assert all(a > b for a, b in pairwise(implied[top:]))


def test_the_bound_is_the_weight_one_in_continuous_time(recorder: Recorder) -> None:
    """½ w(λ) dλ at w = 1: a step of length Δ in log-SNR weighs (e^Δ − 1)/2 against Δ/2."""
    claim = "the weight of a step on the noise tends to half its length in log-SNR as steps become short"
    with recorder.observe("oracle", claim, snr.eps_snr_weight, snr.snr, snr.snr_prev):
        for schedule in (SHORT, SCHEDULE, linear_schedule(4000, 0.1 / 4000, 20 / 4000)):
            for t in (2, schedule.T // 2, schedule.T):
                at = step(t, schedule)
                length = snr.log_snr_prev(at) - snr.log_snr(at)
                weight = snr.eps_snr_weight(at)
                assert 2 * weight == pytest.approx(math.expm1(length), rel=1e-9)
                assert 1 <= 2 * weight / length <= math.exp(length)


def test_the_weighted_bound_of_a_chain_of_normal_laws(recorder: Recorder) -> None:
    """Any normal chain, here a poor one: its marginal laws are known, and with them what is bounded."""
    claim = "by rising weights L_w bounds a mixture of the divergences of q(x_t | x_0) and p(x_t), t ≥ 1"
    with recorder.observe("oracle", claim, weights.weighted_bound, weights.mixture_of_bounds):
        x_0, mean, spread = 0.7, 0.0, 1.0  # the last two are those of p(x_T)
        last = step(SHORT.T, SHORT)
        prior = gaussian.kl(forward.q_mean(x_0, last), last.one_minus_alpha_bar, mean, spread)
        terms, divergences = [], [prior]
        for t in range(SHORT.T, 1, -1):
            at = step(t, SHORT)
            slope, offset, noise = 0.9 * math.sqrt(at.alpha), 0.05, 1.3 * at.beta
            x_t = forward.q_mean(x_0, at)
            ours = posterior.posterior_mean(x_0, x_t, at), posterior.posterior_variance(at)
            answer = (
                posterior.posterior_mean(0.0, 1.0, at) - slope
            )  # how the difference of means moves with x_t
            apart = answer**2 * at.one_minus_alpha_bar / (2 * noise)
            terms.append(gaussian.kl(*ours, slope * x_t + offset, noise) + apart)
            mean, spread = slope * mean + offset, slope**2 * spread + noise
            law = at.alpha_bar_prev**0.5 * x_0, at.one_minus_alpha_bar_prev
            divergences.append(gaussian.kl(*law, mean, spread))
        steps, below = (torch.tensor(some[::-1], dtype=torch.float64) for some in (terms, divergences))
        bounds = prior + torch.cat((steps.flip(0).cumsum(0).flip(0), torch.zeros(1)))
        assert (bounds[:-1] > below[:-1]).all()
        for power in (0.0, 0.5, 2.0):
            w = torch.arange(2, SHORT.T + 1).double() ** power
            whole = weights.weighted_bound(prior, steps, w, w[-1])
            by_bounds, truly = (
                weights.mixture_of_bounds(some[0], some[1:-1], w[0], w[1:], w[:-1])
                for some in (bounds, below)
            )
            assert by_bounds.item() == pytest.approx(whole.item(), rel=1e-12)
            assert 0 < truly < whole


def test_the_simple_loss_is_a_weighted_one(recorder: Recorder) -> None:
    """Its weight in L_w is ½/T at every step: with w = −dτ/dλ the length in λ becomes one in time."""
    claim = "w = sech(λ/2)/2π gives every step of the cosine schedule the same weight on the noise"
    with recorder.observe("oracle", claim, weights.log_snr_weight, weights.cosine_weight):
        T = 1000
        for t in (10, 250, 500, 990):
            here, before = (math.cos(math.pi * s / (2 * T)) ** 2 for s in (t, t - 1))
            at = Step(1 - here / before, here / before, here, before, 1 - here, 1 - before)
            w = weights.cosine_weight(weights.cosine_log_snr((t - 0.5) / T))
            assert weights.log_snr_weight(w, at) == pytest.approx(1 / (2 * T), rel=2e-3)


@given(sigma=st.floats(0.002, 80))
def test_what_edm_tells_the_network(recorder: Recorder, sigma: float) -> None:
    claim = "c_noise is a quarter of log σ, between −1.554 and 1.096 on EDM's range"
    with recorder.observe("oracle", claim, preconditioning.noise_label):
        told = preconditioning.noise_label(sigma**2)
        assert told == pytest.approx(math.log(sigma) / 4, rel=1e-9, abs=1e-12)
        assert -1.554 <= told <= 1.096


@pytest.mark.parametrize("t", [2, 7, 12])
def test_v_is_a_speed_and_ddim_a_turn(recorder: Recorder, t: int) -> None:
    """By angles: φ = arctan √(1/SNR), whose sine and cosine are Python's."""
    claim = "v is the slope of x_φ, and DDIM without noise turns x_t and v by the difference of two angles"
    formulas = (v_prediction.velocity, v_prediction.rotated)
    with recorder.observe("oracle", claim, *formulas):
        at, x_0, eps, h = step(t, SHORT), 0.7, -1.2, 1e-5
        phi, before = (math.atan(ratio**-0.5) for ratio in (snr.snr(at), snr.snr_prev(at)))
        x_t, v = forward.q_sample(x_0, eps, at), v_prediction.velocity(x_0, eps, at)
        assert x_t == pytest.approx(math.cos(phi) * x_0 + math.sin(phi) * eps, rel=1e-12)
        ahead, behind = (math.cos(phi + d) * x_0 + math.sin(phi + d) * eps for d in (h, -h))
        assert v == pytest.approx((ahead - behind) / (2 * h), rel=1e-8)
        turned = math.cos(phi - before) * x_t - math.sin(phi - before) * v
        assert v_prediction.rotated(x_t, v, at) == pytest.approx(turned, rel=1e-12)


@given(time=st.floats(0.01, 0.99))
def test_the_implied_weight_is_a_density(recorder: Recorder, time: float) -> None:
    claim = "the implied weight is sech(λ/2)/2π, the speed of t along λ, and λ is that of ᾱ = cos²"
    with recorder.observe("oracle", claim, weights.cosine_weight, weights.cosine_log_snr):
        level = weights.cosine_log_snr(time)
        alpha_bar = math.cos(math.pi * time / 2) ** 2
        assert level == pytest.approx(math.log(alpha_bar / (1 - alpha_bar)), rel=1e-9, abs=1e-9)
        weight = weights.cosine_weight(level)
        assert weight == pytest.approx(1 / math.cosh(level / 2) / (2 * math.pi), rel=1e-12)
        h = 1e-5
        slope = (weights.cosine_log_snr(time + h) - weights.cosine_log_snr(time - h)) / (2 * h)
        assert weight == pytest.approx(-1 / slope, rel=1e-5)


# ------------------------------------------------------------------------------------------ guidance


@given(w=st.floats(0, 4), t=st.integers(1, 12), x=st.floats(-2, 2))
def test_guidance_on_a_normal_class(recorder: Recorder, w: float, t: int, x: float) -> None:
    """The exact ε of a class N(m, τ²) and of all the data N(0, 1) are combined; the result is affine in x."""
    claim = "combined exact predictions have the slope of a normal law with the guided variance"
    with recorder.observe("oracle", claim, guidance.guided_eps, guidance.guided_variance, guidance.score):
        mean, tau_squared = 0.4, 0.3
        at = step(t, SHORT)
        places, when = torch.tensor([x, x + 1], dtype=torch.float64), torch.tensor([t, t])
        group = GaussianData(SHORT, mean, tau_squared).eps(places, when)
        everything = GaussianData(SHORT, 0.0, 1.0).eps(places, when)
        score = guidance.score(guidance.guided_eps(group, everything, w), at)
        guided = guidance.guided_variance(at.alpha_bar * (1 - tau_squared), w)
        assert (score[0] - score[1]).item() == pytest.approx(1 / guided, rel=1e-9)


@pytest.mark.parametrize(("t", "x", "w"), [(1, 0.0, 1.5), (5, -1.4, 0.3), (12, 0.8, 4.0)])
def test_the_guided_score_is_that_of_the_product(recorder: Recorder, t: int, x: float, w: float) -> None:
    """∇ log [p(x | c)^{1+w} p(x)^{−w}] by automatic differentiation of torch's own densities."""
    claim = "the guided prediction is the score of the product of powers, for normal classes"
    with recorder.observe("oracle", claim, guidance.guided_eps, guidance.score):
        mean, tau_squared, at = 0.4, 0.3, step(t, SHORT)
        place = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        spread = (at.alpha_bar * tau_squared + at.one_minus_alpha_bar) ** 0.5
        laws = ((at.alpha_bar**0.5 * mean, spread), (0.0, 1.0))
        group, everything = (torch.distributions.Normal(*place.new_tensor(law)) for law in laws)
        log_p = (1 + w) * group.log_prob(place) - w * everything.log_prob(place)
        (gradient,) = torch.autograd.grad(log_p, place)
        when = torch.tensor([t])
        both = (
            GaussianData(SHORT, m, v).eps(place.detach()[None], when)
            for m, v in ((mean, tau_squared), (0.0, 1.0))
        )
        assert guidance.score(guidance.guided_eps(*both, w), at).item() == pytest.approx(
            gradient.item(), rel=1e-9, abs=1e-9
        )


@given(t=st.integers(1, 12), x=st.floats(-2, 2))
def test_how_the_denoiser_answers(recorder: Recorder, t: int, x: float) -> None:
    """Three points with equal chance: the slope of their weighted mean by automatic differentiation."""
    claim = "the exact denoiser's slope is √ᾱ_t/(1−ᾱ_t) times Var(x_0 | x_t), also for data of three points"
    with recorder.observe("oracle", claim, steering.denoiser_slope):
        at, values = step(t, SHORT), torch.tensor([-1.0, 0.25, 0.8], dtype=torch.float64)
        x_t = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        chances = torch.softmax(-((x_t - at.alpha_bar**0.5 * values) ** 2) / (2 * at.one_minus_alpha_bar), 0)
        mean = (chances * values).sum()
        (slope,) = torch.autograd.grad(mean, x_t)
        residual = (chances * (values - mean) ** 2).sum().item()
        assert steering.denoiser_slope(residual, at) == pytest.approx(slope.item(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("t", [3, 12])
def test_the_score_of_a_measurement_by_quadrature(recorder: Recorder, t: int) -> None:
    claim = "for normal data the score with σ_y² + Var(x_0 | x_t) is that of p(y | x_t) by quadrature"
    formulas = (steering.measurement_score, steering.denoiser_slope, steering.dps_excess)
    with recorder.observe("oracle", claim, *formulas), mpmath.workdps(20):
        at, v, noise, y, x = exact_step(t, SHORT), mpf("0.37"), mpf("0.2"), mpf("0.9"), mpf("-0.6")
        root = mpmath.sqrt(at.alpha_bar)
        residual = variance.linear_residual(v, at)

        def mass(x_t: mpf, measured: bool) -> mpf:
            def joint(x_0: mpf) -> mpf:
                square = x_0**2 / v + (x_t - root * x_0) ** 2 / at.one_minus_alpha_bar
                return mpmath.exp(-(square + ((y - x_0) ** 2 / noise if measured else 0)) / 2)

            return mpmath.quad(joint, [-6, -1, 0, 1, 6])

        exact = mpmath.diff(lambda x_t: mpmath.log(mass(x_t, True) / mass(x_t, False)), x)
        slope = steering.denoiser_slope(residual, at)
        assert abs(steering.measurement_score(y, slope * x, slope, noise + residual) - exact) < mpf(10) ** -9
        dps = steering.measurement_score(y, slope * x, slope, noise)
        assert abs(dps / exact - steering.dps_excess(residual, noise)) < mpf(10) ** -8


def test_ilvr_by_pooling(recorder: Recorder) -> None:
    """Blocks of 2 × 2 averaged by torch and blown up again."""
    claim = "with torch's pooling as the filter an image takes the block means of the noised reference"
    with recorder.observe("oracle", claim, steering.ilvr_step):
        generator = torch.Generator().manual_seed(0)
        proposal, reference, eps = torch.randn(3, 2, 3, 6, 4, generator=generator, dtype=torch.float64)

        def low(x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(x, 2), scale_factor=2)

        y = forward.q_sample(reference, eps, step(5, SHORT))
        x = steering.ilvr_step(proposal, low(proposal), low(y))
        torch.testing.assert_close(low(x), low(y))
        torch.testing.assert_close(x - low(x), proposal - low(proposal))


# ---------------------------------------------------------------------------------------- resolution


def test_pooling_restores_the_snr(recorder: Recorder) -> None:
    """64 blocks of 4 × 4 pixels with one value each, at t = 6: the SNR of their means, from the draws."""
    claim = "averaged over blocks of equal content the shifted schedule has the SNR of the small image"
    with recorder.observe("property", claim, resolution.shifted_alpha_bar, resolution.pooled_snr):
        at = step(6, SHORT)
        side, draws = 4, 40_000
        shifted = resolution.shifted_alpha_bar(1 / side**2, at)
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(draws, side * side, generator=generator, dtype=torch.float64)
        pooled = ((1 - shifted) ** 0.5 * noise).mean(dim=1)
        measured = shifted / pooled.var().item()
        # The variance of n draws is off by √(2/n) of itself; 5 of that is a false alarm in 2e6.
        assert measured == pytest.approx(snr.snr(at), rel=5 * math.sqrt(2 / draws))
        assert resolution.pooled_snr(
            side, at._replace(alpha_bar=shifted, one_minus_alpha_bar=1 - shifted)
        ) == (pytest.approx(snr.snr(at), rel=1e-12))


def test_the_threshold_on_tensors(recorder: Recorder) -> None:
    claim = "below a quantile of 1 the moving clip is torch's fixed one; each image has its own threshold"
    with recorder.observe("oracle", claim, resolution.dynamic_threshold):
        generator = torch.Generator().manual_seed(0)
        x_0 = torch.randn(3, 2, 5, 4, generator=generator) * torch.tensor([0.2, 1.0, 3.0]).reshape(3, 1, 1, 1)
        s = x_0.abs().flatten(1).quantile(0.9, dim=1).reshape(3, 1, 1, 1)
        clipped = resolution.dynamic_threshold(x_0, s)
        assert clipped.abs().max() <= 1
        assert torch.equal(clipped[0], x_0[0].clamp(-1, 1))
        assert torch.equal(clipped[2], x_0[2].clamp(-s[2], s[2]) / s[2])


# -------------------------------------------------------------------------------------------- metric


@given(mean=st.floats(-2, 2), s=st.floats(0.1, 3), r=st.floats(0.1, 3))
def test_fid_of_one_feature_is_a_transport_cost(recorder: Recorder, mean: float, s: float, r: float) -> None:
    """The squared distance of equal quantiles, averaged by Gauss and Hermite's rule."""
    claim = "FID of one feature is the mean squared distance of the two laws' quantiles"
    with recorder.observe("oracle", claim, metrics.frechet):
        z, weight = np.polynomial.hermite_e.hermegauss(8)
        quantiles = [norm.ppf(norm.cdf(z), loc, scale) for loc, scale in ((mean, s), (0.3, r))]
        cost = np.average((quantiles[0] - quantiles[1]) ** 2, weights=weight)
        assert metrics.frechet(mean, s, 0.3, r) == pytest.approx(cost, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("count", "stated"), [(50, 1.5089), (100, 1.5044), (200, 1.5022)])
def test_the_bias_of_fid(recorder: Recorder, count: int, stated: float) -> None:
    """The mean of FID over the law of N draws: the mean is normal, √(N−1) s is SciPy's χ."""
    claim = "N E[FID_N] for equal normal laws, by quadrature over the laws of mean and deviation"
    formulas = (metrics.scaled_bias, metrics.deviation_mean, metrics.frechet)
    with recorder.observe("oracle", claim, *formulas):
        c_4 = metrics.deviation_mean(count, 1.0)
        assert c_4 == pytest.approx(chi(count - 1).mean() / math.sqrt(count - 1), rel=1e-12)
        bias = metrics.scaled_bias(c_4, count)
        of_the_mean = 1.0  # E[z²] of z = √N m̂
        spread = chi(count - 1, scale=1 / math.sqrt(count - 1))
        of_the_deviation = spread.expect(lambda s: count * metrics.frechet(0.0, s, 0.0, 1.0), lb=0.3, ub=2)
        assert bias == pytest.approx(of_the_mean + of_the_deviation, rel=1e-7)
        assert bias == pytest.approx(stated, abs=5e-5)


def test_the_bias_of_fid_tends_to_three_halves(recorder: Recorder) -> None:
    claim = "c_4(N) rises with N, and N E[FID_N] falls to 3/2 like 1/N, between the two bounds of the proof"
    formulas = (metrics.scaled_bias, metrics.deviation_mean, metrics.next_deviation_mean)
    with recorder.observe("oracle", claim, *formulas), mpmath.workdps(30):
        c_4, excess = metrics.deviation_mean(2, mpf(1)), {}
        for n in range(2, 1601):
            following = metrics.next_deviation_mean(c_4, n)
            assert following > c_4
            excess[n] = metrics.scaled_bias(c_4, n) - mpf(3) / 2
            if n > 2:
                below, above = mpf(n - 1) / n, mpf(n - 2) / (n - 1)
                assert metrics.scaled_bias(below ** mpf("0.25"), n) - 1.5 <= excess[n]
                assert excess[n] <= metrics.scaled_bias(above ** mpf("0.25"), n) - 1.5
            c_4 = following
        assert all(abs(excess[n] / excess[2 * n] - 2) < 0.02 for n in (200, 400, 800))
        assert abs(metrics.deviation_mean(1601, mpf(1)) - c_4) < mpf(10) ** -25


def test_kid_by_a_library(recorder: Recorder) -> None:
    claim = "KID with its kernel is torch-fidelity's"
    recorder.needs("torch_fidelity", "oracle", claim)
    kid = pytest.importorskip("torch_fidelity.metric_kid", reason="needs the fid extra")
    formulas = (metrics.kernel_distance, metrics.off_diagonal_mean, metrics.cubic_kernel)
    with recorder.observe("oracle", claim, *formulas):
        x, y = np.random.default_rng(0).normal(size=(2, 30, 7)) + np.array([0.0, 0.4]).reshape(2, 1, 1)
        within = [
            metrics.off_diagonal_mean(k.sum(), k.trace(), 30)
            for k in (metrics.cubic_kernel(a @ a.T, 7) for a in (x, y))
        ]
        between = metrics.cubic_kernel(x @ y.T, 7).mean()
        assert metrics.kernel_distance(*within, between) == pytest.approx(kid.kernel_mmd(x, y), rel=1e-12)


# ------------------------------------------------------------------------------------------ modality


def test_the_reweighted_loss_of_masked_tokens(recorder: Recorder) -> None:
    """A token is blank at t with probability t/T, and costs 1/t of −log p̃: 1/T of it at every step."""
    claim = "with equal shares every step of the bound weighs the masked-token loss by 1/T in expectation"
    with recorder.observe("oracle", claim, absorbing.absorbing_term, absorbing.absorbing_beta):
        T, log_p, alpha_bar = 20, -1.7, 1.0
        for t in range(1, T + 1):
            beta = absorbing.absorbing_beta(float(t), T)
            prev, alpha_bar = alpha_bar, alpha_bar * (1 - beta)
            at = Step(beta, 1 - beta, alpha_bar, prev, 1 - alpha_bar, 1 - prev)
            expected = (1 - alpha_bar) * absorbing.absorbing_term(log_p, at)
            assert expected == pytest.approx(-log_p / T, rel=1e-9)


# -------------------------------------------------------------------------------------- memorisation


IMAGES = torch.tensor([[1.0, -1.0], [0.5, 0.25], [-0.75, 0.0]], dtype=torch.float64)


def log_q(x_t: torch.Tensor, at: Step) -> list[torch.Tensor]:
    """Log q(x_t | x_i), summed over coordinates."""
    return [
        gaussian.log_density(x_t, forward.q_mean(image, _tensors(at)), _tensors(at).one_minus_alpha_bar).sum(
            -1
        )
        for image in IMAGES
    ]


@given(t=st.integers(1, 12), a=st.floats(-2, 2), b=st.floats(-2, 2))
def test_the_optimum_is_the_score(recorder: Recorder, t: int, a: float, b: float) -> None:
    claim = "the softmax average is (x_t + (1−ᾱ_t) ∇ log q_t)/√ᾱ_t, the gradient by automatic differentiation"
    with recorder.observe("oracle", claim, finite_data.mean_image, finite_data.image_shares):
        at = step(t, SHORT)
        x_t = torch.tensor([a, b], dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(torch.logsumexp(torch.stack(log_q(x_t, at)), 0), x_t)
        mean = finite_data.mean_image(list(IMAGES), log_q(x_t.detach(), at))
        score = (x_t.detach() + at.one_minus_alpha_bar * gradient) / at.alpha_bar**0.5
        torch.testing.assert_close(mean, score, rtol=1e-9, atol=1e-9)
        shares = torch.stack(finite_data.image_shares(log_q(x_t.detach(), at)))
        torch.testing.assert_close(shares, torch.softmax(torch.stack(log_q(x_t.detach(), at)), 0))


def test_the_exact_optimum_returns_what_it_was_trained_on(recorder: Recorder) -> None:
    """DDIM without noise from 32 starting points, by the exact optimum of three images."""
    claim = "sampled with the exact optimum of three images, every draw is one of the three"
    schedule = linear_schedule(100, 1e-4, 0.2)
    with recorder.observe("property", claim, finite_data.mean_image, ddim.ddim_mean, ddim.skip):
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(32, 2, generator=generator, dtype=torch.float64)
        for t in range(100, 0, -1):
            at = step(t, schedule)
            logs = [value[:, None] for value in log_q(x, at)]
            x = ddim.ddim_mean(finite_data.mean_image(list(IMAGES), logs), x, torch.zeros(()), _tensors(at))
        distance = (x[:, None] - IMAGES).norm(dim=2).min(dim=1).values
        assert distance.max() < 1e-6
        assert len({int(k) for k in (x[:, None] - IMAGES).norm(dim=2).argmin(dim=1)}) == 3
        assert ddim.skip(step(5, schedule), step(4, schedule)).alpha == pytest.approx(step(5, schedule).alpha)


def _tensors(at: Step) -> Step:
    return Step(*(torch.tensor(value, dtype=torch.float64) for value in at))
