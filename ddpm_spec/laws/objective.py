"""Laws of the training loss (Eq. 14, Algorithm 1)."""

import numpy as np

from ddpm_spec.laws.law import Case, Cases, law
from ddpm_spec.laws.reference import Reference, spread
from ddpm_spec.laws.subject import Subject

__all__ = ["known_noise", "squared_error"]


@law("objective/known-noise", "tables", "loss", rests_on=("forward/betas",))
def known_noise(reference: Reference, model: Subject) -> Cases:
    """Eq. 14: a network that knows x_0 finds the noise, so x_t and t are those of Eq. 4."""
    x_0, eps, _ = _data(model)
    for t in reference.times():
        times = _neighbours(reference, t)
        ours = model.loss(reference.predicting(x_0), x_0, times, eps)
        # An error r in each prediction gives r²: compare its root.
        yield Case(abs(ours) ** 0.5, _error(reference, times), t)


@law("objective/squared-error", "tables", "loss", rests_on=("forward/betas", "objective/known-noise"))
def squared_error(reference: Reference, model: Subject) -> Cases:
    """Eq. 14: an error in the noise costs its square, averaged over coordinates and batch."""
    x_0, eps, error = _data(model)
    for t in reference.times():
        times = _neighbours(reference, t)
        ours = model.loss(reference.predicting(x_0, error), x_0, times, eps)
        r = _error(reference, times)
        # (e + r)² is off by 2 e r + r².
        allowed = 2 * np.abs(error).mean() * r + r**2 + 32 * model.unit * (error**2).mean()
        yield Case(abs(ours - float((error**2).mean())), allowed, t)


def _data(model: Subject) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three images, their noise, and errors on both sides of 1."""
    return (
        spread(3, model.dim, 0.9),
        spread(3, model.dim, 2.0, start=100),
        spread(3, model.dim, 1.9, start=200),
    )


def _neighbours(reference: Reference, t: int) -> np.ndarray:
    """Three times side by side: of one kind in how they round, but each its own."""
    return np.clip([t, t - 1, t + 1], 1, reference.T)


def _error(reference: Reference, times: np.ndarray) -> float:
    """The error of a prediction that was read off x_t, given x_0."""
    t = int(times.min())
    n, r = reference.rounding(int(times.max())), reference.noise_rounding(t)
    # What √ᾱ_t x_0 is off by counts against √(1 − ᾱ_t); |x_0| ≤ 0.9, |ε| ≤ 2.
    return float(n * (1.8 / np.sqrt(reference.noise[t]) + 4) + 2 * r)
