"""What the laws know beforehand: the schedule's levels from β alone, and how large rounding may be.

The errors are bounds for any sound way to compute a quantity, to first order. Two units of roundoff play
a part. What depends on t alone is formed in the precision of the tables, with unit w, and what holds
examples in that of the arithmetic, with unit u. They differ where the arithmetic is half precision.

ᾱ_t is a product of t factors 1 − β_s, each off by at most w/(1 − β_s). 32 w stands for what is formed
from the tables, square roots and logarithms among it, and 8 u for what is done to an example: x̂_0 takes
three roundings (a coefficient is cast and multiplied, and two products are added), the mean made of it
three more, the noise two. Where 1 − ᾱ_t is formed from a rounded ᾱ_t, only the roundings of ᾱ_t are
magnified.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ddpm_spec.laws.protocol import Array, Network
from ddpm_spec.laws.subject import UNIT, Predicted, Subject, rounded

__all__ = ["NormalStep", "Reference", "normal_nodes", "spread", "wavy"]


def spread(rows: int, dim: int, reach: float, start: int = 0) -> Array:
    """Numbers in (−reach, reach), all different and nowhere dense: multiples of the golden ratio, folded."""
    places = np.arange(1 + start, 1 + start + rows * dim)
    values: Array = reach * (2 * (places * 0.6180339887498949 % 1) - 1)
    return values.reshape(rows, dim)


def normal_nodes(reach: float = 8.0, count: int = 81) -> tuple[Array, Array]:
    """Nodes and weights of the trapezoidal rule for N(0, 1)."""
    nodes = np.linspace(-reach, reach, count)
    weights = np.exp(-(nodes**2) / 2)
    return nodes, weights / weights.sum()


def wavy(x_t: Array, t: Array) -> Array:
    """A network that is not affine, 3 sin 2x, coordinate by coordinate; both of shape (B, D)."""
    answer: Array = 3 * np.sin(2 * x_t)
    return answer


class NormalStep(NamedTuple):
    """x_t and x_{t−1} for Gaussian x_0, of which every number is one coordinate's."""

    now: float
    """E[x_t]."""
    before: float
    """E[x_{t−1}]."""
    slope: float
    """Of E[x_{t−1} | x_t] in x_t."""
    left: float
    """Var(x_{t−1} | x_t)."""
    spread: float
    """Var(x_t)."""


class Reference:
    """The levels of noise that β_1..β_T imply; tables are indexed by t = 0..T."""

    def __init__(self, subject: Subject, only: Sequence[int] = ()) -> None:
        self.subject, self.only = subject, tuple(only)
        self.x = self.numbers(2, 0.9)
        """Two examples in [−1, 1]."""
        self.z = self.numbers(2, 2.0, start=100)
        """Two examples of noise."""
        self._variances: dict[int, float] = {}

    def numbers(self, rows: int, reach: float, start: int = 0) -> Array:
        """Examples of `spread`, rounded to the implementation's precision: it is given what the law knows."""
        return rounded(spread(rows, self.subject.dim, reach, start), self.subject.precision).astype(float)

    @property
    def T(self) -> int:
        """The number of steps."""
        return len(self.subject.betas)

    def times(self, first: int = 1) -> Iterator[int]:
        """The steps to look at: all, unless only some are asked for."""
        yield from (t for t in (self.only or range(1, self.T + 1)) if first <= t <= self.T)

    # ---------------------------------------------------------------------------------------- the levels

    @cached_property
    def beta(self) -> Array:
        """β_t, with a placeholder 0 at t = 0."""
        return np.concatenate([[0.0], self.subject.betas])

    @cached_property
    def signal(self) -> Array:
        """ᾱ_t."""
        product: Array = np.cumprod(1 - self.beta)
        return product

    @cached_property
    def noise(self) -> Array:
        """1 − ᾱ_t, as a sum of positive terms."""
        noise = np.zeros(self.T + 1)
        for t in range(1, self.T + 1):
            noise[t] = (1 - self.beta[t]) * noise[t - 1] + self.beta[t]
        return noise

    def posterior_variance(self, t: int) -> float:
        """β̃_t by precisions, t ≥ 2."""
        return float(1 / (1 / self.noise[t - 1] + (1 - self.beta[t]) / self.beta[t]))

    def posterior_mean(self, x_0: Array, x_t: Array, t: int) -> Array:
        """Eq. 7 by precisions: two normal guesses at x_{t−1}, weighed; at t = 1 it is x_0."""
        if t == 1:
            return x_0
        forward, backward = np.sqrt(self.signal[t - 1]) * x_0, x_t / np.sqrt(1 - self.beta[t])
        weight = self.posterior_variance(t) / self.noise[t - 1]
        mean: Array = weight * forward + (1 - weight) * backward
        return mean

    def noised(self, x_0: Array, t: int, eps: Array) -> Array:
        """x_t of Eq. 4."""
        x_t: Array = np.sqrt(self.signal[t]) * x_0 + np.sqrt(self.noise[t]) * eps
        return x_t

    def variance(self, t: int) -> float:
        """σ_t² as the implementation has it, which is asked once."""
        if t not in self._variances:
            self._variances[t] = self.subject.variance(t)
        return self._variances[t]

    def normal_step(self, t: int, mean: float, variance: float) -> NormalStep:
        """The true step back for x_0 ~ N(mean, variance), by Cov(x_{t−1}, x_t) = √α_t Var(x_{t−1})."""
        now, before = (float(np.sqrt(self.signal[s]) * mean) for s in (t, t - 1))
        spread, spread_before = (float(self.signal[s] * variance + self.noise[s]) for s in (t, t - 1))
        slope = float(np.sqrt(1 - self.beta[t])) * spread_before / spread
        return NormalStep(now, before, slope, float(self.beta[t]) * spread_before / spread, spread)

    # ------------------------------------------------------------------------------------- the rounding

    @cached_property
    def table_error(self) -> Array:
        """The relative error of ᾱ_t in a table."""
        with np.errstate(all="ignore"):
            factors = np.where(self.beta < 1, 1 / np.abs(1 - self.beta), 1.0)
        factors[0] = 0
        if self.subject.from_ratios:
            # β_t was formed from two entries of a table of ᾱ_t.
            factors[1:] += 2 / np.maximum(np.abs(self.beta[1:]), 1e-300)
        # A table in half precision is one of float32 that was rounded once, at the end.
        errors: Array = np.cumsum(factors) * min(self.subject.table_unit, UNIT["float32"])
        return errors

    def rounding(self, t: int, operations: int = 8) -> float:
        """The relative error of what is computed at step t without cancellation, by so many operations."""
        return float(self.table_error[t] + 32 * self.subject.table_unit + operations * self.subject.unit)

    def noise_rounding(self, t: int) -> float:
        """The relative error of 1 − ᾱ_t where it is formed by subtraction; 0 at t = 0, where it is exact."""
        if t == 0:
            return 0.0
        absolute = self.signal[t] * (self.table_error[t] + 2 * self.subject.table_unit)
        return float(absolute / self.noise[t] + 2 * self.subject.table_unit)

    def size(self, t: int, x_0: float, eps: float) -> float:
        """The largest x_t for an x_0 and an ε of this size."""
        return float(np.sqrt(self.signal[t]) * x_0 + np.sqrt(self.noise[t]) * eps)

    def x_0_error(self, t: int, x_t: float, eps: float) -> float:
        """The absolute error of x̂_0 by Eq. 15 for an x_t and an ε of this size."""
        n, r = self.rounding(t, 4), self.noise_rounding(t)
        return float((n * x_t + (n + r) * np.sqrt(self.noise[t]) * eps) / np.sqrt(self.signal[t]))

    def mean_error(self, t: int, x_t: float, eps: float, *, same_coefficients: bool = False) -> float:
        """The absolute error of the reverse mean by Eq. 11, or by way of x̂_0, for x_t and ε of this size.

        With the same coefficients it is how far two results may be apart that differ in their roundings only.
        """
        n, half, r = self.rounding(t), self.rounding(t, 4), self.noise_rounding(t)
        before = self.noise_rounding(t - 1)
        if same_coefficients:
            n, half, r, before = 8 * self.subject.unit, 4 * self.subject.unit, 0.0, 0.0
        beta, noise, root = self.beta[t], self.noise[t], np.sqrt(1 - self.beta[t])
        direct = (n * x_t + (n + r) * beta / np.sqrt(noise) * eps) / root
        first = np.sqrt(self.signal[t - 1]) * beta / noise
        second = root * self.noise[t - 1] / noise
        # Both terms of x̂_0 are off by its own errors, and then by those of Eq. 7.
        x_0 = ((2 * half + r) * x_t + 2 * (half + r) * np.sqrt(noise) * eps) / np.sqrt(self.signal[t])
        through = first * x_0 + second * (half + r + before) * x_t
        return float(max(direct, through)) + self.replay_error(t)

    def replay_error(self, t: int) -> float:
        """What taking off noise that the step has drawn leaves: roundings of a number as large as it."""
        if "p_sample" not in self.subject.stated("draws") or not self.subject.has("p_sample"):
            return 0.0
        # |z| ≤ 5 in all that is drawn here. Both runs round their result, and the difference is scaled.
        return 4 * self.subject.unit * 5 * float(np.sqrt(max(self.variance(t), 0.0)))

    def variance_error(self, t: int) -> float:
        """The relative error of σ_t², which may be β̃_t formed by subtractions."""
        return self.rounding(t) + self.noise_rounding(t) + self.noise_rounding(t - 1)

    # -------------------------------------------------------------------------------------- the networks

    def knowing(self, x_0: Array, error: Array | float = 0.0) -> Network:
        """The network that knows x_0 and is off by `error` in the noise."""

        def network(x_t: Array, t: Array) -> Array:
            noise: Array = (x_t - np.sqrt(self.signal[t])[:, None] * x_0) / np.sqrt(self.noise[t])[:, None]
            return noise + error

        return network

    def predicting(self, x_0: Array, error: Array | float = 0.0) -> Predicted:
        """The network that knows x_0 and is off by `error` in what the implementation predicts."""
        known = self.knowing(x_0)

        def network(x_t: Array, t: Array) -> Array:
            if self.subject.prediction == "x_0":
                return x_0 + error
            answer = known(x_t, t)
            if self.subject.prediction == "v":
                answer = np.sqrt(self.signal[t])[:, None] * answer - np.sqrt(self.noise[t])[:, None] * x_0
            return answer + error

        return Predicted(network)

    def normal_denoiser(self, mean: float, variance: float) -> Network:
        """E[ε | x_t] for x_0 ~ N(mean, variance), from Cov(ε, x_t) = √(1−ᾱ)."""

        def network(x_t: Array, t: Array) -> Array:
            signal, noise = self.signal[t][:, None], self.noise[t][:, None]
            answer: Array = np.sqrt(noise) * (x_t - np.sqrt(signal) * mean) / (signal * variance + noise)
            return answer

        return network

    def level_denoiser(self, values: Array) -> Network:
        """E[ε | x_t] for x_0 uniform on these values, coordinate by coordinate, by Bayes' rule."""

        def network(x_t: Array, t: Array) -> Array:
            signal, noise = self.signal[t][:, None], self.noise[t][:, None]
            logits = -((x_t[..., None] - np.sqrt(signal)[..., None] * values) ** 2) / (2 * noise[..., None])
            weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
            mean = (weights @ values) / weights.sum(axis=-1)
            answer: Array = (x_t - np.sqrt(signal) * mean) / np.sqrt(noise)
            return answer

        return network
