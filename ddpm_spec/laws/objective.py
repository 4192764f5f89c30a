"""Laws of the training loss (Eq. 14, Algorithm 1)."""

import numpy as np

from ddpm_spec.laws.law import Case, Cases, compare, law
from ddpm_spec.laws.protocol import Array
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Predicted, Subject

__all__ = ["asked", "known_noise", "squared_error"]


@law("objective/asked", "tables", "loss")
def asked(reference: Reference, model: Subject) -> Cases:
    """Algorithm 1: the network is asked at the t of each example."""
    x_0, eps, _ = _data(reference)
    for t in reference.times():
        times = _neighbours(reference, t)

        def elsewhere(x: Array, time: Array, times: Array = times) -> Array:
            return np.ones_like(x) * (time != times)[:, None]

        ours, expected = (
            model.loss(Predicted(network), x_0, times, eps)
            for network in (elsewhere, lambda x, time: np.zeros_like(x))
        )
        yield compare(ours, expected, 0.0, t)


@law(
    "objective/known-noise",
    "tables",
    "loss",
    rests_on=("forward/mean", "forward/variance", "objective/asked"),
)
def known_noise(reference: Reference, model: Subject) -> Cases:
    """Eq. 14: a network that knows x_0 finds the noise, so x_t and t are those of Eq. 4."""
    x_0, eps, _ = _data(reference)
    for t in reference.times():
        times = _neighbours(reference, t)
        ours = model.loss(reference.predicting(x_0), x_0, times, eps)
        # An error r in each prediction gives r²: compare its root.
        yield Case(abs(ours) ** 0.5, _error(reference, times), t)


@law("objective/squared-error", "tables", "loss", rests_on=("forward/betas", "objective/known-noise"))
def squared_error(reference: Reference, model: Subject) -> Cases:
    """Eq. 14: an error in the noise costs its square, averaged over coordinates and batch.

    If something else is predicted, the square may be that of the error in it, or of the error that it makes
    in the noise: both are in use.
    """
    x_0, eps, error = _data(reference)
    for t in reference.times():
        times = _neighbours(reference, t)
        ours = model.loss(reference.predicting(x_0, error), x_0, times, eps)
        r = _error(reference, times)
        # (e + r)² is off by 2 e r + r².
        allowed = 2 * np.abs(error).mean() * r + r**2 + 8 * model.unit * (error**2).mean()
        plain = Case(abs(ours - float((error**2).mean())), allowed, t)
        weights = _in_the_noise(reference, times)
        # A weight is off by what ᾱ_t and 1 − ᾱ_t are.
        off = reference.rounding(int(times.max())) + reference.noise_rounding(int(times.min()))
        expected = float((weights[:, None] * error**2).mean())
        weighted = Case(abs(ours - expected), allowed * weights.max() + off * expected, t)
        yield min(plain, weighted, key=lambda case: case.deviation / case.allowed)


def _in_the_noise(reference: Reference, times: Array) -> Array:
    """The square of the error in the noise where that in what is predicted is 1."""
    signal, noise = reference.signal[times], reference.noise[times]
    weights: Array = {"eps": np.ones(len(times)), "v": signal, "x_0": signal / noise}[
        reference.subject.prediction
    ]
    return weights


def _data(reference: Reference) -> tuple[Array, Array, Array]:
    """Three images, their noise, and errors on both sides of 1."""
    return (
        reference.numbers(3, 0.9),
        reference.numbers(3, 2.0, start=100),
        reference.numbers(3, 1.9, start=200),
    )


def _neighbours(reference: Reference, t: int) -> Array:
    """Three times side by side: of one kind in how they round, but each its own."""
    return np.clip([t, t - 1, t + 1], 1, reference.T)


def _error(reference: Reference, times: Array) -> float:
    """The error of a prediction that was read off x_t, given x_0."""
    t = int(times.min())
    n, r = reference.rounding(int(times.max()), 4), reference.noise_rounding(t)
    # What √ᾱ_t x_0 is off by counts against √(1 − ᾱ_t); |x_0| ≤ 0.9, |ε| ≤ 2.
    return float(n * (1.8 / np.sqrt(reference.noise[t]) + 4) + 2 * r)
