"""Laws of the time embedding E(t), the sines and cosines of ω_i t in any order (App. B).

Implementations order them differently. So the laws look at inner products, which do not depend on the order:
E(t)·E(s) = Σ_i cos(ω_i (t − s)).
"""

from collections.abc import Iterator

import numpy as np

from ddpm_spec.laws.law import Case, Cases, law
from ddpm_spec.laws.protocol import Array
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Subject

__all__ = ["distinct", "frequencies", "last_frequency", "shift", "zero"]

DIM = 96
HALF = DIM // 2


@law("embedding/shift", "time_embedding")
def shift(reference: Reference, model: Subject) -> Cases:
    """Time embedding: every frequency has a sine and a cosine, so E(t)·E(t + k) is the same for all t."""
    for lag, products in _products(reference, model):
        yield Case(float(np.ptp(products)), 2 * _error(reference, model), f"k = {lag}")


@law("embedding/frequencies", "time_embedding")
def frequencies(reference: Reference, model: Subject) -> Cases:
    """Time embedding: the frequencies fall geometrically from 1 to about 1/10000, for t in whole steps."""
    found = list(_products(reference, model))
    conventions = [_frequencies(HALF - 1), _frequencies(HALF)]
    nearest = min(conventions, key=lambda omega: max(_missed(omega, *each) for each in found))
    for lag, products in found:
        yield Case(_missed(nearest, lag, products), _error(reference, model), f"k = {lag}")


@law("embedding/last-frequency", "time_embedding", rests_on=("embedding/frequencies",), level="custom")
def last_frequency(reference: Reference, model: Subject) -> Cases:
    """Time embedding: the lowest frequency is 1/10000 itself, as in the released weights."""
    for lag, products in _products(reference, model):
        yield Case(_missed(_frequencies(HALF - 1), lag, products), _error(reference, model), f"k = {lag}")


@law("embedding/zero", "time_embedding", level="custom")
def zero(reference: Reference, model: Subject) -> Cases:
    """Time embedding: the first step is embedded as 0, as in the released weights."""
    ours = np.sort(model.time_embedding(np.array([1]), DIM)[0])
    yield Case(float(np.abs(ours - np.repeat([0.0, 1.0], HALF)).max()), 4 * model.unit, 1)


@law("embedding/distinct", "time_embedding")
def distinct(reference: Reference, model: Subject) -> Cases:
    """Time embedding: no two times have the same embedding, in the precision that is stated."""
    ours = model.time_embedding(np.arange(1, _steps(reference, model) + 1), DIM)
    yield Case(float(len(ours) - len(np.unique(ours, axis=0))), 0.0, "times that another one looks like")


def _steps(reference: Reference, model: Subject) -> int:
    return reference.T if model.has("tables") else 1000


def _frequencies(divisor: int) -> Array:
    omega: Array = 10_000.0 ** (-np.arange(HALF) / divisor)
    return omega


def _missed(omega: Array, lag: int, products: Array) -> float:
    """How far the products are from those of these frequencies."""
    return float(np.abs(products - np.cos(omega * lag).sum()).max())


def _products(reference: Reference, model: Subject) -> Iterator[tuple[int, Array]]:
    """k and E(t)·E(t + k) for several t."""
    T = _steps(reference, model)
    ours = model.time_embedding(np.arange(1, T + 1), DIM)
    for lag in sorted({0, 1, 2, T // 100, T // 30, T // 10, T // 3, T // 2, T - 1}):
        first = np.unique(np.linspace(0, T - 1 - lag, 7).astype(int))
        yield lag, (ours[first] * ours[first + lag]).sum(axis=1)


def _error(reference: Reference, model: Subject) -> float:
    """Of a product of two embeddings.

    An angle ωt is off by the rounding of log ω, which is at most 9.3, of ω and of the product. These are made
    in the precision of tables, since half precision does not hold all times. Each sine and cosine is rounded
    too.
    """
    angles = _steps(reference, model) * 20 * model.table_unit * _frequencies(HALF - 1)
    return float(2 * np.sqrt(2) * (angles + 2 * model.unit).sum())
