"""Laws of v-prediction (Salimans and Ho 2022): (x_t, v) is (x_0, ε) rotated by an angle that depends on t."""

from collections.abc import Iterator

import numpy as np

from ddpm_spec.laws.law import Case, Cases, law
from ddpm_spec.laws.protocol import Array
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Subject

__all__ = ["eps", "right_angle", "turn", "x_0"]


@law("velocity/right-angle", "tables", "velocity", rests_on=("forward/betas",))
def right_angle(reference: Reference, model: Subject) -> Cases:
    """v-prediction: v is at a right angle to x_t = √ᾱ_t x_0 + √(1−ᾱ_t) ε."""
    for t, image, noise in _parts(reference, model):
        root, other = np.sqrt(reference.signal[t]), np.sqrt(reference.noise[t])
        yield Case(float(np.abs(root * image + other * noise).max()), _error(reference, t), t)


@law("velocity/turn", "tables", "velocity", rests_on=("forward/betas",))
def turn(reference: Reference, model: Subject) -> Cases:
    """v-prediction: the map from (x_0, ε) to (x_t, v) has determinant 1, as a rotation has."""
    for t, image, noise in _parts(reference, model):
        root, other = np.sqrt(reference.signal[t]), np.sqrt(reference.noise[t])
        determinant = root * noise - other * image
        yield Case(float(np.abs(determinant - reference.z).max()), _error(reference, t), t)


@law("velocity/x-0", "tables", "x_0_from_velocity", rests_on=("forward/betas",))
def x_0(reference: Reference, model: Subject) -> Cases:
    """v-prediction: x_t and v give x_0 back."""
    return _back(reference, model, "x_0_from_velocity", reference.x)


@law("velocity/eps", "tables", "eps_from_velocity", rests_on=("forward/betas",))
def eps(reference: Reference, model: Subject) -> Cases:
    """v-prediction: x_t and v give the noise back."""
    return _back(reference, model, "eps_from_velocity", reference.z)


def _back(reference: Reference, model: Subject, name: str, expected: Array) -> Cases:
    times = list(reference.times())
    t = np.repeat(times, len(reference.x))
    x, z = (np.tile(rows, (len(times), 1)) for rows in (reference.x, reference.z))
    root, other = np.sqrt(reference.signal[t])[:, None], np.sqrt(reference.noise[t])[:, None]
    ours = model.from_velocity(name, root * x + other * z, root * z - other * x, t)
    for t_, rows in zip(times, ours.reshape(len(times), *expected.shape), strict=True):
        # |x_t| and |v| are at most 3, and their own rounding counts like that of a factor.
        yield Case(float(np.abs(rows - expected).max()), 3 * _error(reference, t_), t_)


def _parts(reference: Reference, model: Subject) -> Iterator[tuple[int, Array, Array]]:
    """What the same numbers add to v as an image, and as noise, at every t."""
    times, z = list(reference.times()), reference.z
    t, rows = np.repeat(times, len(z)), np.tile(z, (len(times), 1))
    image, noise = (model.velocity(*pair, t) for pair in ((rows, 0 * rows), (0 * rows, rows)))
    shape = (len(times), *z.shape)
    yield from zip(times, image.reshape(shape), noise.reshape(shape), strict=True)


def _error(reference: Reference, t: int) -> float:
    """The error of what √ᾱ_t and √(1−ᾱ_t) make of numbers up to 2."""
    model, r = reference.subject, reference.noise_rounding(t)
    n = reference.table_error[t] + 8 * model.table_unit + 4 * model.unit
    root, other = np.sqrt(reference.signal[t]), np.sqrt(reference.noise[t])
    return float(2 * (n * root + (n + r) * other))
