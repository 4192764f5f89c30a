"""Laws of state: every part is a function of its arguments, whatever was called before."""

from collections.abc import Callable

import numpy as np

from ddpm_spec.laws.law import Case, Cases, law
from ddpm_spec.laws.protocol import Array
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Subject

__all__ = ["arguments", "order", "precision", "repeated", "tables", "used"]

_NEEDS = ("tables", "fresh copy")

Call = Callable[[Subject], Array]


def _calls(reference: Reference, model: Subject, times: tuple[int, ...]) -> dict[str, Call]:
    """Every part that the implementation has, at each of these times."""
    x, z = reference.x, reference.z

    def network(x_t: Array, t: Array) -> Array:
        return np.sin(2 * x_t + t[:, None])

    def posterior(model: Subject, t: int) -> Array:
        mean, variance = model.posterior(x, z, t)
        return np.append(mean, variance)

    parts: dict[str, Callable[[Subject, int], Array]] = {
        "q_sample": lambda model, t: model.q_sample(x, np.full(len(x), t), z),
        "posterior": posterior,
        "predict_x_0": lambda model, t: model.predict_x_0(x, t, z),
        "variance": lambda model, t: np.array([model.variance(t)]),
        "p_sample": lambda model, t: model.p_sample(network, x, t, z),
        "loss": lambda model, t: np.array([model.loss(network, x, np.full(len(x), t), z)]),
        "prior_term": lambda model, t: model.prior_term(x),
        "bound_term": lambda model, t: model.bound_term(network, x, t, z),
    }
    return {
        f"{part} at t = {t}": lambda model, call=call, t=t: call(model, t)  # type: ignore[misc]
        for t in times
        for part, call in parts.items()
        if model.has(part)
    }


def _answer(call: Call, model: Subject) -> Array | None:
    """What a call returns; what it raises is for the laws that speak of it."""
    try:
        return call(model)
    except Exception:
        return None


def _same(before: Array | None, after: Array | None, where: str) -> Case:
    """Bit for bit."""
    if before is None and after is None:
        return Case(0.0, 0.0, where)
    if before is None or after is None or before.shape != after.shape:
        return Case(np.inf, 0.0, where)
    if np.array_equal(before, after, equal_nan=True):
        return Case(0.0, 0.0, where)
    return Case(float(np.abs(after - before).max()), 0.0, where)


def _two_times(reference: Reference) -> tuple[int, int]:
    return max(reference.T // 2, 1), reference.T


@law("state/repeat", *_NEEDS)
def repeated(reference: Reference, model: Subject) -> Cases:
    """State: the same call made twice in a row gives the same, bit for bit."""
    fresh = model.fresh()
    for where, call in _calls(reference, model, _two_times(reference)).items():
        first, second = _answer(call, fresh), _answer(call, fresh)
        yield _same(first, second, where)


@law("state/order", *_NEEDS)
def order(reference: Reference, model: Subject) -> Cases:
    """State: calls give the same in the opposite order, bit for bit."""
    calls = _calls(reference, model, _two_times(reference))
    one, other = model.fresh(), model.fresh()
    forward = {where: _answer(call, one) for where, call in calls.items()}
    backward = {where: _answer(call, other) for where, call in reversed(calls.items())}
    for where in calls:
        yield _same(forward[where], backward[where], where)


@law("state/used", *_NEEDS)
def used(reference: Reference, model: Subject) -> Cases:
    """State: after all that the laws have asked, each call gives what a fresh one gives, bit for bit."""
    calls = _calls(reference, model, _two_times(reference))
    fresh = {where: _answer(call, model.fresh()) for where, call in calls.items()}
    # Only the laws before this one have used it, so many calls of its own come first.
    for between in _calls(
        reference, model, tuple(range(1, reference.T + 1, max(reference.T // 4, 1)))
    ).values():
        _answer(between, model)
    for where, call in calls.items():
        yield _same(fresh[where], _answer(call, model), where)


@law("state/tables", *_NEEDS, level="custom")
def tables(reference: Reference, model: Subject) -> Cases:
    """State: no call changes the tables."""
    fresh = model.fresh()

    def read() -> dict[str, Array]:
        names = [name for name in ("betas", "alpha_bars") if fresh.has(name)]
        return {name: np.array(fresh.rows(getattr(fresh.adapter, name))) for name in names}

    before = read()
    if not before:
        return
    for where, call in _calls(reference, model, _two_times(reference)).items():
        _answer(call, fresh)
        for name, table in read().items():
            yield _same(before[name], table, f"{name}, after {where}")


@law("state/arguments", *_NEEDS, level="custom")
def arguments(reference: Reference, model: Subject) -> Cases:
    """State: no call writes into what it is given."""
    fresh = model.fresh()
    for where, call in _calls(reference, model, _two_times(reference)).items():
        with fresh.watched() as given:
            _answer(call, fresh)
        for before, array in given:
            yield _same(before, fresh.rows(array), where)


@law("state/precision", *_NEEDS, level="custom")
def precision(reference: Reference, model: Subject) -> Cases:
    """State: a call in another precision leaves no trace."""
    calls = _calls(reference, model, _two_times(reference))
    fresh = model.fresh()
    expected = {where: _answer(call, fresh) for where, call in calls.items()}
    for other in ("float16", "float32", "float64"):
        if other == model.precision:
            continue
        touched = model.fresh()
        touched.precision = other
        for call in calls.values():
            _answer(call, touched)
        touched.precision = model.precision
        for where, call in calls.items():
            yield _same(expected[where], _answer(call, touched), f"{where}, after {other}")
