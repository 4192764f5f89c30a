# ruff: noqa: D102 # the methods are those of the protocol
"""Another implementation, in plain NumPy and written from the paper, to be broken on purpose.

It is one of the independent ones that the laws judge, so it writes the formulas once more.
"""

import math
from typing import Any, cast

import numpy as np

from ddpm_spec.laws.protocol import Array, Network, Precision, Stated

__all__ = ["Fewer", "Plain"]


_erfc = np.frompyfunc(math.erfc, 1, 1)


class Plain(Stated):
    """σ_t² = β_t; every method is a line or two, so that a wrong version overrides one. Rows of any length.

    It computes in the precision of the β_t that it is given, float32 or float64.
    """

    def __init__(self, betas: Array, levels: int = 256) -> None:
        self.betas, self.levels = np.array(betas), levels
        self.precision = cast(Precision, self.betas.dtype.name)
        self.alpha_bars = np.cumprod(1 - self.betas)

    # Tables by t = 0..T.
    def beta(self, t: Any) -> Array:
        table: Array = np.append(self.betas, self.betas.dtype.type(0))[np.asarray(t) - 1]
        return table

    def alpha_bar(self, t: Any) -> Array:
        table: Array = np.append(self.alpha_bars, self.alpha_bars.dtype.type(1))[np.asarray(t) - 1]
        return table

    def beta_tilde(self, t: int) -> float:
        return (1 - self.alpha_bar(t - 1)) / (1 - self.alpha_bar(t)) * self.beta(t)

    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        return self.noised(x_0, t, eps)

    def noised(self, x_0: Array, t: Array, eps: Array) -> Array:
        alpha_bar = self.alpha_bar(t)[:, None]
        return np.sqrt(alpha_bar) * x_0 + np.sqrt(1 - alpha_bar) * eps

    def posterior(self, x_0: Array, x_t: Array, t: int) -> tuple[Array, float]:
        before, now, beta = self.alpha_bar(t - 1), self.alpha_bar(t), self.beta(t)
        mean = (np.sqrt(before) * beta * x_0 + np.sqrt(1 - beta) * (1 - before) * x_t) / (1 - now)
        return mean, self.beta_tilde(t)

    def predict_x_0(self, x_t: Array, t: int, eps: Array) -> Array:
        return (x_t - np.sqrt(1 - self.alpha_bar(t)) * eps) / np.sqrt(self.alpha_bar(t))

    def variance(self, t: int) -> float:
        return float(self.beta(t))

    def mean(self, network: Network, x_t: Array, t: int) -> Array:
        eps = network(x_t, np.full(len(x_t), t))
        return (x_t - self.beta(t) / np.sqrt(1 - self.alpha_bar(t)) * eps) / np.sqrt(1 - self.beta(t))

    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        return self.mean(network, x_t, t) + (math.sqrt(self.variance(t)) * z if t > 1 else 0)

    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        return float(np.mean((eps - network(self.noised(x_0, t, eps), t)) ** 2))

    def prior_term(self, x_0: Array) -> Array:
        last = self.alpha_bar(len(self.betas))
        return ((last * x_0**2 - last - np.log1p(-last)) / 2).sum(axis=1)

    def divergence(self, square: Array, beta_tilde: float, variance: float) -> Array:
        return (np.log(variance / beta_tilde) + (beta_tilde + square) / variance - 1) / 2

    def bound_term(self, network: Network, x_0: Array, t: int, eps: Array) -> Array:
        x_0, eps = np.broadcast_arrays(x_0, eps)
        x_t = self.noised(x_0, np.full(len(x_0), t), eps)
        mean = self.mean(network, x_t, t)
        if t == 1:
            return -np.log(self.bins(x_0, mean, math.sqrt(self.variance(1)))).sum(axis=1)
        target, beta_tilde = Plain.posterior(self, x_0, x_t, t)
        return self.divergence((target - mean) ** 2, beta_tilde, self.variance(t)).sum(axis=1)

    def bins(self, x_0: Array, mean: Array, sigma: float) -> Array:
        half = 1 / (self.levels - 1)
        upper = np.where(x_0 > 1 - half, np.inf, (x_0 + half - mean) / sigma)
        lower = np.where(x_0 < -1 + half, -np.inf, (x_0 - half - mean) / sigma)
        return self.interval(lower, upper)

    def interval(self, lower: Array, upper: Array) -> Array:
        flip = lower + upper > 0
        low, high = np.where(flip, -upper, lower), np.where(flip, -lower, upper)
        return np.maximum(self.cdf(high) - self.cdf(low), 1e-300)

    def cdf(self, x: Array) -> Array:
        return np.asarray(_erfc(-x / math.sqrt(2)), dtype=float) / 2

    # Whole chains. Noise comes from the global generator, as it does in most packages.
    def draw_times(self, count: int) -> Array:
        return np.random.randint(1, len(self.betas) + 1, count)  # noqa: NPY002

    def start(self, count: int) -> Array:
        return np.random.standard_normal((count, *self.shape))  # noqa: NPY002

    def fresh_noise(self, x: Array) -> Array:
        return np.array(np.random.standard_normal(x.shape))  # noqa: NPY002

    def sample(self, network: Network, count: int) -> Array:
        x = self.start(count)
        for t in self.visited():
            x = self.p_sample(network, x, t, self.fresh_noise(x))
        return self.finished(x)

    def visited(self) -> range:
        return range(len(self.betas), 0, -1)

    def finished(self, x: Array) -> Array:
        return x

    def sampler(self, steps: int) -> "Fewer":
        return Fewer(self, steps)


class Fewer:
    """Algorithm 2 on some of the times: its β is 1 − ᾱ_t/ᾱ_s from t to s, and σ² = β̃."""

    def __init__(self, plain: Plain, steps: int) -> None:
        self.plain, self.times = plain, self.spaced(len(plain.betas), steps)

    def spaced(self, T: int, steps: int) -> list[int]:
        return [int(t) for t in np.round(np.linspace(T, 1, steps))]

    def next(self, k: int) -> int:
        return self.times[k + 1] if k + 1 < len(self.times) else 0

    def predict_x_0(self, network: Network, x_t: Array, t: int) -> Array:
        # Not the method of `plain`, which may be broken in another way.
        return Plain.predict_x_0(self.plain, x_t, t, network(x_t, np.full(len(x_t), t)))

    def variance(self, t: int, s: int) -> float:
        before, now = self.plain.alpha_bar(s), self.plain.alpha_bar(t)
        return float((1 - before) / (1 - now) * (1 - now / before))

    def step(self, network: Network, x_t: Array, k: int, z: Array) -> Array:
        t, s = self.times[k], self.next(k)
        before, now = self.plain.alpha_bar(s), self.plain.alpha_bar(t)
        x_0, alpha = self.predict_x_0(network, x_t, t), now / before
        mean = (np.sqrt(before) * (1 - alpha) * x_0 + np.sqrt(alpha) * (1 - before) * x_t) / (1 - now)
        return mean + np.sqrt(self.variance(t, s)) * z
