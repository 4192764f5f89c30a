"""Laws of the forward process posterior (Eqs. 6 and 7): what averaging it over q(x_t | x_0) must give."""

from collections.abc import Iterator

import numpy as np

from ddpm_spec.laws.protocol import Implementation
from ddpm_spec.laws.reference import Case, Reference, compare

__all__ = ["covariance", "first_step", "mean", "variance"]

_X = np.array([[0.9, -0.4, 0.1], [-1.0, 1.0, 0.3]])


def mean(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 7: averaged over x_t, the posterior mean is √ᾱ_{t−1} x_0."""
    for t in reference.times(first=2):
        ours, _ = model.posterior(_X, np.sqrt(reference.signal[t]) * _X, t)
        expected = np.sqrt(reference.signal[t - 1]) * _X
        yield compare(ours, expected, f"t = {t}", reference.condition(t))


def covariance(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 7: given x_0, the covariance of x_{t−1} and x_t is √α_t (1 − ᾱ_{t−1})."""
    for t in reference.times(first=2):
        slope = _slope(model, t)
        expected = np.sqrt(1 - reference.beta[t]) * reference.noise[t - 1]
        yield compare(slope * reference.noise[t], expected, f"t = {t}", reference.condition(t))


def variance(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 7: variance of the mean and mean of the variance add up to 1 − ᾱ_{t−1}."""
    for t in reference.times(first=2):
        _, left = model.posterior(_X, _X, t)
        total = left + _slope(model, t) ** 2 * reference.noise[t]
        yield compare(total, reference.noise[t - 1], f"t = {t}", reference.condition(t))


def first_step(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 7: at t = 1 the posterior is the point x_0, since ᾱ_0 = 1."""
    ours, left = model.posterior(_X, _X[::-1].copy(), 1)
    yield compare(ours, _X, "t = 1", reference.condition(1))
    yield Case(abs(left), 1.0, "t = 1")


def _slope(model: Implementation, t: int) -> float:
    """How the posterior mean moves with x_t."""
    zero, one = np.zeros((1, 1)), np.ones((1, 1))
    return float((model.posterior(zero, one, t)[0] - model.posterior(zero, zero, t)[0])[0, 0])
