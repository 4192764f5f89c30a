"""Laws of the training loss (Eq. 14, Algorithm 1)."""

from collections.abc import Iterator

import numpy as np

from ddpm_spec.laws.protocol import Implementation
from ddpm_spec.laws.reference import Case, Reference, compare

__all__ = ["known_noise", "squared_error"]

_X = np.array([[0.9, -0.4, 0.1, 0.0], [-1.0, 1.0, 0.3, -0.2], [0.5, 0.6, -0.7, 0.8]])
_EPS = np.array([[0.2, -1.3, 0.7, 1.1], [1.9, 0.4, -0.6, -0.1], [-0.3, 0.9, 0.05, -2.0]])
_ERROR = np.array([[0.5, -0.25, 1.0, 2.0], [0.0, 0.75, -1.5, 0.5], [1.25, 0.0, 0.25, -0.5]])


def known_noise(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 14: a network that knows x_0 finds the noise, so x_t and t are those of Eq. 4."""
    for t in reference.times():
        times = np.array([t, 1, reference.T])
        ours = model.loss(reference.knowing(_X), _X, times, _EPS)
        # An error r in each noise gives r²: compare its root.
        yield Case(abs(ours) ** 0.5, 4 * reference.condition(2), f"t = {times.tolist()}")


def squared_error(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 14: an error in the noise costs its square, averaged over coordinates and batch."""
    for t in reference.times():
        times = np.array([t, 1, reference.T])
        ours = model.loss(reference.knowing(_X, _ERROR), _X, times, _EPS)
        yield compare(ours, (_ERROR**2).mean(), f"t = {times.tolist()}", 4 * reference.condition(2))
