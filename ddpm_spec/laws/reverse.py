"""Laws of the reverse process (Eqs. 11 and 15, Algorithm 2, claims C2 and C3)."""

import numpy as np

from ddpm_spec.laws.law import Case, Cases, compare, law
from ddpm_spec.laws.protocol import Array, Network
from ddpm_spec.laws.reference import Reference, spread, wavy
from ddpm_spec.laws.subject import Subject

__all__ = [
    "alone",
    "asked",
    "conditional_mean",
    "decoder_variance",
    "last_step",
    "noise",
    "posterior_at_x_0",
    "predicted_x_0",
    "rotation",
    "unclipped",
    "variance_range",
]


@law("reverse/x-0", "tables", "predict_x_0", rests_on=("forward/betas",))
def predicted_x_0(reference: Reference, model: Subject) -> Cases:
    """Eq. 15: the true noise gives x_0 back, also an x_0 beyond [−1, 1]."""
    for t in reference.times():
        # An image without noise, an image with noise, and the x_0 of which the noise leaves x_t = 0. In the
        # first and the last nothing cancels.
        scales = ((1, 0, 0.9), (1, 1, 0.9)) if model.clips else ((1, 0, 0.9), (1, 1, 0.9), (0, 1, 0.0))
        for image, scale, reach in scales:
            x_0, eps = image * reference.x, scale * reference.z
            x_t = reference.noised(x_0, t, eps) if image else 0 * x_0
            expected = x_0 if image else -np.sqrt(reference.noise[t] / reference.signal[t]) * eps
            ours = model.predict_x_0(x_t, t, eps)
            size = reference.size(t, reach, 2.0 * scale) if image else 0.0
            yield Case(float(np.abs(ours - expected).max()), reference.x_0_error(t, size, 2.0 * scale), t)


@law("reverse/asked", "tables", "p_sample")
def asked(reference: Reference, model: Subject) -> Cases:
    """Algorithm 2: the network is asked about x_t itself, at the step's own t."""
    x_t = reference.x
    for t in reference.times():

        def elsewhere(x: Array, time: Array, t: int = t) -> Array:
            answer: Array = 100.0 * ((x != x_t) | (time != t)[:, None])
            return answer

        ours, expected = (model.p_sample(network, x_t, t, 0 * x_t) for network in (elsewhere, _still))
        yield compare(ours, expected, 0.0, t)


@law("reverse/mean", "tables", "p_sample", rests_on=("forward/betas", "reverse/asked"))
def conditional_mean(reference: Reference, model: Subject) -> Cases:
    """Eq. 11: for normal data and the best prediction, the reverse mean is E[x_{t−1} | x_t].

    For x_0 ~ N(0.3, 0.37). Here x̂_0 lies within [−1, 1].
    """
    m, v = 0.3, 0.37
    for t in reference.times():
        step = reference.normal_step(t, m, v)
        expected = step.before + step.slope * (reference.x - step.now)
        ours = model.p_sample(reference.normal_denoiser(m, v), reference.x, t, 0 * reference.x)
        # |ε*| ≤ 2 √(1−ᾱ_t) / (ᾱ_t v + 1 − ᾱ_t).
        size = 2 * np.sqrt(reference.noise[t]) / step.spread
        yield Case(float(np.abs(ours - expected).max()), reference.mean_error(t, 1.0, size), t)


@law("reverse/posterior-at-x-0", "tables", "p_sample", rests_on=("forward/betas", "reverse/mean"))
def posterior_at_x_0(reference: Reference, model: Subject) -> Cases:
    """Eq. 11: the reverse mean is Eq. 7 at the x̂_0 of Eq. 15, for any network."""
    # x̂_0 lies within (−1, 1), so clipping plays no part; alone, or beside an x_t.
    x_0, blank = 0.5 * (reference.x - reference.x[::-1]), 0 * reference.x
    for t in reference.times():
        for x_t in (reference.x, blank):
            eps = (x_t - np.sqrt(reference.signal[t]) * x_0) / np.sqrt(reference.noise[t])
            ours = model.p_sample(_answering(eps), x_t, t, blank)
            expected = reference.posterior_mean(x_0, x_t, t)
            allowed = reference.mean_error(t, float(np.abs(x_t).max()), float(np.abs(eps).max()))
            yield Case(float(np.abs(ours - expected).max()), allowed, t)


@law("reverse/unclipped", "tables", "p_sample", rests_on=("forward/betas", "reverse/mean", "reverse/x-0"))
def unclipped(reference: Reference, model: Subject) -> Cases:
    """Eq. 11: the reverse mean is linear in the prediction, also where x̂_0 leaves [−1, 1]."""
    if model.clips:
        return
    eps, blank = 3 * reference.z, 0 * reference.x
    for t in reference.times():
        # At x_t = 0 nothing cancels.
        ours = model.p_sample(_answering(eps), blank, t, blank)
        x_0 = -np.sqrt(reference.noise[t] / reference.signal[t]) * eps
        expected = reference.posterior_mean(x_0, blank, t)
        yield Case(float(np.abs(ours - expected).max()), reference.mean_error(t, 0.0, 6.0), t)


@law("reverse/noise", "tables", "p_sample", "variance", rests_on=("forward/betas",))
def noise(reference: Reference, model: Subject) -> Cases:
    """Algorithm 2: the noise that is added is σ_t z."""
    for t in reference.times(first=2):
        # At x_t = 0 with ε = 0 nothing else is added, so nothing rounds but σ_t z.
        still, moved = (model.p_sample(_still, 0 * reference.x, t, z) for z in (0 * reference.z, reference.z))
        expected = np.sqrt(max(reference.variance(t), 0.0)) * reference.z
        yield compare(moved - still, expected, reference.variance_error(t), t)


@law("reverse/last-step", "p_sample", "tables")
def last_step(reference: Reference, model: Subject) -> Cases:
    """Algorithm 2: at t = 1 no noise is added."""
    still, moved = (model.p_sample(_still, reference.x, 1, z) for z in (0 * reference.z, reference.z))
    yield compare(moved, still, 0.0, 1)


@law("reverse/rotation", "tables", "p_sample", rests_on=("reverse/unclipped",))
def rotation(reference: Reference, model: Subject) -> Cases:
    """Algorithm 2: turning x_t, z and the network's answer turns the step, for any network."""
    if model.clips:
        return
    axis = spread(1, model.dim, 1.0, start=300)[0]
    turn = np.eye(model.dim) - 2 * np.outer(axis, axis) / (axis @ axis)

    def turned(x_t: Array, t: Array) -> Array:
        answer: Array = wavy(x_t @ turn, t) @ turn.T
        return answer

    # Turned, a coordinate is at most √D times as large.
    size = model.dim**0.5
    for t in reference.times():
        ours = model.p_sample(turned, reference.x @ turn.T, t, reference.z @ turn.T)
        expected = model.p_sample(wavy, reference.x, t, reference.z) @ turn.T
        # The network doubles what x_t is rounded by, six times with its factor 3.
        allowed = 2 * reference.mean_error(t, 8 * size, 8 * size) + 4 * size * reference.rounding(t)
        yield Case(float(np.abs(ours - expected).max()), allowed, t)


@law("reverse/alone", "tables", "p_sample")
def alone(reference: Reference, model: Subject) -> Cases:
    """Algorithm 2: examples of a batch do not see each other."""
    x, z = reference.x, reference.z
    for t in reference.times():
        together = model.p_sample(wavy, x, t, z)
        apart = [model.p_sample(wavy, x[i : i + 1], t, z[i : i + 1]) for i in range(2)]
        # The same numbers by the same operations, which a batch may round in another order.
        allowed = reference.mean_error(t, 1.0, 3.0, same_coefficients=True)
        yield Case(float(np.abs(together - np.concatenate(apart)).max()), allowed, t)


@law("reverse/variance-range", "tables", "variance", rests_on=("forward/betas",))
def variance_range(reference: Reference, model: Subject) -> Cases:
    """C3: σ_t² lies between β̃_t and β_t for t ≥ 2."""
    for t in reference.times(first=2):
        low, high, ours = reference.posterior_variance(t), reference.beta[t], reference.variance(t)
        outside = max(low - ours, ours - high, 0.0) if np.isfinite(ours) else np.inf
        yield Case(outside, abs(high) * 2 * reference.variance_error(t), t)


@law("reverse/decoder-variance", "tables", "variance", "bound_term")
def decoder_variance(reference: Reference, model: Subject) -> Cases:
    """Eq. 13: σ_1² is positive and finite."""
    yield Case(0.0 if 0 < reference.variance(1) < np.inf else np.inf, 0.0, 1)


def _answering(eps: Array) -> Network:
    """A network that always answers this."""
    return lambda x_t, t: eps


def _still(x_t: Array, t: Array) -> Array:
    return np.zeros_like(x_t)
