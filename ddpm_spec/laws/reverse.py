"""Laws of the reverse process (Eqs. 11 and 15, Algorithm 2, claims C2 and C3)."""

from collections.abc import Iterator

import numpy as np

from ddpm_spec.laws.protocol import Array, Implementation
from ddpm_spec.laws.reference import Case, Reference, compare

__all__ = [
    "alone",
    "conditional_mean",
    "last_step",
    "mean_by_x_0",
    "noise",
    "predicted_x_0",
    "rotation",
    "variance_range",
]

_X = np.array([[0.9, -0.4, 0.1], [-1.0, 1.0, 0.3]])
_Z = np.array([[0.2, -1.3, 0.7], [1.9, 0.4, -0.6]])


def predicted_x_0(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 15: the true noise gives x_0 back."""
    for t in reference.times():
        x_t = np.sqrt(reference.signal[t]) * _X + np.sqrt(reference.noise[t]) * _Z
        ours = model.predict_x_0(x_t, t, _Z)
        # Dividing by √ᾱ_t magnifies; √(1 − ᾱ_t) may have come by subtraction.
        scale = (2 + reference.condition(t + 1) * reference.noise[t] ** 0.5) / reference.signal[t] ** 0.5
        yield compare(ours, _X, f"t = {t}", 2 * scale)


def mean_by_x_0(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 11: the reverse mean is Eq. 7 at the predicted x_0, for any network."""
    for t in reference.times():
        x_0 = model.predict_x_0(_X, t, 3 * _Z)
        expected, _ = model.posterior(x_0, _X, t)
        ours = model.p_sample(lambda x, time: 3 * _Z, _X, t, np.zeros_like(_X))
        yield Case(
            float(np.abs(ours - expected).max()),
            10 * reference.condition(t) / reference.signal[t] ** 0.5,
            f"t = {t}",
        )


def conditional_mean(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 11: for normal data and the best prediction, the reverse mean is E[x_{t−1} | x_t].

    By Cov(x_{t−1}, x_t) = √α_t Var(x_{t−1}), for x_0 ~ N(0.3, 0.37).
    """
    m, v = 0.3, 0.37
    for t in reference.times():
        root = np.sqrt(1 - reference.beta[t])
        before = reference.signal[t - 1] * v + reference.noise[t - 1]
        after = reference.signal[t] * v + reference.noise[t]
        mean_prev, mean = (np.sqrt(reference.signal[s]) * m for s in (t - 1, t))
        expected = mean_prev + root * before / after * (_X - mean)
        ours = model.p_sample(reference.normal_denoiser(m, v), _X, t, np.zeros_like(_X))
        # ε* is divided by √(1 − ᾱ_t), and one rounding of ᾱ_t may have moved that.
        yield compare(ours, expected, f"t = {t}", 4 * reference.condition(t + 1))


def noise(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Algorithm 2: the noise that is added is σ_t z."""
    for t in reference.times(first=2):
        still, moved = (model.p_sample(_still, _X, t, z) for z in (np.zeros_like(_Z), _Z))
        # The difference of the two rounds by the size of x_t / √α_t.
        size = np.abs(_X).max() / np.sqrt(1 - reference.beta[t]) + 1
        added = moved - still
        expected = np.sqrt(model.variance(t)) * _Z
        scale = size + np.abs(expected).max() * reference.condition(t)
        yield Case(float(np.abs(added - expected).max()), scale, f"t = {t}")


def last_step(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Algorithm 2: at t = 1 no noise is added."""
    still, moved = (model.p_sample(_still, _X, 1, z) for z in (np.zeros_like(_Z), _Z))
    yield compare(moved, still, "t = 1", 0.0)


def rotation(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Algorithm 2: rotating x_t, z and the network's answer rotates the step, for any network."""
    turn = np.array([[2, -1, 2], [2, 2, -1], [-1, 2, 2]]) / 3

    def network(x_t: Array, t: Array) -> Array:
        return 3 * np.sin(2 * x_t)

    def turned(x_t: Array, t: Array) -> Array:
        answer: Array = network(x_t @ turn, t) @ turn.T
        return answer

    for t in reference.times():
        ours = model.p_sample(turned, _X @ turn.T, t, _Z @ turn.T)
        expected = model.p_sample(network, _X, t, _Z) @ turn.T
        yield Case(float(np.abs(ours - expected).max()), 40 * reference.condition(t + 1), f"t = {t}")


def alone(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Algorithm 2: examples of a batch do not see each other."""

    def network(x_t: Array, t: Array) -> Array:
        return 3 * np.sin(2 * x_t)

    for t in reference.times():
        together = model.p_sample(network, _X, t, _Z)
        apart = [model.p_sample(network, _X[i : i + 1], t, _Z[i : i + 1]) for i in range(2)]
        yield compare(together, np.concatenate(apart), f"t = {t}", 4 * reference.condition(t + 1))


def variance_range(reference: Reference, model: Implementation) -> Iterator[Case]:
    """C3: σ_t² lies between β̃_t and β_t for t ≥ 2; at t = 1 it is positive and finite."""
    first = model.variance(1)
    yield Case(0.0 if 0 < first < np.inf else np.inf, 0.0, "t = 1")
    for t in range(2, reference.T + 1):
        low, high, ours = reference.posterior_variance(t), reference.beta[t], model.variance(t)
        outside = max(low - ours, ours - high, 0.0)
        yield Case(outside, high * reference.condition(t), f"t = {t}")


def _still(x_t: Array, t: Array) -> Array:
    return np.zeros_like(x_t)
