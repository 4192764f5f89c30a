"""Laws of the forward process (Eqs. 2 and 4)."""

from collections.abc import Iterator

import numpy as np

from ddpm_spec.laws.protocol import Implementation
from ddpm_spec.laws.reference import Case, Reference, compare

__all__ = ["betas_are_variances", "mean", "own_time", "product", "variance"]

_X = np.array([[0.9, -0.4, 0.1], [-1.0, 1.0, 0.3]])


def betas_are_variances(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 2: β_t lies between 0 and 1."""
    for t in range(1, reference.T + 1):
        beta = reference.beta[t]
        inside = 0 < beta < 1
        yield Case(0.0 if inside else max(-beta, beta - 1, np.finfo(float).tiny), 0.0, f"t = {t}")


def product(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 4: ᾱ_t is the product of 1 − β_s up to t."""
    for t in range(1, reference.T + 1):
        yield compare(model.alpha_bars[t - 1], reference.signal[t], f"t = {t}")


def mean(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 4: without noise x_t is √ᾱ_t x_0."""
    for t in reference.times():
        ours = model.q_sample(_X, np.full(2, t), np.zeros_like(_X))
        yield compare(ours, np.sqrt(reference.signal[t]) * _X, f"t = {t}")


def variance(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 4: without data x_t has variance 1 − ᾱ_t."""
    for t in reference.times():
        ours = model.q_sample(np.zeros_like(_X), np.full(2, t), _X) ** 2
        # (1 − ᾱ) ε², formed from a rounded ᾱ, is off by u ε².
        yield compare(ours, reference.noise[t] * _X**2, f"t = {t}", 1 + 1 / reference.noise[t])


def own_time(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 4: every example has its own t, also where the batch is as large as the example."""
    x_0 = np.linspace(-1, 1, 9).reshape(3, 3)
    t = np.array([1, reference.T // 2 + 1, reference.T])
    alone = [model.q_sample(x_0[i : i + 1], t[i : i + 1], -x_0[i : i + 1]) for i in range(3)]
    yield compare(model.q_sample(x_0, t, -x_0), np.concatenate(alone), f"t = {t.tolist()}")
