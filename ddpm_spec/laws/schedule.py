"""Laws of the schedule that is stated: the paper's, or the cosine one of Improved DDPM."""

import numpy as np

from ddpm_spec.laws.law import Case, Cases, law
from ddpm_spec.laws.protocol import Array
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Subject

__all__ = ["cosine", "cosine_cap", "cosine_start", "ends", "length", "line"]

CAP = 0.999
"""The largest β_t of the cosine schedule."""

OFFSET = 0.008
"""Its s, which keeps β_1 from being too small."""


@law("schedule/length", "tables", level="choice")
def length(reference: Reference, model: Subject) -> Cases:
    """§4: the paper's schedule has T = 1000 steps."""
    if _says(model, "paper"):
        yield Case(abs(reference.T - 1000), 0.0, "the number of steps")


@law("schedule/ends", "tables", level="choice")
def ends(reference: Reference, model: Subject) -> Cases:
    """§4: the paper's β_t starts at 10⁻⁴ and ends at 0.02."""
    if _says(model, "paper"):
        for t, expected in ((1, 1e-4), (reference.T, 0.02)):
            yield Case(abs(reference.beta[t] - expected), _beta_error(reference, t), t)


@law("schedule/line", "tables", level="choice")
def line(reference: Reference, model: Subject) -> Cases:
    """§4: the paper's β_t is linear in t, between whatever ends."""
    if _says(model, "paper"):
        T = reference.T
        first, last = reference.beta[1], reference.beta[T]
        for t in reference.times():
            expected = first + (last - first) * (t - 1) / (T - 1)
            allowed = sum(_beta_error(reference, s) for s in (1, t, T))
            yield Case(abs(reference.beta[t] - expected), allowed, t)


@law("schedule/cosine-start", "tables", level="choice")
def cosine_start(reference: Reference, model: Subject) -> Cases:
    """Improved DDPM: the cosine schedule starts from ᾱ_0 = 1, so that β_1 is its first drop from there."""
    yield from _drops(reference, model, [1])


@law("schedule/cosine", "tables", level="choice")
def cosine(reference: Reference, model: Subject) -> Cases:
    """Improved DDPM: ᾱ_t of the cosine schedule is a squared cosine, as far as β_t is not capped."""
    yield from _drops(reference, model, [t for t in reference.times(first=2) if t < reference.T])


def _drops(reference: Reference, model: Subject, times: list[int]) -> Cases:
    """1 − ᾱ_t/ᾱ_{t−1} = 1 − cos²(b)/cos²(a) = sin(b − a) sin(b + a)/cos²(a), where nothing cancels."""
    if not _says(model, "cosine"):
        return
    for t in times:
        a, b = (_angle(s, reference.T) for s in (t - 1, t))
        expected = np.sin(b - a) * np.sin(b + a) / np.cos(a) ** 2
        if expected < CAP:
            # β_t is formed from a ratio of cosines, each moved by the rounding of its angle.
            moved = (2 * np.tan(b) * b + 2 * np.tan(a) * a) * (1 - expected)
            allowed = _beta_error(reference, t) + model.table_unit * (8 + 4 * moved)
            yield Case(abs(reference.beta[t] - expected), allowed, t)


def _angle(t: int, T: int) -> Array:
    return np.asarray((t / T + OFFSET) / (1 + OFFSET) * np.pi / 2)


@law("schedule/cosine-cap", "tables", level="choice")
def cosine_cap(reference: Reference, model: Subject) -> Cases:
    """Improved DDPM: β_T of the cosine schedule, which would be 1, is cut to 0.999."""
    if _says(model, "cosine"):
        T = reference.T
        yield Case(abs(reference.beta[T] - CAP), _beta_error(reference, T), T)


def _says(model: Subject, schedule: str) -> bool:
    """Whether it states this schedule, and has a table to show for it."""
    return model.stated("schedule") == schedule and (model.has("betas") or model.has("alpha_bars"))


def _beta_error(reference: Reference, t: int) -> float:
    """The absolute error of β_t: two roundings of numbers up to its size; or that of a ratio of two ᾱ_t."""
    model, beta = reference.subject, abs(float(reference.beta[t]))
    if model.has("betas"):
        return 4 * model.table_unit * max(beta, float(np.abs(reference.beta).max()) / 4)
    # Each ᾱ_t is a product of t factors, rounded every time, and their β_s were rounded before.
    return model.table_unit * ((2 * t + 4) * abs(1 - beta) + 2 * beta)
