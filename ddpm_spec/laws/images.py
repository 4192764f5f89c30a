"""Laws of grey levels: how pixels become what the network sees (§3.3), and samples become pixels.

The conversion is judged in the precision of tables, since half precision cannot tell where between two of 256
levels a number lies.
"""

import numpy as np

from ddpm_spec.laws.law import Case, Cases, law
from ddpm_spec.laws.protocol import Array
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Subject

__all__ = ["clamp", "inverse", "nearest", "scale"]


@law("images/scale", "to_model")
def scale(reference: Reference, model: Subject) -> Cases:
    """§3.3: the grey levels lie equally spaced from −1 to 1, the first and the last included."""
    levels = _rows(model, np.arange(model.levels))
    expected = 2 * levels / (model.levels - 1) - 1
    missed = np.abs(model.to_model(levels) - expected)
    # A product of size 2 and a difference; the result is rounded once.
    yield Case(float(missed.max()), 8 * model.table_unit + model.unit, _level(levels, missed))


@law("images/inverse", "to_model", "to_pixels")
def inverse(reference: Reference, model: Subject) -> Cases:
    """Saved pictures: a pixel that is scaled for the network and back is what it was."""
    levels = _rows(model, np.arange(model.levels))
    missed = np.abs(model.to_pixels(model.to_model(levels)) - levels)
    # Between −1 and 1 a number is rounded by half a unit at most, which may be more than half a level.
    moved = (model.unit / 2 + 8 * model.table_unit) * (model.levels - 1) / 2
    yield Case(float(missed.max()), float(np.floor(moved + 0.5)), _level(levels, missed))


@law("images/nearest", "to_pixels")
def nearest(reference: Reference, model: Subject) -> Cases:
    """Saved pictures: a number becomes the grey level that is nearest to it."""
    for side in (-0.49, -0.3, 0.0, 0.3, 0.49):
        wanted = _rows(model, np.arange(model.levels) + side).clip(0, model.levels - 1)
        # The implementation is given a rounded number. Leave out what lies between two levels then.
        x = model.rows(model.theirs(2 * wanted / (model.levels - 1) - 1)).reshape(wanted.shape)
        exact = (x + 1) / 2 * (model.levels - 1)
        clear = np.abs(exact - np.floor(exact) - 0.5) > 8 * model.table_unit * model.levels
        missed = np.where(clear, np.abs(model.to_pixels(x) - np.rint(exact)), 0)
        yield Case(float(missed.max()), 0.0, _level(wanted, missed))


@law("images/clamp", "to_pixels")
def clamp(reference: Reference, model: Subject) -> Cases:
    """Saved pictures: what lies below −1 becomes black and what lies above 1 white, however far beyond."""
    for beyond in (1.01, 1.3, 2.0, 3.7, 40.0, 1000.0):
        for sign, level in ((-1, 0), (1, model.levels - 1)):
            ours = model.to_pixels(np.full((1, model.dim), sign * beyond))
            yield Case(float(np.abs(ours - level).max()), 0.0, f"x = {sign * beyond}")


def _level(levels: Array, missed: Array) -> str:
    """Where the worst is."""
    return f"level {levels.flat[missed.argmax()]:.6g}"


def _rows(model: Subject, values: Array) -> Array:
    """These values in examples, the last filled up with the first values."""
    count = -(-len(values) // model.dim)
    return np.resize(values, (count, model.dim))
