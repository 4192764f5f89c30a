"""Laws of the forward process posterior (Eqs. 6 and 7): what averaging it over q(x_t | x_0) must give."""

import numpy as np

from ddpm_spec.laws.law import Case, Cases, compare, law
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Subject

__all__ = ["covariance", "first_step", "mean", "variance"]


@law("posterior/mean", "tables", "posterior", rests_on=("forward/betas",))
def mean(reference: Reference, model: Subject) -> Cases:
    """Eq. 7: averaged over x_t, the posterior mean is √ᾱ_{t−1} x_0."""
    for t in reference.times(first=2):
        ours, _ = model.posterior(reference.x, np.sqrt(reference.signal[t]) * reference.x, t)
        expected = np.sqrt(reference.signal[t - 1]) * reference.x
        yield compare(ours, expected, _relative(reference, t), t)


@law("posterior/covariance", "tables", "posterior", rests_on=("forward/betas",))
def covariance(reference: Reference, model: Subject) -> Cases:
    """Eq. 7: given x_0, the covariance of x_{t−1} and x_t is √α_t (1 − ᾱ_{t−1})."""
    for t in reference.times(first=2):
        expected = np.sqrt(1 - reference.beta[t]) * reference.noise[t - 1]
        yield compare(_slope(model, t) * reference.noise[t], expected, _relative(reference, t), t)


@law("posterior/variance", "tables", "posterior", rests_on=("forward/betas", "posterior/covariance"))
def variance(reference: Reference, model: Subject) -> Cases:
    """Eq. 7: variance of the mean and mean of the variance add up to 1 − ᾱ_{t−1}."""
    for t in reference.times(first=2):
        _, left = model.posterior(reference.x, reference.x, t)
        total = left + _slope(model, t) ** 2 * reference.noise[t]
        yield compare(total, reference.noise[t - 1], 2 * _relative(reference, t), t)


@law("posterior/first", "tables", "posterior", rests_on=("forward/betas",))
def first_step(reference: Reference, model: Subject) -> Cases:
    """Eq. 7: at t = 1 the posterior is the point x_0, since ᾱ_0 = 1."""
    ours, left = model.posterior(reference.x, reference.x[::-1].copy(), 1)
    yield compare(ours, reference.x, _relative(reference, 1), 1)
    # β_1/(1 − ᾱ_1) times a 1 − ᾱ_0 that may be a rounding of ᾱ_0.
    yield Case(abs(left), 2 * model.table_unit * reference.beta[1] / reference.noise[1], 1)


def _relative(reference: Reference, t: int) -> float:
    """The relative error of the coefficients of Eq. 7, which divide 1 − ᾱ_{t−1} by 1 − ᾱ_t."""
    return reference.rounding(t) + reference.noise_rounding(t) + reference.noise_rounding(t - 1)


def _slope(model: Subject, t: int) -> float:
    """How the posterior mean moves with x_t."""
    x_t = np.stack([np.zeros(model.dim), np.ones(model.dim)])
    low, high = model.posterior(0 * x_t, x_t, t)[0][:, 0]
    return float(high - low)
