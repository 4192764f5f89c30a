"""Laws of a variance that is learned between β̃_t and β_t (Improved DDPM, Nichol and Dhariwal 2021)."""

from weakref import WeakKeyDictionary

import numpy as np

from ddpm_spec.laws.law import Case, Cases, law
from ddpm_spec.laws.protocol import Array
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Subject

__all__ = ["ends", "first_step", "middle", "unbounded"]


@law("learned-range/ends", "tables", "learned_variance", rests_on=("forward/betas",))
def ends(reference: Reference, model: Subject) -> Cases:
    """Improved DDPM: the answer −1 means the variance β̃_t, the answer 1 means β_t."""
    for t in reference.times(first=2):
        low_and_high = reference.posterior_variance(t), reference.beta[t]
        for ours, expected in zip(_variances(reference, model, t)[[0, 2]], low_and_high, strict=True):
            allowed = reference.variance_error(t) + _interpolation_error(model, expected)
            yield Case(abs(ours / expected - 1), allowed, t)


@law("learned-range/middle", "tables", "learned_variance", rests_on=("forward/betas",))
def middle(reference: Reference, model: Subject) -> Cases:
    """Improved DDPM: the answer 0 means the geometric mean of the two ends."""
    for t in reference.times(first=2):
        low, ours, high, _ = _variances(reference, model, t)
        yield Case(abs(ours / np.sqrt(low * high) - 1), 2 * _interpolation_error(model, low), t)


@law(
    "learned-range/unbounded", "tables", "learned_variance", rests_on=("learned-range/ends",), level="custom"
)
def unbounded(reference: Reference, model: Subject) -> Cases:
    """Improved DDPM: the answer is not bounded, so that log σ_t² is linear in it beyond 1 too."""
    for t in reference.times(first=2):
        low, _, high, ours = _variances(reference, model, t)
        yield Case(abs(ours * low / high**2 - 1), 4 * _interpolation_error(model, low), t)


@law("learned-range/first", "tables", "learned_variance", rests_on=("learned-range/ends",), level="custom")
def first_step(reference: Reference, model: Subject) -> Cases:
    """Improved DDPM: at t = 1, where β̃_1 = 0 has no logarithm, the lower end is that of t = 2."""
    ours = _variances(reference, model, 1)[0]
    expected = reference.posterior_variance(2)
    allowed = reference.variance_error(2) + _interpolation_error(model, expected)
    yield Case(abs(ours / expected - 1), allowed, 1)


_ANSWERS = np.array([-1.0, 0.0, 1.0, 3.0])

_SEEN: WeakKeyDictionary[Reference, dict[int, Array]] = WeakKeyDictionary()
"""By t. The reference belongs to one run of the laws."""


def _variances(reference: Reference, model: Subject, t: int) -> Array:
    """σ_t² where the network answers −1, 0, 1 and 3, each in an example of its own; once for all laws."""
    seen = _SEEN.setdefault(reference, {})
    if t not in seen:
        seen[t] = model.learned_variance(np.repeat(_ANSWERS[:, None], model.dim, axis=1), t)[:, -1].copy()
    return seen[t]


def _interpolation_error(model: Subject, variance: float) -> float:
    """The relative error of exp(f log a + (1 − f) log b), with three roundings in the exponent."""
    return float(model.unit * (4 + 3 * abs(np.log(variance))))
