"""Laws that hold exactly, on rational schedules: no tolerance anywhere.

Each is a fact about normal laws that is stated without the formula under test: conditioning by
precisions, the tower property, undoing what was done.
"""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rational import numbers, rational_step, rational_steps

from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import forward, interpolation, objective, posterior, reverse, sampling
from ddpm_spec.formulas.step import Step


@given(at=rational_steps(first=False), x_0=numbers, x_t=numbers)
def test_posterior_is_the_precision_weighted_mean(
    recorder: Recorder, at: Step, x_0: Fraction, x_t: Fraction
) -> None:
    claim = "the posterior's precision is the sum of two, its mean their weighted mean"
    with recorder.observe("exact law", claim, posterior.posterior_mean, posterior.posterior_variance):
        root_alpha = ratio_of_roots(at)
        root_prev = forward.q_mean(Fraction(1), previous(at))
        precision = at.alpha / at.beta + 1 / at.one_minus_alpha_bar_prev
        assert posterior.posterior_variance(at) * precision == 1
        weighted = root_alpha / at.beta * x_t + root_prev / at.one_minus_alpha_bar_prev * x_0
        assert posterior.posterior_mean(x_0, x_t, at) * precision == weighted


@given(at=rational_steps(), x_0=numbers)
def test_posterior_averages_to_the_marginal(recorder: Recorder, at: Step, x_0: Fraction) -> None:
    claim = "averaged over q(x_t | x_0) the posterior is q(x_{t-1} | x_0)"
    formulas = (posterior.posterior_mean, posterior.posterior_variance, forward.q_mean, forward.q_variance)
    with recorder.observe("exact law", claim, *formulas):
        mean = posterior.posterior_mean(x_0, forward.q_mean(x_0, at), at)
        assert mean == forward.q_mean(x_0, previous(at))
        slope = posterior.posterior_mean(Fraction(0), Fraction(1), at)
        variance = posterior.posterior_variance(at) + slope**2 * forward.q_variance(at)
        assert variance == forward.q_variance(previous(at))


@given(at=rational_steps(first=True), x_0=numbers, x_t=numbers)
def test_posterior_of_the_first_step_is_the_data(
    recorder: Recorder, at: Step, x_0: Fraction, x_t: Fraction
) -> None:
    claim = "at t = 1 the posterior is the point x_0"
    with recorder.observe("exact law", claim, posterior.posterior_mean, posterior.posterior_variance):
        assert posterior.posterior_mean(x_0, x_t, at) == x_0
        assert posterior.posterior_variance(at) == 0


levels = st.lists(
    st.fractions(min_value=Fraction(1, 30), max_value=Fraction(29, 30), max_denominator=30),
    min_size=1,
    max_size=6,
    unique=True,
)


@given(levels=levels, x_0=numbers)
def test_steps_compose_to_the_marginal(recorder: Recorder, levels: list[Fraction], x_0: Fraction) -> None:
    claim = "t steps of Eq. 2, mean and variance carried along, are Eq. 4"
    formulas = (
        forward.q_step_mean,
        forward.q_step_variance,
        forward.q_mean,
        forward.q_variance,
        forward.alpha,
        forward.alpha_bar,
        forward.one_minus_alpha_bar,
    )
    with recorder.observe("exact law", claim, *formulas):
        mean, variance = x_0, Fraction(0)
        alpha_bar, one_minus_alpha_bar = Fraction(1), Fraction(0)
        grid = [Fraction(0), *sorted(levels)]
        for m_prev, m in pairwise(grid):
            at = rational_step(m_prev, m)
            slope = forward.q_step_mean(Fraction(1), at)
            mean, variance = slope * mean, slope**2 * variance + forward.q_step_variance(at)
            alpha_bar = forward.alpha_bar(forward.alpha(at.beta), alpha_bar)
            one_minus_alpha_bar = forward.one_minus_alpha_bar(at.beta, one_minus_alpha_bar)
        assert (mean, variance) == (forward.q_mean(x_0, at), forward.q_variance(at))
        assert (alpha_bar, one_minus_alpha_bar) == (at.alpha_bar, at.one_minus_alpha_bar)


@given(at=rational_steps(), x_0=numbers, eps=numbers)
def test_predicted_x_0_undoes_the_noise(recorder: Recorder, at: Step, x_0: Fraction, eps: Fraction) -> None:
    claim = "with the true noise Eq. 15 gives x_0 back"
    with recorder.observe("exact law", claim, reverse.predict_x_0, forward.q_sample):
        assert reverse.predict_x_0(forward.q_sample(x_0, eps, at), eps, at) == x_0


@given(at=rational_steps(), x_0=numbers, x_t=numbers)
def test_x_0_from_mean_undoes_the_posterior_mean(
    recorder: Recorder, at: Step, x_0: Fraction, x_t: Fraction
) -> None:
    claim = "Eq. 7 solved for x_0 gives x_0 back"
    with recorder.observe("exact law", claim, reverse.x_0_from_mean, posterior.posterior_mean):
        assert reverse.x_0_from_mean(x_t, posterior.posterior_mean(x_0, x_t, at), at) == x_0


@given(at=rational_steps(), x_t=numbers, eps=numbers)
def test_reverse_mean_is_the_posterior_mean_at_the_predicted_x_0(
    recorder: Recorder, at: Step, x_t: Fraction, eps: Fraction
) -> None:
    claim = "Eq. 11 is Eq. 7 at the predicted x_0, t = 1 included"
    with recorder.observe("exact law", claim, reverse.mean_from_eps, posterior.posterior_mean):
        x_0 = reverse.predict_x_0(x_t, eps, at)
        assert reverse.mean_from_eps(x_t, eps, at) == posterior.posterior_mean(x_0, x_t, at)


@given(at=rational_steps(), x_t=numbers, eps=numbers, eps_hat=numbers, sigma=numbers.filter(bool))
def test_weight_is_the_cost_of_an_error_in_the_noise(
    recorder: Recorder, at: Step, x_t: Fraction, eps: Fraction, eps_hat: Fraction, sigma: Fraction
) -> None:
    claim = "Eq. 12 is the squared distance of the two means over twice the variance"
    formulas = (objective.eps_weight, objective.simple_loss, reverse.mean_from_eps)
    with recorder.observe("exact law", claim, *formulas):
        distance = reverse.mean_from_eps(x_t, eps, at) - reverse.mean_from_eps(x_t, eps_hat, at)
        cost = objective.eps_weight(sigma**2, at) * objective.simple_loss(eps, eps_hat)
        assert cost == distance**2 / (2 * sigma**2)


@given(mean=numbers, sigma=numbers, z=numbers)
def test_draw_is_a_shift_by_sigma_z(recorder: Recorder, mean: Fraction, sigma: Fraction, z: Fraction) -> None:
    claim = "a draw lies |σ| z from the mean"
    with recorder.observe("exact law", claim, sampling.p_sample):
        assert sampling.p_sample(mean, sigma**2, z) - mean == abs(sigma) * z


@given(at=rational_steps(), x_0=numbers, other=numbers, eps=numbers, weight=numbers)
def test_latents_of_one_noise_mix_like_their_images(
    recorder: Recorder, at: Step, x_0: Fraction, other: Fraction, eps: Fraction, weight: Fraction
) -> None:
    claim = "latents that share their noise mix to the latent of the mixed image"
    with recorder.observe("exact law", claim, interpolation.mix, forward.q_sample):
        latents = forward.q_sample(x_0, eps, at), forward.q_sample(other, eps, at)
        image = interpolation.mix(x_0, other, weight)
        assert interpolation.mix(*latents, weight) == forward.q_sample(image, eps, at)


@given(weight=st.fractions(0, 1))
def test_mixing_loses_noise_but_at_the_ends(recorder: Recorder, weight: Fraction) -> None:
    """With independent noises only; half the variance is left in the middle."""
    claim = "a mixture keeps between half and all of the noise's variance, all of it at the ends only"
    with recorder.observe("exact law", claim, interpolation.mixed_noise):
        share = interpolation.mixed_noise(weight)
        assert share == 1 - 2 * weight * (1 - weight)
        assert Fraction(1, 2) <= share <= 1
        assert (share == 1) == (weight in (0, 1))


def test_an_irrational_root_is_refused() -> None:
    at = rational_step(Fraction(1, 3), Fraction(1, 2))._replace(alpha=Fraction(1, 2))
    with pytest.raises(ValueError, match="not the square of a rational"):
        reverse.mean_from_eps(Fraction(1), Fraction(1), at)


def previous(at: Step) -> Step:
    """The fields of step t − 1 that Eq. 4 reads."""
    return at._replace(alpha_bar=at.alpha_bar_prev, one_minus_alpha_bar=at.one_minus_alpha_bar_prev)


def ratio_of_roots(at: Step) -> Fraction:
    """√α_t as √ᾱ_t / √ᾱ_{t−1}."""
    root: Fraction = forward.q_mean(Fraction(1), at) / forward.q_mean(Fraction(1), previous(at))
    return root
