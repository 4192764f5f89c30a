"""What the laws know beforehand: the schedule's levels from β alone, and how large rounding may be."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ddpm_spec.laws.protocol import Array, Implementation, Network

__all__ = ["NODES", "WEIGHTS", "Case", "Reference", "compare", "normal_nodes"]

NODES, WEIGHTS = np.array([-(3.0**0.5), 0.0, 3.0**0.5]), np.array([1.0, 4.0, 1.0]) / 6
"""Gauss–Hermite for N(0, 1), exact up to degree five; the bound is of degree two for an affine network."""


class Case(NamedTuple):
    """One measurement."""

    deviation: float
    """Distance from what the law says, 0 where it holds exactly."""
    scale: float
    """How far one rounding of relative size 1 could move it."""
    where: str
    """The step at which it was made."""


def compare(measured: Array | float, expected: Array | float, where: str, scale: float = 1.0) -> Case:
    """The largest difference; `scale` multiplies the size of what is expected."""
    measured, expected = np.asarray(measured, dtype=float), np.asarray(expected, dtype=float)
    if measured.shape != expected.shape:
        return Case(np.inf, 0.0, f"{where}, shape {measured.shape} for {expected.shape}")
    deviation = float(np.abs(measured - expected).max())
    return Case(deviation, scale * float(np.abs(expected).max()), where)


def normal_nodes(reach: float = 8.0, count: int = 81) -> tuple[Array, Array]:
    """Nodes and weights of the trapezoidal rule for N(0, 1)."""
    nodes = np.linspace(-reach, reach, count)
    weights = np.exp(-(nodes**2) / 2)
    return nodes, weights / weights.sum()


@dataclass(frozen=True, eq=False)
class Reference:
    """The levels of noise that β_1..β_T imply; tables are indexed by t = 0..T."""

    implementation: Implementation

    @property
    def T(self) -> int:
        """The number of steps."""
        return len(self.implementation.betas)

    @cached_property
    def beta(self) -> Array:
        """β_t, with a placeholder 0 at t = 0."""
        return np.concatenate([[0.0], np.asarray(self.implementation.betas, dtype=float)])

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

    def snr(self, t: int) -> float:
        """ᾱ_t / (1 − ᾱ_t), t ≥ 1."""
        return float(self.signal[t] / self.noise[t])

    def posterior_variance(self, t: int) -> float:
        """β̃_t by precisions, t ≥ 2."""
        return float(1 / (1 / self.noise[t - 1] + (1 - self.beta[t]) / self.beta[t]))

    def condition(self, t: int) -> float:
        """How much one rounding of ᾱ_{t−1} can move 1 − ᾱ_{t−1}, relatively, or that of t at t = 1.

        An implementation may form 1 − ᾱ by subtraction.
        """
        return float(1 + 1 / self.noise[max(t - 1, 1)])

    def times(self, first: int = 1) -> Iterator[int]:
        """The steps to look at: all of a short schedule, some of a long one."""
        T = self.T
        some = range(first, T + 1) if T <= 16 else (1, 2, 3, T // 10, T // 3, T // 2, T - 1, T)
        yield from (t for t in some if t >= first)

    def knowing(self, x_0: Array, error: Array | float = 0.0) -> Network:
        """The network that knows x_0 and is off by `error` in the noise."""

        def network(x_t: Array, t: Array) -> Array:
            noise: Array = (x_t - np.sqrt(self.signal[t])[:, None] * x_0) / np.sqrt(self.noise[t])[:, None]
            return noise + error

        return network

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
