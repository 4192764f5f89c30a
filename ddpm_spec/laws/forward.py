"""Laws of the forward process (Eqs. 2 and 4)."""

import numpy as np

from ddpm_spec.laws.law import Case, Cases, compare, law
from ddpm_spec.laws.reference import Reference, spread
from ddpm_spec.laws.subject import Subject

__all__ = ["betas_are_variances", "mean", "own_time", "product", "variance"]


@law("forward/betas", "betas")
def betas_are_variances(reference: Reference, model: Subject) -> Cases:
    """Eq. 2: β_t lies between 0 and 1."""
    for t in reference.times():
        beta = reference.beta[t]
        inside = 0 < beta < 1
        yield Case(0.0 if inside else max(-beta, beta - 1, np.finfo(float).tiny), 0.0, t)


@law("forward/product", "betas", "alpha_bars", rests_on=("forward/betas",))
def product(reference: Reference, model: Subject) -> Cases:
    """Eq. 4: ᾱ_t is the product of 1 − β_s up to t."""
    ours = np.asarray(model.alpha_bars)
    for t in reference.times():
        yield compare(ours[t - 1], reference.signal[t], reference.rounding(t, 0), t)


@law("forward/mean", "tables", "q_sample", rests_on=("forward/betas",))
def mean(reference: Reference, model: Subject) -> Cases:
    """Eq. 4: without noise x_t is √ᾱ_t x_0."""
    for t, ours in _all_times(reference, model, with_noise=False):
        yield compare(ours, np.sqrt(reference.signal[t]) * reference.x, reference.rounding(t), t)


@law("forward/variance", "tables", "q_sample", rests_on=("forward/betas",))
def variance(reference: Reference, model: Subject) -> Cases:
    """Eq. 4: without data x_t has variance 1 − ᾱ_t."""
    for t, ours in _all_times(reference, model, with_noise=True):
        relative = reference.rounding(t) + reference.noise_rounding(t)
        yield compare(ours, np.sqrt(reference.noise[t]) * reference.z, relative, t)


def _all_times(reference: Reference, model: Subject, *, with_noise: bool) -> list[tuple[int, np.ndarray]]:
    """q_sample at every t in one batch, of images alone or of noise alone."""
    times, count = list(reference.times()), len(reference.x)
    x, z = (np.tile(rows, (len(times), 1)) for rows in (reference.x, reference.z))
    x_t = model.q_sample(0 * x if with_noise else x, np.repeat(times, count), z if with_noise else 0 * z)
    return list(zip(times, x_t.reshape(len(times), count, -1), strict=True))


@law("forward/own-time", "tables", "q_sample")
def own_time(reference: Reference, model: Subject) -> Cases:
    """Eq. 4: every example has its own t, also where the batch is as large as the example."""
    size = model.shape[-1]
    x_0 = spread(size, model.dim, 0.9)
    t = 1 + np.arange(size) * (reference.T - 1) // max(size - 1, 1)
    alone = [model.q_sample(x_0[i : i + 1], t[i : i + 1], -x_0[i : i + 1]) for i in range(size)]
    # The same numbers by the same operations, which a batch may round in another order.
    yield compare(model.q_sample(x_0, t, -x_0), np.concatenate(alone), 8 * model.unit, "a batch")
