"""Laws of the moving average of the weights, with which the paper samples (App. B)."""

import numpy as np

from ddpm_spec.laws.law import Case, Cases, law
from ddpm_spec.laws.protocol import Array
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Subject

__all__ = ["constant", "decay", "start", "weight"]

DECAYS = (0.5, 0.9, 0.999, 0.9999)
"""The last is the paper's."""

UPDATES = 40


@law("average/constant", "average", level="custom")
def constant(reference: Reference, model: Subject) -> Cases:
    """EMA: the average of a weight that never changes is that weight."""
    for d in DECAYS:
        missed = np.abs(model.average(d, [0.7] * (UPDATES + 1)) - 0.7)
        yield Case(float(missed.max()), 0.7 * (_rounding(model) * UPDATES + model.unit), f"decay {d}")


@law("average/start", "average", level="custom")
def start(reference: Reference, model: Subject) -> Cases:
    """EMA: the average starts at the first value, not at 0 and not at a later one."""
    for d in DECAYS:
        first = model.average(d, [0.7, *[-0.2] * UPDATES])[0]
        yield Case(abs(float(first) - 0.7), 0.7 * (_rounding(model) + model.unit), f"decay {d}")


@law("average/weight", "average", level="custom")
def weight(reference: Reference, model: Subject) -> Cases:
    """EMA: a new value counts 1 − decay, from the first update on."""
    for d in DECAYS:
        allowed = _rounding(model) + model.unit * (1 - d)
        yield Case(abs(float(_impulse(model, d)[0]) - (1 - d)), allowed, f"decay {d}")


@law("average/decay", "average", level="custom")
def decay(reference: Reference, model: Subject) -> Cases:
    """EMA: what is in the average shrinks by the factor decay in every update."""
    for d in DECAYS:
        response = _impulse(model, d)
        for k in range(1, UPDATES):
            # Compared from one update to the next, so each is off by a few roundings.
            allowed = (_rounding(model) + 2 * model.unit) * float(np.abs(response[k - 1]))
            yield Case(abs(float(response[k] - d * response[k - 1])), allowed, f"decay {d}, update {k + 1}")


def _impulse(model: Subject, decay: float) -> Array:
    """How the average answers to a 1 among zeros, from its update on."""
    return model.average(decay, [0.0, 1.0, *[0.0] * (UPDATES - 1)])[1:]


def _rounding(model: Subject) -> float:
    """One update: decay, 1 − decay, two products and a sum.

    Averages are kept in the precision of tables, since half precision does not hold a decay near 1. They may
    be rounded once more when they are handed out.
    """
    return 6 * model.table_unit
