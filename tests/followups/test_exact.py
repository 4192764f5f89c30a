"""Laws that hold exactly, on rational schedules: no tolerance anywhere."""

import math
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rational import numbers, rational_step, rational_steps

from ddpm_spec.evidence import Recorder
from ddpm_spec.followups import (
    absorbing,
    consistency,
    ddim,
    diffusion_limit,
    finite_data,
    flow_matching,
    guidance,
    learned_variance,
    metrics,
    multistep,
    perturbation,
    preconditioning,
    resolution,
    schedules,
    snr,
    steering,
    v_prediction,
    weights,
)
from ddpm_spec.formulas import forward, objective, posterior, reverse, variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import log

F = Fraction
positive = st.fractions(min_value=F(1, 20), max_value=4, max_denominator=30)
unit = st.fractions(min_value=0, max_value=1, max_denominator=30)
below_one = st.fractions(min_value=F(1, 30), max_value=1, max_denominator=30)
steps = rational_steps(first=False)


def before(at: Step) -> Step:
    """The fields of step t − 1 that Eq. 4 reads."""
    return at._replace(alpha_bar=at.alpha_bar_prev, one_minus_alpha_bar=at.one_minus_alpha_bar_prev)


# ------------------------------------------------------------------------------------------ sampling


@given(at=steps, x_0=numbers, share=unit)
def test_every_member_keeps_the_marginals(
    recorder: Recorder, at: Step, x_0: Fraction, share: Fraction
) -> None:
    claim = "averaged over Eq. 4 at t, a DDIM step of any variance gives Eq. 4 at s"
    sigma_squared = at.one_minus_alpha_bar_prev * (1 - share**2)
    with recorder.observe("exact law", claim, ddim.ddim_mean, ddim.implied_noise):
        mean = ddim.ddim_mean(x_0, forward.q_mean(x_0, at), sigma_squared, at)
        slope = ddim.ddim_mean(F(0), F(1), sigma_squared, at)
        assert mean == forward.q_mean(x_0, before(at))
        assert sigma_squared + slope**2 * at.one_minus_alpha_bar == at.one_minus_alpha_bar_prev


@given(at=steps, x_0=numbers, x_t=numbers)
def test_ddpm_is_the_member_of_its_own_variance(
    recorder: Recorder, at: Step, x_0: Fraction, x_t: Fraction
) -> None:
    claim = "DDIM at η = 1 is Eq. 7, and with x̂_0 it is Eq. 11"
    with recorder.observe("exact law", claim, ddim.ddim_mean, ddim.ddim_variance):
        sigma_squared = ddim.ddim_variance(F(1), at)
        assert sigma_squared == at.beta * at.one_minus_alpha_bar_prev / at.one_minus_alpha_bar
        assert ddim.ddim_mean(x_0, x_t, sigma_squared, at) == posterior.posterior_mean(x_0, x_t, at)
        x_0_hat = reverse.predict_x_0(x_t, x_0, at)
        assert ddim.ddim_mean(x_0_hat, x_t, sigma_squared, at) == reverse.mean_from_eps(x_t, x_0, at)


@given(at=steps, eta=unit)
def test_the_variance_goes_with_the_square_of_eta(recorder: Recorder, at: Step, eta: Fraction) -> None:
    claim = "DDIM's σ² is η² times that of η = 1, and 0 without noise"
    with recorder.observe("exact law", claim, ddim.ddim_variance):
        whole = at.one_minus_alpha_bar_prev / at.one_minus_alpha_bar * (1 - at.alpha_bar / at.alpha_bar_prev)
        assert ddim.ddim_variance(eta, at) == eta**2 * whole


@given(at=steps, x_t=numbers, eps=numbers)
def test_without_noise_it_is_euler(recorder: Recorder, at: Step, x_t: Fraction, eps: Fraction) -> None:
    """The traditional form of the ODE: x/√ᾱ moves with √((1−ᾱ)/ᾱ) at the speed ε."""
    claim = "DDIM without noise moves x/√ᾱ by ε times the change of √((1−ᾱ)/ᾱ)"
    with recorder.observe("exact law", claim, ddim.ddim_mean):
        root, root_prev = (forward.q_mean(F(1), step) for step in (at, before(at)))
        noise, noise_prev = (forward.q_sample(F(0), F(1), step) for step in (at, before(at)))
        x_s = ddim.ddim_mean(reverse.predict_x_0(x_t, eps, at), x_t, F(0), at)
        assert x_s / root_prev - x_t / root == (noise_prev / root_prev - noise / root) * eps


@given(
    levels=st.lists(
        st.fractions(F(1, 30), F(29, 30), max_denominator=30), min_size=3, max_size=3, unique=True
    ),
    x_0=numbers,
    x_t=numbers,
)
def test_a_long_step_is_a_step(
    recorder: Recorder, levels: list[Fraction], x_0: Fraction, x_t: Fraction
) -> None:
    claim = "a step over several, as DDIM takes it, is the step between its ends"
    a, b, c = sorted(levels)
    with recorder.observe("exact law", claim, ddim.skip):
        long = ddim.skip(rational_step(b, c), rational_step(F(0), a))
        assert long == rational_step(a, c)
        assert long.beta == 1 - rational_step(b, c).alpha * rational_step(a, b).alpha


@given(coefficients=st.lists(numbers, min_size=4, max_size=4), start=numbers, width=positive)
def test_pndm_integrates_cubics(
    recorder: Recorder, coefficients: list[Fraction], start: Fraction, width: Fraction
) -> None:
    claim = "the mean of a cubic over the next step, from its last four values"

    def at(x: Fraction) -> Fraction:
        return sum((c * x**k for k, c in enumerate(coefficients)), F(0))

    def integral(x: Fraction) -> Fraction:
        return sum((c * x ** (k + 1) / (k + 1) for k, c in enumerate(coefficients)), F(0))

    with recorder.observe("exact law", claim, multistep.four_step_noise):
        mean = multistep.four_step_noise(*(at(start - k * width) for k in range(4)))
        assert mean == (integral(start + width) - integral(start)) / width
        assert multistep.four_step_noise(*[F(1)] * 4) == 1
        quartic = multistep.four_step_noise(*((-k * F(1)) ** 4 for k in range(4)))
        assert quartic != F(1, 5), "of degree four it is not exact"


@given(at=rational_steps(), x_0=numbers, eps=numbers)
def test_the_path_is_straight(recorder: Recorder, at: Step, x_0: Fraction, eps: Fraction) -> None:
    claim = "x_t over √ᾱ_t + √(1−ᾱ_t) lies on the line from ε to x_0, which moves at x_0 − ε"
    formulas = (flow_matching.path_time, flow_matching.straight_path, flow_matching.straight_velocity)
    with recorder.observe("exact law", claim, *formulas):
        signal, noise = forward.q_mean(F(1), at), forward.q_sample(F(0), F(1), at)
        time = flow_matching.path_time(at)
        here = flow_matching.straight_path(x_0, eps, time)
        assert here * (signal + noise) == forward.q_sample(x_0, eps, at)
        assert here == eps + time * flow_matching.straight_velocity(x_0, eps)
        assert 0 <= time <= 1


@given(at=steps, x_t=numbers, eps=numbers)
def test_both_solvers_of_order_one(recorder: Recorder, at: Step, x_t: Fraction, eps: Fraction) -> None:
    """By eʰ of half the log-SNR, which is rational here: DPM-Solver++ in x̂_0, DPM-Solver in ε."""
    claim = "DPM-Solver and DPM-Solver++ of order one are DDIM without noise"
    with recorder.observe("exact law", claim, ddim.ddim_mean):
        (a_t, s_t), (a_s, s_s) = (
            (forward.q_mean(F(1), step), forward.q_sample(F(0), F(1), step)) for step in (at, before(at))
        )
        growth = (a_s / s_s) / (a_t / s_t)
        x_0_hat = reverse.predict_x_0(x_t, eps, at)
        step = ddim.ddim_mean(x_0_hat, x_t, F(0), at)
        assert step == s_s / s_t * x_t - a_s * (1 / growth - 1) * x_0_hat
        assert step == a_s / a_t * x_t - s_s * (growth - 1) * eps


@given(x=numbers, network=numbers, sigma=positive, more=positive)
def test_a_consistency_model_starts_as_the_identity(
    recorder: Recorder, x: Fraction, network: Fraction, sigma: Fraction, more: Fraction
) -> None:
    claim = "at σ_min a consistency model is the identity for any network; EDM's scalings are not"
    formulas = (consistency.consistent, consistency.boundary_skip, consistency.boundary_output)
    with recorder.observe("exact law", claim, *formulas):
        d = (sigma * F(4, 3)) ** 2  # so that σ² + σ_d² is a square
        assert consistency.consistent(x, network, sigma, sigma, d) == x
        assert consistency.boundary_skip(sigma, sigma, d) == 1
        assert consistency.boundary_output(sigma, sigma, d) == 0
        assert preconditioning.denoised(x, network, sigma**2, d) == F(16, 25) * x + F(4, 5) * sigma * network
        least = sigma / (1 + more)
        gap = sigma - least
        assert consistency.boundary_skip(sigma, least, d) == d / (gap**2 + d)
        assert consistency.boundary_output(sigma, least, d) == gap * F(4, 5)
        f = consistency.consistent(x, network, sigma, least, d)
        assert f == d / (gap**2 + d) * x + gap * F(4, 5) * network


@given(x=numbers, sigma=positive, rational=positive, least=positive)
def test_normal_paths_have_one_start(
    recorder: Recorder, x: Fraction, sigma: Fraction, rational: Fraction, least: Fraction
) -> None:
    """Deviations of x that are rational; the ODE's speed against the slope of √(σ_d² + σ²)."""
    claim = "for normal data the flow back to σ_min is one value along a path, which moves as the ODE says"
    with recorder.observe("exact law", claim, diffusion_limit.flow, consistency.path_speed):
        here, there, start = rational**2, (rational + sigma) ** 2, least**2
        f = diffusion_limit.flow(x, here, start)
        assert diffusion_limit.flow(diffusion_limit.flow(x, here, there), there, start) == f
        assert diffusion_limit.flow(x, start, start) == x
        d = rational**2
        denoised = preconditioning.skip_scale(sigma**2, d) * x
        assert consistency.path_speed(x, denoised, sigma) == x * sigma / (d + sigma**2)


# ---------------------------------------------------------------------------------------- likelihood


@given(at=steps, x_0=numbers, eps=numbers, eps_hat=numbers)
def test_the_weights_of_the_bound(
    recorder: Recorder, at: Step, x_0: Fraction, eps: Fraction, eps_hat: Fraction
) -> None:
    claim = "the SNR weights are Eq. 12's at σ_t² = β̃_t, on the noise and on x_0"
    with recorder.observe("exact law", claim, snr.eps_snr_weight, snr.x_0_snr_weight, snr.snr, snr.snr_prev):
        beta_tilde = posterior.posterior_variance(at)
        assert snr.eps_snr_weight(at) == objective.eps_weight(beta_tilde, at)
        assert 2 * snr.eps_snr_weight(at) == at.beta / (at.alpha * at.one_minus_alpha_bar_prev)
        x_t = forward.q_sample(x_0, eps, at)
        mean, other = (
            posterior.posterior_mean(x, x_t, at) for x in (x_0, reverse.predict_x_0(x_t, eps_hat, at))
        )
        cost = (mean - other) ** 2 / (2 * beta_tilde)
        assert snr.eps_snr_weight(at) * (eps - eps_hat) ** 2 == cost
        assert snr.x_0_snr_weight(at) * (x_0 - reverse.predict_x_0(x_t, eps_hat, at)) ** 2 == cost


@given(at=steps)
def test_with_beta_it_is_another_weight(recorder: Recorder, at: Step) -> None:
    claim = "for σ_t² = β_t the SNR weight is not Eq. 12's"
    with recorder.observe("exact law", claim, snr.eps_snr_weight):
        assert snr.eps_snr_weight(at) > objective.eps_weight(at.beta, at)


@given(first=rational_steps(first=True))
def test_the_first_step_has_no_snr_weight(recorder: Recorder, first: Step) -> None:
    claim = "at t = 1 the SNR before is infinite: the first term of the bound is the decoder's"
    with recorder.observe("exact law", claim, snr.snr):
        assert snr.snr(first) * first.beta == first.alpha
        for weight in (snr.eps_snr_weight, snr.x_0_snr_weight):
            with pytest.raises(ZeroDivisionError):
                weight(first)


@given(v=positive, low=positive, high=positive)
def test_only_the_ends_enter(recorder: Recorder, v: Fraction, low: Fraction, high: Fraction) -> None:
    claim = "the bound in continuous time adds up over pieces of the schedule and is 0 without one"
    with recorder.observe("exact law", claim, snr.snr_bound):
        least, most = sorted((low, high))
        middle = (least + most) / 2
        whole = snr.snr_bound(v, most, least)
        assert whole == snr.snr_bound(v, most, middle) + snr.snr_bound(v, middle, least)
        assert snr.snr_bound(v, low, low) == 0


# ------------------------------------------------------------------------------------------ variance


@given(at=steps, v=positive)
def test_the_best_variance_of_normal_data(recorder: Recorder, at: Step, v: Fraction) -> None:
    """For N(0, v) the mean square of the score is 1/V_t."""
    claim = "for normal data the variance from the score is that of q(x_{t−1} | x_t)"
    formulas = (learned_variance.analytic_variance, learned_variance.noise_error)
    with recorder.observe("exact law", claim, *formulas):
        score_square = 1 / (at.alpha_bar * v + at.one_minus_alpha_bar)
        best = learned_variance.analytic_variance(score_square, at)
        assert best == variance.optimal_variance(v, at)
        assert posterior.posterior_variance(at) <= best <= at.beta / at.alpha
        assert (best <= at.beta) == (v <= 1)


@given(at=steps)
def test_the_ends_of_the_best_variance(recorder: Recorder, at: Step) -> None:
    claim = "the best variance is β̃_t for data at one point, β_t at variance 1, β_t/α_t for vast data"
    formulas = (learned_variance.analytic_variance, learned_variance.noise_error)
    with recorder.observe("exact law", claim, *formulas):
        point, unit_variance, vast = 1 / at.one_minus_alpha_bar, F(1), F(0)
        assert learned_variance.analytic_variance(point, at) == posterior.posterior_variance(at)
        assert learned_variance.analytic_variance(unit_variance, at) == at.beta
        assert learned_variance.analytic_variance(vast, at) == at.beta / at.alpha


@given(at=steps, share=unit, x_t=numbers, eps=numbers, eps_hat=numbers, error=positive)
def test_the_best_variance_of_the_family(
    recorder: Recorder,
    at: Step,
    share: Fraction,
    x_t: Fraction,
    eps: Fraction,
    eps_hat: Fraction,
    error: Fraction,
) -> None:
    claim = "an error in the noise moves DDIM's mean by the family's gain, which is DDPM's at λ² = β̃_t"
    formulas = (learned_variance.family_gain, learned_variance.family_variance)
    with recorder.observe("exact law", claim, *formulas):
        spread = at.one_minus_alpha_bar_prev * (1 - share**2)
        mean, other = (
            ddim.ddim_mean(reverse.predict_x_0(x_t, e, at), x_t, spread, at) for e in (eps, eps_hat)
        )
        gain = learned_variance.family_gain(spread, at)
        assert gain * (eps - eps_hat) ** 2 == (mean - other) ** 2
        assert learned_variance.family_variance(error, spread, at) == spread + gain * error
        beta_tilde = posterior.posterior_variance(at)
        best = learned_variance.family_variance(error, beta_tilde, at)
        assert best == learned_variance.imperfect_variance(error, at)


@given(at=steps, width=positive, share=unit)
def test_the_best_variance_of_data_in_an_interval(
    recorder: Recorder, at: Step, width: Fraction, share: Fraction
) -> None:
    """Two points at the ends, with any chance given x_t: nothing in the interval spreads more."""
    claim = (
        "for data in an interval no spread asks for more than the bound; equal chances of its ends reach it"
    )
    with recorder.observe("exact law", claim, learned_variance.bounded_variance):
        bound = learned_variance.bounded_variance(width, at)
        spread = variance.explained_variance(share * (1 - share) * width**2, at)
        assert spread <= bound
        assert (spread == bound) == (share == F(1, 2))
        assert bound == variance.explained_variance(width**2 / 4, at)


@given(at=steps, v=positive, error=positive)
def test_the_best_variance_of_a_network(recorder: Recorder, at: Step, v: Fraction, error: Fraction) -> None:
    claim = "with the exact network's error the imperfect optimum is the exact one; more error asks for more"
    formulas = (learned_variance.imperfect_variance, learned_variance.noise_gain)
    with recorder.observe("exact law", claim, *formulas):
        exact = at.alpha_bar * v / (at.alpha_bar * v + at.one_minus_alpha_bar)
        best = learned_variance.imperfect_variance(exact, at)
        assert best == variance.optimal_variance(v, at)
        more = learned_variance.imperfect_variance(exact + error, at)
        assert more - best == at.beta**2 / (at.alpha * at.one_minus_alpha_bar) * error


@given(at=steps, v=positive)
def test_normal_data_lie_in_the_learned_range(recorder: Recorder, at: Step, v: Fraction) -> None:
    claim = "the optimum of normal data lies between β̃_t and β_t exactly when their variance is at most 1"
    with recorder.observe("exact law", claim, learned_variance.analytic_variance):
        best = learned_variance.analytic_variance(1 / variance.marginal_variance(v, at), at)
        assert (posterior.posterior_variance(at) <= best <= at.beta) == (0 <= v <= 1)


@given(losses=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6), weight=positive)
def test_the_hybrid_loss(
    recorder: Recorder, losses: list[tuple[Fraction, Fraction]], weight: Fraction
) -> None:
    claim = (
        "the mean of the hybrid loss over all t is that of the simple loss and λ times the sum of the terms"
    )
    with recorder.observe("exact law", claim, learned_variance.hybrid_loss):
        T = len(losses)
        whole = sum((learned_variance.hybrid_loss(*both, weight, T) for both in losses), F(0))
        simple, terms = (sum(column, F(0)) for column in zip(*losses, strict=True))
        assert whole / T == simple / T + weight * terms


# ------------------------------------------------------------------------------------------ schedule


roots = st.lists(st.fractions(F(1, 40), F(39, 40), max_denominator=40), min_size=3, max_size=8, unique=True)


@given(roots=roots)
def test_the_rescaled_schedule(recorder: Recorder, roots: list[Fraction]) -> None:
    claim = "the rescaled schedule keeps its first step, falls, and ends in pure noise with β_T = 1"
    falling = sorted(roots, reverse=True)
    with recorder.observe("exact law", claim, schedules.zero_terminal_root, schedules.beta_between):
        new = [schedules.zero_terminal_root(root, falling[0], falling[-1]) for root in falling]
        assert (new[0], new[-1]) == (falling[0], 0)
        assert all(a > b for a, b in pairwise(new))
        betas = [schedules.beta_between(b**2, a**2) for a, b in pairwise([F(1), *new])]
        assert all(0 < beta <= 1 for beta in betas)
        assert betas[-1] == 1
        product = F(1)
        for beta, root in zip(betas, new, strict=True):
            product = forward.alpha_bar(forward.alpha(beta), product)
            assert product == root**2


# ------------------------------------------------------------------------------------ discretisation


@given(first=positive, last=positive, time=unit)
def test_the_rate_is_linear(recorder: Recorder, first: Fraction, last: Fraction, time: Fraction) -> None:
    claim = "β(t) is linear between its ends"
    with recorder.observe("exact law", claim, diffusion_limit.limit_rate):
        assert diffusion_limit.limit_rate(time, first, last) == first + time * (last - first)


@given(at=rational_steps(), v=positive)
def test_a_step_and_the_sde_move_the_variance_alike(recorder: Recorder, at: Step, v: Fraction) -> None:
    claim = "a step of Eq. 2 changes the variance by β_t (1 − V)"
    with recorder.observe("exact law", claim, diffusion_limit.variance_slope):
        assert at.alpha * v + at.beta - v == diffusion_limit.variance_slope(v, at.beta)


@given(x=numbers, rate=positive, deviation=positive)
def test_the_ode_moves_the_variance_like_the_sde(
    recorder: Recorder, x: Fraction, rate: Fraction, deviation: Fraction
) -> None:
    claim = "drift and score of the ODE keep the variance of the SDE, and rest at variance 1"
    formulas = (diffusion_limit.flow_velocity, diffusion_limit.sde_drift, diffusion_limit.variance_slope)
    with recorder.observe("exact law", claim, *formulas):
        v = deviation**2
        slope = diffusion_limit.flow_velocity(deviation, -deviation / v, rate)
        assert 2 * deviation * slope == diffusion_limit.variance_slope(v, rate)
        assert diffusion_limit.flow_velocity(x, -x, rate) == 0
        assert diffusion_limit.sde_drift(x, rate) == -rate / 2 * x


@given(x=numbers, a=positive, b=positive, c=positive)
def test_the_flow_goes_on_from_where_it_came(
    recorder: Recorder, x: Fraction, a: Fraction, b: Fraction, c: Fraction
) -> None:
    claim = "the flow from one variance to a second and on to a third is the flow from the first to the third"
    with recorder.observe("exact law", claim, diffusion_limit.flow):
        there = diffusion_limit.flow(x, a**2, b**2)
        assert there == x * b / a
        assert diffusion_limit.flow(there, b**2, c**2) == diffusion_limit.flow(x, a**2, c**2)


@given(at=rational_steps(), x_0=numbers, eps=numbers, xi=numbers, gamma=positive)
def test_perturbed_input(
    recorder: Recorder, at: Step, x_0: Fraction, eps: Fraction, xi: Fraction, gamma: Fraction
) -> None:
    claim = "the perturbed input has the SNR of Eq. 4 over 1 + γ²"
    formulas = (perturbation.perturbed_sample, perturbation.perturbed_noise_variance)
    with recorder.observe("exact law", claim, *formulas):
        plain, noisy = (perturbation.perturbed_sample(x_0, eps, xi, g, at) for g in (F(0), gamma))
        assert plain == forward.q_sample(x_0, eps, at)
        assert noisy - plain == gamma * forward.q_sample(F(0), xi, at)
        seen = at.alpha_bar / perturbation.perturbed_noise_variance(gamma, at)
        assert seen * (1 + gamma**2) == at.alpha_bar / at.one_minus_alpha_bar


# ----------------------------------------------------------------------------------------- weighting


@given(at=rational_steps(), x_0=numbers, eps=numbers, eps_hat=numbers, gamma=positive)
def test_the_table_of_weights(
    recorder: Recorder, at: Step, x_0: Fraction, eps: Fraction, eps_hat: Fraction, gamma: Fraction
) -> None:
    claim = "each row of the table of weights, by substitution"
    formulas = (weights.v_weight, weights.min_snr_weight, weights.on_x_0, weights.on_v)
    with recorder.observe("exact law", claim, *formulas):
        ratio = at.alpha_bar / at.one_minus_alpha_bar
        x_t = forward.q_sample(x_0, eps, at)
        x_0_hat = reverse.predict_x_0(x_t, eps_hat, at)
        on_eps, on_x_0 = (eps - eps_hat) ** 2, (x_0 - x_0_hat) ** 2
        on_v = (v_prediction.velocity(x_0, eps, at) - v_prediction.velocity(x_0_hat, eps_hat, at)) ** 2
        assert on_x_0 * ratio == on_eps
        assert on_v == on_x_0 + on_eps
        w = weights.v_weight(at)
        assert w * on_eps == on_v
        assert weights.on_x_0(w, at) == 1 + ratio == 1 / at.one_minus_alpha_bar
        assert weights.on_v(w, at) == 1
        clipped = weights.min_snr_weight(gamma, at)
        assert clipped == min(1, gamma / ratio)
        assert weights.on_x_0(clipped, at) == min(ratio, gamma)
        assert weights.on_v(clipped, at) == min(ratio, gamma) / (ratio + 1)
        assert weights.on_x_0(F(1), at) == ratio


@given(at=steps)
def test_more_rows_of_the_table(recorder: Recorder, at: Step) -> None:
    claim = (
        "EDM's weight at σ_d = 1 is 1 + SNR on x_0, as that of v; P2 makes the bound's weight ½ at every t"
    )
    formulas = (preconditioning.edm_weight, weights.on_x_0, weights.v_weight)
    with recorder.observe("exact law", claim, *formulas):
        ratio = at.alpha_bar / at.one_minus_alpha_bar
        edm = preconditioning.edm_weight(1 / ratio, F(1))
        assert edm == 1 + ratio == weights.on_x_0(weights.v_weight(at), at)
        large = objective.eps_weight(at.beta, at)
        assert at.alpha * at.one_minus_alpha_bar / at.beta * large == F(1, 2)
        small = snr.eps_snr_weight(at)
        assert weights.on_x_0(small, at) == snr.x_0_snr_weight(at)


@given(
    terms=st.lists(st.tuples(positive, positive), min_size=1, max_size=6),
    prior=positive,
    rising=st.booleans(),
)
def test_the_weighted_bound(
    recorder: Recorder, terms: list[tuple[Fraction, Fraction]], prior: Fraction, rising: bool
) -> None:
    claim = "a weighted bound is w_T L_T + Σ w_t L_{t−1}, and the mixture of the bounds of every x_t"
    with recorder.observe("exact law", claim, weights.weighted_bound, weights.mixture_of_bounds):
        losses, w = (np.array(column) for column in zip(*terms, strict=True))
        w = np.sort(w) if rising else w
        whole = weights.weighted_bound(prior, losses, w, w[-1])
        assert whole == prior * w[-1] + sum((a * b for a, b in zip(w, losses, strict=True)), F(0))
        bounds = np.cumsum([prior, *losses[::-1]])[::-1]  # K_0..K_T
        assert weights.mixture_of_bounds(bounds[0], bounds[1:-1], w[0], w[1:], w[:-1]) == whole
        if rising:
            assert w[0] * bounds[0] <= whole <= w[-1] * bounds[0], "each share is positive, K_t falls with t"


@given(at=steps, weight=positive)
def test_a_step_of_the_weighted_loss(recorder: Recorder, at: Step, weight: Fraction) -> None:
    claim = "a step of L_w weighs half its length in log-SNR, times w"
    with recorder.observe("exact law", claim, weights.log_snr_weight):
        ratio = at.alpha_bar_prev / at.alpha_bar * at.one_minus_alpha_bar / at.one_minus_alpha_bar_prev
        assert weights.log_snr_weight(weight, at) == log(ratio) * weight / 2
        assert float(weights.log_snr_weight(F(1), at)) <= float(snr.eps_snr_weight(at)) * (1 + 1e-12)


@given(at=rational_steps(), x_0=numbers, eps=numbers)
def test_v_gives_both_back(recorder: Recorder, at: Step, x_0: Fraction, eps: Fraction) -> None:
    claim = "from v and x_t come x_0 and the noise; v and x_t have the length of x_0 and the noise"
    formulas = (v_prediction.velocity, v_prediction.x_0_from_v, v_prediction.eps_from_v)
    with recorder.observe("exact law", claim, *formulas):
        x_t, v = forward.q_sample(x_0, eps, at), v_prediction.velocity(x_0, eps, at)
        assert v_prediction.x_0_from_v(x_t, v, at) == x_0
        assert v_prediction.eps_from_v(x_t, v, at) == eps
        assert x_t**2 + v**2 == x_0**2 + eps**2
        tangent = forward.q_sample(F(0), F(1), at) / forward.q_mean(F(1), at)
        assert tangent**2 == 1 / snr.snr(at), "of the angle that the pair is turned by"


@given(at=steps, x_t=numbers, v=numbers)
def test_ddim_turns(recorder: Recorder, at: Step, x_t: Fraction, v: Fraction) -> None:
    claim = "DDIM without noise is a turn of the pair x_t, v"
    with recorder.observe("exact law", claim, v_prediction.rotated):
        x_0 = v_prediction.x_0_from_v(x_t, v, at)
        turned = v_prediction.rotated(x_t, v, at)
        assert turned == ddim.ddim_mean(x_0, x_t, F(0), at)
        eps = v_prediction.eps_from_v(x_t, v, at)
        assert turned == forward.q_sample(x_0, eps, before(at))


def test_v_is_defined_where_the_signal_is_gone(recorder: Recorder) -> None:
    claim = "at ᾱ_T = 0 the image from v is −v, where Eq. 15 divides by 0"
    end = rational_step(F(1, 2), F(9, 10))._replace(alpha_bar=F(0), one_minus_alpha_bar=F(1), alpha=F(0))
    with recorder.observe("exact law", claim, v_prediction.x_0_from_v):
        assert v_prediction.x_0_from_v(F(3), F(2), end) == -2
        with pytest.raises(ZeroDivisionError):
            reverse.predict_x_0(F(3), F(2), end)
        with pytest.raises(ZeroDivisionError):
            reverse.mean_from_eps(F(3), F(2), end)


@given(at=rational_steps(), x_t=numbers, v=numbers)
def test_edm_is_v_prediction(recorder: Recorder, at: Step, x_t: Fraction, v: Fraction) -> None:
    claim = "EDM's denoiser at σ_d = 1 and σ² = 1/SNR is v-prediction with F = −v"
    formulas = (preconditioning.denoised, preconditioning.skip_scale, preconditioning.output_scale)
    with recorder.observe("exact law", claim, *formulas):
        y = x_t / forward.q_mean(F(1), at)
        noise = at.one_minus_alpha_bar / at.alpha_bar
        assert preconditioning.denoised(y, -v, noise, F(1)) == v_prediction.x_0_from_v(x_t, v, at)


@given(at=rational_steps(), sigma=positive)
def test_what_edm_tells_the_network(recorder: Recorder, at: Step, sigma: Fraction) -> None:
    claim = "c_noise is ¼ log σ, and in DDPM's terms −⅛ of the log-SNR"
    with recorder.observe("exact law", claim, preconditioning.noise_label):
        assert preconditioning.noise_label(sigma**2) == log(sigma) / 4
        assert preconditioning.noise_label(at.one_minus_alpha_bar / at.alpha_bar) == -snr.log_snr(at) / 8


@given(at=rational_steps(), data=positive)
def test_edm_keeps_unit_variance(recorder: Recorder, at: Step, data: Fraction) -> None:
    claim = "EDM's scalings give input and target unit variance, with the least c_out, and λ c_out² = 1"
    formulas = (
        preconditioning.input_scale,
        preconditioning.output_scale,
        preconditioning.skip_scale,
        preconditioning.edm_weight,
    )
    with recorder.observe("exact law", claim, *formulas):
        d = data**2
        noise = at.one_minus_alpha_bar / at.alpha_bar * d  # so that σ² + σ_d² is a square
        skip = preconditioning.skip_scale(noise, d)
        out = preconditioning.output_scale(noise, d)
        assert preconditioning.input_scale(noise, d) ** 2 * (noise + d) == 1
        assert (1 - skip) ** 2 * d + skip**2 * noise == out**2
        for other in (skip + F(1, 7), skip - F(1, 7)):
            assert (1 - other) ** 2 * d + other**2 * noise > out**2
        assert preconditioning.edm_weight(noise, d) * out**2 == 1


# ------------------------------------------------------------------------------------------ guidance


@given(at=rational_steps(), eps=numbers, other=numbers, w=numbers)
def test_guided_prediction(recorder: Recorder, at: Step, eps: Fraction, other: Fraction, w: Fraction) -> None:
    claim = (
        "w = 0 is conditional, w = −1 unconditional, and the score of the combination is the combined score"
    )
    with recorder.observe("exact law", claim, guidance.guided_eps, guidance.score):
        assert guidance.guided_eps(eps, other, F(0)) == eps
        assert guidance.guided_eps(eps, other, F(-1)) == other
        assert guidance.guided_eps(eps, other, w) == other + (1 + w) * (eps - other)
        guided = guidance.score(guidance.guided_eps(eps, other, w), at)
        assert guided == (1 + w) * guidance.score(eps, at) - w * guidance.score(other, at)
        assert guidance.score(eps, at) * forward.q_sample(F(0), F(1), at) == -eps


@given(at=rational_steps(), x_t=numbers, eps=numbers, g=numbers, s=numbers)
def test_the_two_rules_of_classifier_guidance(
    recorder: Recorder, at: Step, x_t: Fraction, eps: Fraction, g: Fraction, s: Fraction
) -> None:
    claim = (
        "shifting the noise moves the mean by s β_t/√α_t, which Algorithm 1 does at σ_t² = β_t but for 1/√α_t"
    )
    with recorder.observe("exact law", claim, guidance.classifier_eps, guidance.classifier_mean):
        mean = reverse.mean_from_eps(x_t, eps, at)
        root = forward.q_mean(F(1), at) / forward.q_mean(F(1), before(at))
        by_noise = reverse.mean_from_eps(x_t, guidance.classifier_eps(eps, g, s, at), at) - mean
        by_mean = guidance.classifier_mean(mean, at.beta, g, s) - mean
        assert by_noise == s * at.beta / root * g
        assert by_noise * root == by_mean


@given(w=positive, tau_squared=below_one, alpha_bars=st.lists(unit, min_size=3, max_size=3, unique=True))
def test_guided_marginals_are_no_diffusion(
    recorder: Recorder, w: Fraction, tau_squared: Fraction, alpha_bars: list[Fraction]
) -> None:
    """A diffusion of fixed data has a variance linear in ᾱ_t; three points show that this one has not."""
    claim = "the guided variance is linear in ᾱ_t for w = 0 and w = −1 only"

    def bend(weight: Fraction) -> Fraction:
        points = [(a, guidance.guided_variance(a * (1 - tau_squared), weight)) for a in sorted(alpha_bars)]
        slopes = [(q - p) / (b - a) for (a, p), (b, q) in pairwise(points)]
        return slopes[1] - slopes[0]

    with recorder.observe("exact law", claim, guidance.guided_variance):
        assert bend(F(0)) == bend(F(-1)) == 0
        assert (bend(w) == 0) == (tau_squared == 1)


@given(tau_squared=positive, w=positive, alpha_bar=unit)
def test_precisions_add_with_their_powers(
    recorder: Recorder, tau_squared: Fraction, w: Fraction, alpha_bar: Fraction
) -> None:
    claim = "the guided precision is (1+w) times that of the class less w times that of all the data"
    u = alpha_bar * (1 - tau_squared)
    precision = (1 + w) / (alpha_bar * tau_squared + 1 - alpha_bar) - w
    assume(precision > 0)
    with recorder.observe("exact law", claim, guidance.guided_variance):
        assert guidance.guided_variance(u, w) * precision == 1


@given(at=steps, v=positive, noise=positive, y=numbers, x_t=numbers)
def test_dps_on_normal_data(
    recorder: Recorder, at: Step, v: Fraction, noise: Fraction, y: Fraction, x_t: Fraction
) -> None:
    """The law of (y, x_t) is a normal one of two numbers: the exact score by its 2 × 2 covariance."""
    claim = "for normal data DPS's score of a measurement is (σ_y² + Var(x_0 | x_t))/σ_y² times the exact one"
    formulas = (steering.denoiser_slope, steering.measurement_score, steering.dps_excess)
    with recorder.observe("exact law", claim, *formulas):
        root, total = forward.q_mean(F(1), at), variance.marginal_variance(v, at)
        residual = v - root**2 * v**2 / total
        slope = steering.denoiser_slope(residual, at)
        assert slope == root * v / total
        # log p(y | x_t) = log p(y, x_t) − log p(x_t), each a quadratic form.
        determinant = (v + noise) * total - (root * v) ** 2
        joint = (root * v * y - (v + noise) * x_t) / determinant
        exact = joint + x_t / total
        x_0_hat = slope * x_t
        assert steering.measurement_score(y, x_0_hat, slope, noise + residual) == exact
        dps = steering.measurement_score(y, x_0_hat, slope, noise)
        assert dps == steering.dps_excess(residual, noise) * exact
        assert steering.dps_excess(residual, noise) > 1


@given(step=positive, scale=positive, x=numbers, h=positive)
def test_the_norm_and_its_square(
    recorder: Recorder, step: Fraction, scale: Fraction, x: Fraction, h: Fraction
) -> None:
    """On a line through the residual's zero, ‖r‖ = c|x|, where the gradients are c and 2c²|x|."""
    claim = "a step along ∇‖r‖ is one along ∇‖r‖² with a step size 2‖r‖ times smaller"
    with recorder.observe("exact law", claim, steering.norm_step):
        length = scale * abs(x)
        assert steering.norm_step(step, length) * scale == step * 2 * scale**2 * abs(x)
        assert steering.norm_step(step, length + h) - steering.norm_step(step, length) == 2 * step * h


def projector(columns: list[list[Fraction]], rows: list[list[Fraction]]) -> np.ndarray:
    """An idempotent matrix of rank two: U (W U)⁻¹ W."""
    u, w = np.array(columns).T, np.array(rows)
    (a, b), (c, d) = w.dot(u)
    inverse = np.array([[d, -b], [-c, a]]) / (a * d - b * c)
    return u.dot(inverse).dot(w)


vectors = st.lists(st.fractions(-2, 2, max_denominator=4), min_size=4, max_size=4)
matrices = st.lists(vectors, min_size=2, max_size=2)


@given(columns=matrices, rows=matrices, proposal=vectors, reference=vectors)
def test_ilvr_by_any_projection(
    recorder: Recorder,
    columns: list[list[Fraction]],
    rows: list[list[Fraction]],
    proposal: list[Fraction],
    reference: list[Fraction],
) -> None:
    claim = "for an idempotent linear filter ILVR's step has the reference's low frequencies and its own rest"
    (a, b), (c, d) = np.array(rows).dot(np.array(columns).T)
    assume(a * d != b * c)
    phi = projector(columns, rows)
    x, y = np.array(proposal), np.array(reference)
    with recorder.observe("exact law", claim, steering.ilvr_step):
        assert (phi.dot(phi) == phi).all()
        step = steering.ilvr_step(x, phi.dot(x), phi.dot(y))
        assert (phi.dot(step) == phi.dot(y)).all()
        assert (step - phi.dot(step) == x - phi.dot(x)).all()


def test_ilvr_with_a_blur_misses_the_reference(recorder: Recorder) -> None:
    claim = "a filter that is not idempotent leaves ILVR's step short of the reference"
    blur = np.array([[F(2 - abs(i - j), 4) if abs(i - j) < 2 else F(0) for j in range(4)] for i in range(4)])
    x, y = np.array([F(0)] * 4), np.array([F(0), F(1), F(0), F(0)])
    with recorder.observe("exact law", claim, steering.ilvr_step):
        step = steering.ilvr_step(x, blur.dot(x), blur.dot(y))
        assert not (blur.dot(step) == blur.dot(y)).all()


# ---------------------------------------------------------------------------------------- resolution


@given(at=rational_steps(), c=positive, side=st.integers(1, 8), b=positive)
def test_the_shift(recorder: Recorder, at: Step, c: Fraction, side: int, b: Fraction) -> None:
    claim = "the shifted schedule has c times the SNR; pooling undoes the shift; scaling the input is one"
    with recorder.observe("exact law", claim, resolution.shifted_alpha_bar, resolution.pooled_snr):
        ratio = at.alpha_bar / at.one_minus_alpha_bar
        shifted = resolution.shifted_alpha_bar(c, at)
        assert shifted / (1 - shifted) == c * ratio
        coarse = resolution.shifted_alpha_bar(F(1, side**2), at)
        moved = at._replace(alpha_bar=coarse, one_minus_alpha_bar=1 - coarse)
        assert resolution.pooled_snr(F(side), moved) == ratio
        signal, noise = b**2 * at.alpha_bar, at.one_minus_alpha_bar
        assert resolution.shifted_alpha_bar(b**2, at) == signal / (signal + noise)
        assert resolution.shifted_alpha_bar(F(1), at) == at.alpha_bar
        # An end that shall stay in place is moved back before the schedule is shifted.
        back = resolution.shifted_alpha_bar(1 / c, at)
        moved = at._replace(alpha_bar=back, one_minus_alpha_bar=1 - back)
        assert resolution.shifted_alpha_bar(c, moved) == at.alpha_bar
        fine = resolution.shifted_alpha_bar(F(64, 64 * side) ** 2, at)
        moved = at._replace(alpha_bar=fine, one_minus_alpha_bar=1 - fine)
        assert snr.log_snr(moved) == snr.log_snr(at) + 2 * log(F(1, side)), "λ + 2 log(64/d)"


@given(x_0=st.lists(numbers, min_size=1, max_size=5), threshold=positive)
def test_dynamic_threshold(recorder: Recorder, x_0: list[Fraction], threshold: Fraction) -> None:
    claim = "the moving clip stays in [−1, 1], is the fixed one below 1, and keeps the order of the pixels"
    with recorder.observe("exact law", claim, resolution.dynamic_threshold):
        clipped = [resolution.dynamic_threshold(x, threshold) for x in x_0]
        s = max(F(1), threshold)
        assert clipped == [max(-s, min(s, x)) / s for x in x_0]
        assert all(-1 <= x <= 1 for x in clipped)
        if threshold <= 1:
            assert clipped == [max(F(-1), min(F(1), x)) for x in x_0]


# -------------------------------------------------------------------------------------------- metric


@given(mean=numbers, other=numbers, s=positive, r=positive, count=st.integers(2, 40))
def test_fid_of_one_feature(
    recorder: Recorder, mean: Fraction, other: Fraction, s: Fraction, r: Fraction, count: int
) -> None:
    claim = "FID of one feature is 0 for equal laws only, symmetric, and what its mean and deviation add"
    with recorder.observe("exact law", claim, metrics.frechet, metrics.scaled_bias):
        assert metrics.frechet(mean, s, other, r) == mean**2 - 2 * mean * other + other**2 + (s - r) ** 2
        assert (metrics.frechet(mean, s, other, r) == 0) == (mean == other and s == r)
        # A mean of variance 1/N, and a deviation with mean c and mean square 1.
        of_the_mean = metrics.frechet(F(1), F(1), F(0), F(1)) / count
        assert metrics.scaled_bias(s, count) == count * (of_the_mean + 1 - 2 * s + 1)


@given(root=st.fractions(F(1, 20), F(19, 20), max_denominator=20), c_4=positive)
def test_two_counts_in_turn(recorder: Recorder, root: Fraction, c_4: Fraction) -> None:
    claim = "c_4(N) c_4(N+1) = √((N−1)/N)"
    with recorder.observe("exact law", claim, metrics.next_deviation_mean):
        count = 1 / (1 - root**2)  # so that the root is rational
        assert metrics.next_deviation_mean(c_4, count) * c_4 == root


coarse = st.fractions(-2, 2, max_denominator=6)
points = st.lists(st.tuples(coarse, coarse), min_size=2, max_size=2, unique=True)


def kid(x: tuple[tuple[Fraction, ...], ...], y: tuple[tuple[Fraction, ...], ...]) -> Fraction:
    """The estimate from two sets of images, each a pair of features."""

    def kernel(a: tuple[Fraction, ...], b: tuple[Fraction, ...]) -> Fraction:
        return metrics.cubic_kernel(a[0] * b[0] + a[1] * b[1], 2)

    within = [
        metrics.off_diagonal_mean(
            sum((kernel(a, b) for a in some for b in some), F(0)),
            sum((kernel(a, a) for a in some), F(0)),
            len(some),
        )
        for some in (x, y)
    ]
    between = sum((kernel(a, b) for a in x for b in y), F(0)) / (len(x) * len(y))
    return metrics.kernel_distance(*within, between)


@given(law=points, other=points, count=st.integers(2, 3))
def test_kid_is_right_on_average(
    recorder: Recorder, law: list[tuple[Fraction, ...]], other: list[tuple[Fraction, ...]], count: int
) -> None:
    """Over every set of two draws and of two or three; the true distance from moments up to the third."""
    claim = "averaged over all draws from finite laws KID is their true distance, 0 for equal ones"
    formulas = (metrics.kernel_distance, metrics.off_diagonal_mean, metrics.cubic_kernel)
    with recorder.observe("exact law", claim, *formulas):
        for p, q in ((law, law), (law, other)):
            draws = [(x, y) for x in product(p, repeat=2) for y in product(q, repeat=count)]
            mean = sum((kid(x, y) for x, y in draws), F(0)) / len(draws)
            assert mean == distance_by_moments(p, q)
        assert distance_by_moments(law, law) == 0


def distance_by_moments(p: list[tuple[Fraction, ...]], q: list[tuple[Fraction, ...]]) -> Fraction:
    """(1 + u)³ = 1 + 3u + 3u² + u³ of u = xᵀy/2: differences of the moments of degree one, two and three."""
    total = F(0)
    for degree, factor in ((1, 3), (2, 3), (3, 1)):
        for indices in product((0, 1), repeat=degree):
            moments = [
                sum((math.prod(point[i] for i in indices) for point in law), F(0)) / len(law)
                for law in (p, q)
            ]
            total += F(factor, 2**degree) * (moments[0] - moments[1]) ** 2
    return total


def test_the_diagonal_is_what_biases(recorder: Recorder) -> None:
    claim = "with the diagonal the mean over all draws of one law is (1/m + 1/n)(E k(x, x) − E k(x, x'))"
    with recorder.observe("exact law", claim, metrics.kernel_distance, metrics.cubic_kernel):
        law = [F(-1), F(1, 2), F(2)]

        def mean(x: tuple[Fraction, ...], y: tuple[Fraction, ...]) -> Fraction:
            return sum((metrics.cubic_kernel(a * b, 1) for a in x for b in y), F(0)) / (len(x) * len(y))

        draws = [(x, y) for x in product(law, repeat=2) for y in product(law, repeat=2)]
        biased = sum((metrics.kernel_distance(mean(x, x), mean(y, y), mean(x, y)) for x, y in draws), F(0))
        alike = sum((metrics.cubic_kernel(a * a, 1) for a in law), F(0)) / 3
        assert biased / len(draws) == alike - mean(tuple(law), tuple(law)) > 0


# ------------------------------------------------------------------------------------------ modality


def blanking(beta: Fraction, symbols: int) -> np.ndarray:
    """Q_t of D3PM's absorbing state: the last symbol is the blank, to which each other one goes with β_t."""
    matrix = np.array([[F(int(i == j)) for j in range(symbols + 1)] for i in range(symbols + 1)])
    matrix[:symbols] *= 1 - beta
    matrix[:symbols, symbols] += beta
    return matrix


@given(betas=st.lists(st.fractions(F(1, 20), F(19, 20), max_denominator=20), min_size=2, max_size=5))
def test_blanking_by_matrices(recorder: Recorder, betas: list[Fraction]) -> None:
    """Bayes' rule on the whole transition matrices, against one number a step."""
    claim = "the chance that a blank symbol returns is that of D3PM's posterior by its transition matrices"
    with recorder.observe("exact law", claim, absorbing.unmask_probability):
        symbols, alpha_bar, prev = 3, F(1), F(1)
        whole = np.array([[F(int(i == j)) for j in range(symbols + 1)] for i in range(symbols + 1)])
        for beta in betas:
            matrix, until, prev = blanking(beta, symbols), whole, alpha_bar
            whole = whole.dot(matrix)
            alpha_bar = forward.alpha_bar(forward.alpha(beta), prev)
            blank = np.array([[F(int(j == symbols))] for j in range(symbols + 1)]).T
            ones = np.array([[F(1)]] * (symbols + 1))
            unit_matrix = np.array([[F(int(i == j)) for j in range(symbols + 1)] for i in range(symbols + 1)])
            assert (whole == alpha_bar * unit_matrix + (1 - alpha_bar) * ones.dot(blank)).all()
        joint = [until[0, i] * matrix[i, symbols] for i in range(symbols + 1)]
        step = Step(beta, 1 - beta, alpha_bar, prev, 1 - alpha_bar, 1 - prev)
        assert absorbing.unmask_probability(step) == joint[0] / sum(joint, F(0))
        kept = [until[0, i] * matrix[i, 0] for i in range(symbols + 1)]
        assert kept[0] == sum(kept, F(0)), "a symbol that is there was there before"


@given(T=st.integers(1, 40), data=st.data())
def test_an_equal_share_at_every_step(recorder: Recorder, T: int, data: st.DataObject) -> None:
    claim = "with β_t = 1/(T−t+1), ᾱ_t = 1 − t/T and a blank returns with probability 1/t"
    with recorder.observe("exact law", claim, absorbing.absorbing_beta, absorbing.unmask_probability):
        alpha_bar = F(1)
        for t in range(1, T + 1):
            beta, prev = absorbing.absorbing_beta(F(t), T), alpha_bar
            alpha_bar = prev * (1 - beta)
            assert alpha_bar == 1 - F(t, T)
            step = Step(beta, 1 - beta, alpha_bar, prev, 1 - alpha_bar, 1 - prev)
            assert absorbing.unmask_probability(step) == F(1, t)


@given(
    r=st.fractions(F(1, 20), F(19, 20), max_denominator=20),
    p=st.fractions(F(1, 20), F(19, 20), max_denominator=20),
)
def test_the_cost_of_a_blank(recorder: Recorder, r: Fraction, p: Fraction) -> None:
    """Symbol by symbol; logarithms of rationals are exact."""
    claim = "the cost of a blank symbol is the divergence of the two laws of x_{t−1}"
    step = Step(
        beta=r,
        alpha=1 - r,
        alpha_bar=F(0),
        alpha_bar_prev=F(1),
        one_minus_alpha_bar=F(1),
        one_minus_alpha_bar_prev=F(0),
    )
    with recorder.observe("exact law", claim, absorbing.absorbing_term):
        chance = absorbing.unmask_probability(step)
        posterior_law, model = (chance, 1 - chance), (chance * p, 1 - chance)
        kl = sum(((log(q) - log(m)) * q for q, m in zip(posterior_law, model, strict=True)), log(F(1)))
        assert absorbing.absorbing_term(log(p), step) == kl


# -------------------------------------------------------------------------------------- memorisation


@given(images=st.lists(numbers, min_size=1, max_size=5), x=numbers)
def test_equal_densities_give_the_mean(recorder: Recorder, images: list[Fraction], x: Fraction) -> None:
    """With one density for all the exponentials are e⁰; the rest of the law is tested in float64."""
    claim = "where x_t says nothing the optimum is the mean image"
    with recorder.observe("property", claim, finite_data.mean_image, finite_data.image_shares):
        shares = finite_data.image_shares([1.5] * len(images))
        assert shares == [1 / len(images)] * len(images)
        mean = finite_data.mean_image([float(image) for image in images], [1.5] * len(images))
        assert abs(mean - float(sum(images, F(0)) / len(images))) < 1e-12 * (1 + abs(float(x))) + 1e-12
