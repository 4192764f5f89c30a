# ruff: noqa: D102 # what a method does is said in `protocol`, or is its line
"""What an adapter may have beside the paper's equations, in plain NumPy, each alone.

As `plain` it is written independently of the package, and a wrong version overrides one method.
"""

from collections.abc import Sequence

import numpy as np

from ddpm_spec.laws.protocol import Array, Network, Precision, Stated

__all__ = ["Average", "Ddim", "Embedding", "Images", "LearnedRange", "Tables", "Velocity", "precision_of"]


def precision_of(betas: Array) -> Precision:
    """That in which β_t are given."""
    return "float32" if betas.dtype == np.float32 else "float64"


class Tables(Stated):
    """β_t and ᾱ_t, in the precision of the β_t that are given: float32 or float64."""

    def __init__(self, betas: Array, levels: int = 256) -> None:
        self.betas, self.levels = np.array(betas), levels
        self.precision = precision_of(self.betas)
        self.alpha_bars = np.cumprod(1 - self.betas)

    # Tables by t = 0..T.
    def beta(self, t: Array | int) -> Array:
        table: Array = np.append(self.betas, self.betas.dtype.type(0))[np.asarray(t) - 1]
        return table

    def alpha_bar(self, t: Array | int) -> Array:
        table: Array = np.append(self.alpha_bars, self.betas.dtype.type(1))[np.asarray(t) - 1]
        return table


class Ddim(Tables):
    """(12) and (16) of DDIM."""

    def ddim_step(self, network: Network, x_t: Array, t: int, s: int, z: Array, eta: float) -> Array:
        eps = network(x_t, np.full(len(x_t), t))
        sigma = self.sigma(t, s, eta)
        mean = self.signal(t, s) * self.x_0(x_t, t, eps) + self.old_noise(s, sigma) * eps
        return mean + sigma * z

    def signal(self, t: int, s: int) -> float:
        return float(np.sqrt(self.alpha_bar(s)))

    def x_0(self, x_t: Array, t: int, eps: Array) -> Array:
        return (x_t - np.sqrt(1 - self.alpha_bar(t)) * eps) / np.sqrt(self.alpha_bar(t))

    def sigma(self, t: int, s: int, eta: float) -> float:
        before, now = self.alpha_bar(s), self.alpha_bar(t)
        return eta * float(np.sqrt((1 - before) / (1 - now) * (1 - now / before)))

    def old_noise(self, s: int, sigma: float) -> float:
        return float(np.sqrt(1 - self.alpha_bar(s) - sigma**2))


class LearnedRange(Tables):
    """The variance that Improved DDPM learns."""

    def learned_variance(self, answer: Array, t: int) -> Array:
        fraction, small, large = self.fraction(answer), self.small(t), self.beta(t)
        return np.exp(fraction * np.log(large) + (1 - fraction) * np.log(small))

    def fraction(self, answer: Array) -> Array:
        return (answer + 1) / 2

    def small(self, t: int) -> float:
        t = max(t, 2)
        return float((1 - self.alpha_bar(t - 1)) / (1 - self.alpha_bar(t)) * self.beta(t))


class Velocity(Tables):
    """v of Salimans and Ho, and back."""

    def roots(self, t: Array) -> tuple[Array, Array]:
        alpha_bar = self.alpha_bar(t)[:, None]
        return np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)

    def velocity(self, x_0: Array, eps: Array, t: Array) -> Array:
        signal, noise = self.roots(t)
        return signal * eps - noise * x_0

    def x_0_from_velocity(self, x_t: Array, v: Array, t: Array) -> Array:
        signal, noise = self.roots(t)
        return signal * x_t - noise * v

    def eps_from_velocity(self, x_t: Array, v: Array, t: Array) -> Array:
        signal, noise = self.roots(t)
        return noise * x_t + signal * v


class Average(Stated):
    """The moving average of one weight."""

    def average(self, decay: float, values: Sequence[float]) -> list[float]:
        averages = [self.start(values[0])]
        for count, value in enumerate(values[1:], start=1):
            averages.append(self.update(decay, averages[-1], value, count))
        return averages

    def start(self, value: float) -> float:
        return value

    def update(self, decay: float, average: float, value: float, count: int) -> float:
        return decay * average + (1 - decay) * value


class Embedding(Stated):
    """The sines, then the cosines, of 0-based times."""

    def time_embedding(self, t: Array, dim: int) -> Array:
        angles = self.angles(self.time(t), dim // 2)
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)

    def angles(self, time: Array, half: int) -> Array:
        return time[:, None] * 10_000 ** (-np.arange(half) / (half - 1))

    def time(self, t: Array) -> Array:
        return t - 1


class Images(Stated):
    """Pixels as the network sees them, and samples as they are saved."""

    def __init__(self, levels: int = 256) -> None:
        self.levels = levels

    def to_model(self, pixels: Array) -> Array:
        return pixels / (self.levels - 1) * 2 - 1

    def to_pixels(self, x: Array) -> Array:
        return np.rint((x.clip(-1, 1) + 1) / 2 * (self.levels - 1)).astype(np.uint8)
