"""Eqs. 8, 9 and 10, and Eq. 12, on rational numbers by `==`."""

from fractions import Fraction

from hypothesis import given
from rational import numbers, rational_steps, small, spreads

from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import bound, forward, objective, posterior, reverse
from ddpm_spec.formulas.step import Step


@given(at=rational_steps(first=False), x_0=small, x_t=small, mean=small, sigma=spreads)
def test_eq_8(
    recorder: Recorder, at: Step, x_0: Fraction, x_t: Fraction, mean: Fraction, sigma: Fraction
) -> None:
    claim = "L_{t-1} is the distance of the means and the constant C"
    formulas = (bound.step_term, bound.mean_distance, bound.variance_mismatch)
    with recorder.observe("exact law", claim, *formulas):
        distance = bound.mean_distance(posterior.posterior_mean(x_0, x_t, at), mean, sigma)
        constant = bound.variance_mismatch(posterior.posterior_variance(at), sigma)
        assert bound.step_term(x_0, x_t, mean, sigma, at) == constant + distance
        assert float(constant) >= 0
        assert bound.variance_mismatch(sigma, sigma) == 0


@given(at=rational_steps(first=False), x_0=numbers, eps=numbers, mean=numbers, sigma=spreads)
def test_eqs_9_and_10(
    recorder: Recorder, at: Step, x_0: Fraction, eps: Fraction, mean: Fraction, sigma: Fraction
) -> None:
    """At the x_t of (x_0, ε): Eq. 8, Eq. 9 with x_0 implied, and Eq. 10, by `==`."""
    claim = "Eqs. 8, 9 and 10 are one number"
    formulas = (
        bound.mean_distance,
        posterior.posterior_mean,
        reverse.predict_x_0,
        reverse.mean_from_eps,
        forward.q_sample,
    )
    with recorder.observe("exact law", claim, *formulas):
        x_t = forward.q_sample(x_0, eps, at)
        eq_8 = bound.mean_distance(posterior.posterior_mean(x_0, x_t, at), mean, sigma)
        implied = reverse.predict_x_0(x_t, eps, at)
        eq_9 = bound.mean_distance(posterior.posterior_mean(implied, x_t, at), mean, sigma)
        eq_10 = bound.mean_distance(reverse.mean_from_eps(x_t, eps, at), mean, sigma)
        assert eq_8 == eq_9 == eq_10


@given(at=rational_steps(first=False), x_0=small, eps=small, eps_hat=small, sigma=spreads)
def test_from_eq_5_to_eq_12(
    recorder: Recorder, at: Step, x_0: Fraction, eps: Fraction, eps_hat: Fraction, sigma: Fraction
) -> None:
    claim = "L_{t-1} under Eq. 11 is Eq. 12 plus C"
    formulas = (bound.step_term, bound.variance_mismatch, objective.eps_weight, objective.simple_loss)
    with recorder.observe("exact law", claim, *formulas):
        x_t = forward.q_sample(x_0, eps, at)
        term = bound.step_term(x_0, x_t, reverse.mean_from_eps(x_t, eps_hat, at), sigma, at)
        constant = bound.variance_mismatch(posterior.posterior_variance(at), sigma)
        assert term - constant == objective.eps_weight(sigma, at) * objective.simple_loss(eps, eps_hat)
