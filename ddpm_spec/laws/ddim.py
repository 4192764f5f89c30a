"""Laws of DDIM's step from t to any earlier s (Song, Meng and Ermon 2021).

If the network knows x_0, then x_s is a sum of three parts: a multiple of x_0, one of the noise that is in
x_t already, and one of the fresh noise z. The laws measure the three factors, each where the other two parts
are 0. A step is taken once for all laws that look at it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from ddpm_spec.laws.law import Case, Cases, law
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Subject

__all__ = ["algorithm_2", "deterministic", "end", "mean", "noise", "unclipped", "variance"]

_NEEDS = ("tables", "ddim_step")
_RESTS_ON = ("forward/betas",)


@dataclass(frozen=True)
class _Step:
    """A step from t to s and its coefficients, formed from sums and products of positive numbers.

    NumPy's functions return what is not a number where β_t is above 1; those of `math` would raise.
    """

    t: int
    s: int
    eta: float
    reference: Reference

    @cached_property
    def ratio(self) -> float:
        """ᾱ_t/ᾱ_s."""
        return np.prod(1 - self.reference.beta[self.s + 1 : self.t + 1])

    @cached_property
    def beta(self) -> float:
        """1 − ᾱ_t/ᾱ_s, the variance that Eq. 2 adds on the way."""
        return -np.expm1(np.log1p(-self.reference.beta[self.s + 1 : self.t + 1]).sum())

    @cached_property
    def sigma(self) -> float:
        """σ of (16): η times the standard deviation of q(x_s | x_t, x_0), here by precisions."""
        return self.eta / np.sqrt(1 / self.reference.noise[self.s] + self.ratio / self.beta)

    @cached_property
    def room(self) -> float:
        """1 − ᾱ_s − σ², the variance that is left for the old noise.

        At η = 1 it is (1 − ᾱ_s)² ᾱ_t / (ᾱ_s (1 − ᾱ_t)).
        """
        before, now = self.reference.noise[self.s], self.reference.noise[self.t]
        return before * (1 - self.eta**2 + self.eta**2 * before * self.ratio / now)

    # What rounding explains. Coefficients are formed in the precision of the tables.
    @cached_property
    def relative(self) -> float:
        """The relative error where nothing cancels: some roundings of a coefficient, eight of an example."""
        model = self.reference.subject
        return self.reference.table_error[self.t] + 16 * model.table_unit + 8 * model.unit

    @cached_property
    def of_variance(self) -> float:
        """The relative error of σ², which is formed of three differences."""
        unit, table = self.reference.subject.table_unit, self.reference.table_error
        added = self.ratio * (table[self.t] + table[self.s] + 2 * unit) / self.beta
        before, now = (self.reference.noise_rounding(time) for time in (self.s, self.t))
        return before + now + added + 8 * unit

    def of_x_0(self, x_t: float, eps: float) -> float:
        """The absolute error of √ᾱ_s x̂_0 for an x_t and an ε of this size."""
        off = self.reference.noise_rounding(self.t)
        here = self.relative * x_t + (self.relative + off) * np.sqrt(self.reference.noise[self.t]) * eps
        return here / np.sqrt(self.ratio)

    @cached_property
    def of_old_noise(self) -> float:
        """The relative error of √(1 − ᾱ_s − σ²), a difference, times the predicted noise."""
        before, now = (self.reference.noise_rounding(time) for time in (self.s, self.t))
        left = before * self.reference.noise[self.s] + self.of_variance * self.sigma**2
        return left / self.room + 2 * self.relative + 2 * now


def _steps(reference: Reference) -> Iterator[_Step]:
    """A step from every t ≥ 2 that does not end at the image.

    The lengths are those of samplers of 2 to T steps, and η takes several values.
    """
    T = reference.T
    lengths = sorted({T // n for n in (2, 5, 10, 20, 50, 100, T) if n <= T})
    for t in reference.times(first=2):
        fit = [length for length in lengths if length < t]
        yield _Step(t, t - fit[t // 3 % len(fit)], (0.0, 0.5, 0.75)[t % 3], reference)


class _Taken(NamedTuple):
    """What a step made of four examples in one batch."""

    image: float
    """Of x_0 alone: the largest difference from √ᾱ_s x_0."""
    old: float
    """The factor of the noise that was in x_t."""
    fresh: float
    """The factor of z."""
    added: float
    """The largest number that z added."""
    beyond: float
    """Of an x_0 that leaves [−1, 1]: the largest difference from (12)."""


_TAKEN: WeakKeyDictionary[Reference, dict[tuple[int, int, float], _Taken]] = WeakKeyDictionary()
"""By t, s and η. The reference belongs to one run of the laws."""


def _taken(model: Subject, step: _Step) -> _Taken:
    """The step from t to s with this η."""
    seen, key = _TAKEN.setdefault(step.reference, {}), (step.t, step.s, step.eta)
    if key not in seen:
        seen[key] = _take(model, step)
    return seen[key]


def _take(model: Subject, step: _Step) -> _Taken:
    reference = step.reference
    x, z = reference.x[0], reference.z[0]
    none = 0 * x
    far = (x - np.sqrt(reference.noise[step.t]) * 3 * z) / np.sqrt(reference.signal[step.t])
    x_0, old, fresh = (
        np.stack([x, none, none, far]),
        np.stack([none, z, none, 3 * z]),
        np.stack([none, none, z, none]),
    )
    if model.clips:
        x_0, old, fresh = x_0[:3], old[:3], fresh[:3]
    x_t = reference.noised(x_0, step.t, old)
    x_s = model.ddim_step(reference.predicting(x_0), x_t, step.t, step.s, fresh, step.eta)
    expected = np.sqrt(reference.signal[step.s]) * x_0 + np.sqrt(step.room) * old
    return _Taken(
        image=float(np.abs(x_s[0] - expected[0]).max()),
        old=float(x_s[1] @ z / (z @ z)),
        fresh=float(x_s[2] @ z / (z @ z)),
        added=float(np.abs(x_s[2]).max()),
        beyond=float(np.abs(x_s[-1] - expected[-1]).max()),
    )


@law("ddim/mean", *_NEEDS, rests_on=_RESTS_ON)
def mean(reference: Reference, model: Subject) -> Cases:
    """DDIM (12): given x_0 the mean of x_s is √ᾱ_s x_0, for any s and η."""
    for step in _steps(reference):
        # x̂_0 and the noise that is 0 are off by what √ᾱ_t x_0 is rounded by.
        allowed = 3 * step.relative * np.sqrt(reference.signal[step.s]) * 0.9
        yield Case(_taken(model, step).image, allowed, step.t)


@law("ddim/variance", *_NEEDS, rests_on=_RESTS_ON)
def variance(reference: Reference, model: Subject) -> Cases:
    """DDIM (12): given x_0 the old and the fresh noise add up to the variance 1 − ᾱ_s, for any s and η."""
    for step in _steps(reference):
        taken = _taken(model, step)
        total, size, root = reference.noise[step.s], np.sqrt(reference.noise[step.t]), np.sqrt(step.room)
        before, now = (reference.noise_rounding(time) for time in (step.s, step.t))
        # What x̂_0 is off by, and the old noise's own error; σ² cancels, being taken from the room it leaves.
        off = step.of_x_0(size, 1.0) + (step.relative + now) * root
        allowed = 2 * root * off + off**2 + total * (before + step.relative)
        yield Case(abs(taken.old**2 + taken.fresh**2 - total), allowed, step.t)


@law("ddim/noise", *_NEEDS, rests_on=_RESTS_ON)
def noise(reference: Reference, model: Subject) -> Cases:
    """DDIM (16): the fresh noise has variance η² (1−ᾱ_s)/(1−ᾱ_t) (1 − ᾱ_t/ᾱ_s)."""
    for step in _steps(reference):
        if step.eta:
            missed = abs(_taken(model, step).fresh - step.sigma)
            yield Case(missed, step.sigma * (step.of_variance + 4 * model.unit), step.t)


@law("ddim/deterministic", *_NEEDS)
def deterministic(reference: Reference, model: Subject) -> Cases:
    """DDIM (16): at η = 0 no fresh noise is added."""
    for step in _steps(reference):
        if not step.eta:
            yield Case(_taken(model, step).added, 0.0, step.t)


@law("ddim/algorithm-2", *_NEEDS, rests_on=(*_RESTS_ON, "ddim/mean", "ddim/variance", "ddim/noise"))
def algorithm_2(reference: Reference, model: Subject) -> Cases:
    """DDIM (12): with η = 1 and s = t − 1 the step is that of Algorithm 2 with σ_t² = β̃_t."""
    for t in reference.times(first=2):
        step = _Step(t, t - 1, 1.0, reference)
        taken = _taken(model, step)
        # How Eq. 7 moves with the noise in x_t.
        slope = np.sqrt(1 - reference.beta[t]) * reference.noise[t - 1] / np.sqrt(reference.noise[t])
        allowed = step.of_x_0(np.sqrt(reference.noise[t]), 1.0) + step.of_old_noise * slope
        yield Case(abs(taken.old - slope), allowed, t)
        sigma = np.sqrt(reference.posterior_variance(t))
        yield Case(abs(taken.fresh - sigma), sigma * (step.of_variance + 4 * model.unit), t)


@law("ddim/end", *_NEEDS, rests_on=_RESTS_ON)
def end(reference: Reference, model: Subject) -> Cases:
    """DDIM (12): the step to s = 0 ends at x̂_0, whatever η and z."""
    for t in sorted({reference.T // n for n in range(1, reference.T + 1)} & set(reference.times())):
        for eta in (0.0, 1.0):
            step = _Step(t, 0, eta, reference)
            # An image without noise; and noise without an image, so that what is left of it is seen.
            for x_0, eps in ((reference.x, 0 * reference.z), (0 * reference.x, reference.z)):
                x_t = reference.noised(x_0, t, eps)
                ours = model.ddim_step(reference.predicting(x_0), x_t, t, 0, reference.z, eta)
                size = float(np.abs(eps).max())
                allowed = step.of_x_0(np.sqrt(reference.noise[t]) * size, size)
                allowed += 3 * step.relative * float(np.abs(x_0).max())
                yield Case(float(np.abs(ours - x_0).max()), allowed, t)


@law("ddim/unclipped", *_NEEDS, rests_on=(*_RESTS_ON, "ddim/mean", "ddim/variance"))
def unclipped(reference: Reference, model: Subject) -> Cases:
    """DDIM (12): the step is linear in the prediction, also where x̂_0 leaves [−1, 1]."""
    if model.clips:
        return
    for step in _steps(reference):
        allowed = step.of_x_0(1.0, 6.0) + 6 * step.of_old_noise * np.sqrt(step.room)
        yield Case(_taken(model, step).beyond, allowed, step.t)
