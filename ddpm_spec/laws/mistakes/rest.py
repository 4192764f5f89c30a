# ruff: noqa: N801 # the classes are known by what is wrong with them
# mypy: disable-error-code="no-redef"
"""Mistakes beside the paper's equations: in its schedule, network and pictures, and in what came after.

Each has only the parts that it is about, so that judging it costs little.
"""

import numpy as np

from ddpm_spec.laws.mistakes.catalogue import mistake
from ddpm_spec.laws.plain_parts import (
    Average,
    Ddim,
    Embedding,
    Images,
    LearnedRange,
    Tables,
    Velocity,
    precision_of,
)
from ddpm_spec.laws.protocol import Array, Network

__all__: list[str] = []

# -------------------------------------------------------------------------------------- the paper's schedule


class Paper(Tables):
    """Said to be the paper's; what it is, is `made` whatever β_t are given."""

    schedule = "paper"

    def __init__(self, betas: Array, levels: int) -> None:
        super().__init__(self.made().astype(betas.dtype), levels)

    def made(self) -> Array:
        return np.linspace(1e-4, 0.02, 1000)


@mistake("β_t runs from 0.00085 to 0.012, as in latent diffusion")
class _(Paper):
    def made(self) -> Array:
        return np.linspace(0.00085, 0.012, 1000)


@mistake("√β_t is linear in place of β_t")
class _(Paper):
    def made(self) -> Array:
        return np.linspace(1e-2, 0.02**0.5, 1000) ** 2


@mistake("β_t falls from β_T to β_1")
class _(Paper):
    def made(self) -> Array:
        return super().made()[::-1]


@mistake("the schedule has one step too many")
class _(Paper):
    def made(self) -> Array:
        return np.linspace(1e-4, 0.02, 1001)


@mistake("the last point of the schedule is left out")
class _(Paper):
    def made(self) -> Array:
        return np.linspace(1e-4, 0.02, 1000, endpoint=False)


@mistake("β_t is the same at all steps")
class _(Paper):
    def made(self) -> Array:
        return np.full(1000, 0.01)


# --------------------------------------------------------------------------------------- the cosine schedule


class Cosine(Tables):
    """As Improved DDPM has it, with β_t from the ratios of a cosine."""

    schedule = "cosine"
    s, cap = 0.008, 0.999

    def __init__(self, betas: Array, levels: int) -> None:
        super().__init__(self.made(len(betas)).astype(betas.dtype), levels)

    def level(self, t: Array) -> Array:
        return np.cos((t + self.s) / (1 + self.s) * np.pi / 2) ** 2

    def first(self) -> float:
        return float(self.level(np.zeros(())))

    def made(self, T: int) -> Array:
        levels = np.concatenate([[self.first()], self.level(np.arange(1, T + 1) / T)])
        return np.minimum(1 - levels[1:] / levels[:-1], self.cap)


@mistake("the cosine schedule is not capped", about="cosine")
class _(Cosine):
    cap = 1.0


@mistake("the cosine schedule is capped at 0.9999", about="cosine")
class _(Cosine):
    cap = 0.9999


@mistake("the cosine schedule without its offset s", about="cosine")
class _(Cosine):
    s = 0.0


@mistake("ᾱ_t of the cosine schedule is not divided by its value at 0", about="cosine")
class _(Cosine):
    def first(self) -> float:
        return 1.0


@mistake("the cosine is not squared", about="cosine")
class _(Cosine):
    def level(self, t: Array) -> Array:
        return np.sqrt(super().level(t))


# ------------------------------------------------------------------------------------------------------ DDIM


@mistake("DDIM takes η = 0 for no η, and so for 1")
class _(Ddim):
    def sigma(self, t: int, s: int, eta: float) -> float:
        return super().sigma(t, s, eta or 1.0)


@mistake("√η for η in DDIM's σ")
class _(Ddim):
    def sigma(self, t: int, s: int, eta: float) -> float:
        return super().sigma(t, s, eta**0.5)


@mistake("DDIM's σ is that of a single step, also for long ones")
class _(Ddim):
    def sigma(self, t: int, s: int, eta: float) -> float:
        return (
            super().sigma(t, s, eta)
            * (float(self.beta(t)) / float(1 - self.alpha_bar(t) / self.alpha_bar(s))) ** 0.5
        )


@mistake("DDIM's σ² is what the forward process adds, as far as there is room")
class _(Ddim):
    def sigma(self, t: int, s: int, eta: float) -> float:
        before = self.alpha_bar(s)
        return eta * float(np.sqrt(min(1 - self.alpha_bar(t) / before, 1 - before)))


@mistake("DDIM's old noise makes no room for σ²")
class _(Ddim):
    def old_noise(self, s: int, sigma: float) -> float:
        return super().old_noise(s, 0.0)


@mistake("DDIM takes the old noise away")
class _(Ddim):
    def old_noise(self, s: int, sigma: float) -> float:
        return -super().old_noise(s, sigma)


@mistake("DDIM ends at ᾱ_1 in place of ᾱ_0 = 1")
class _(Ddim):
    def ddim_step(self, network: Network, x_t: Array, t: int, s: int, z: Array, eta: float) -> Array:
        eps = network(x_t, np.full(len(x_t), t))
        if s:
            return super().ddim_step(network, x_t, t, s, z, eta)
        first = self.alpha_bar(1)
        return np.sqrt(first) * self.x_0(x_t, t, eps) + np.sqrt(1 - first) * eps


@mistake("DDIM adds noise in the last step")
class _(Ddim):
    def sigma(self, t: int, s: int, eta: float) -> float:
        return super().sigma(t, s, eta) if s else float(np.sqrt(self.beta(2)))

    def old_noise(self, s: int, sigma: float) -> float:
        return super().old_noise(s, sigma if s else 0.0)


@mistake("DDIM clips x̂_0")
class _(Ddim):
    def x_0(self, x_t: Array, t: int, eps: Array) -> Array:
        return super().x_0(x_t, t, eps).clip(-1, 1)


@mistake("DDIM asks the network about s")
class _(Ddim):
    def ddim_step(self, network: Network, x_t: Array, t: int, s: int, z: Array, eta: float) -> Array:
        return super().ddim_step(lambda x, time: network(x, 0 * time + max(s, 1)), x_t, t, s, z, eta)


@mistake("DDIM scales x̂_0 by √ᾱ_t in place of √ᾱ_s")
class _(Ddim):
    def signal(self, t: int, s: int) -> float:
        return super().signal(s, t)


# -------------------------------------------------------------------------------------------- learned range


@mistake("the answer itself is the fraction of the learned range")
class _(LearnedRange):
    def fraction(self, answer: Array) -> Array:
        return answer


@mistake("the learned range is turned round")
class _(LearnedRange):
    def fraction(self, answer: Array) -> Array:
        return (1 - answer) / 2


@mistake("variances, not their logarithms, are mixed in the learned range")
class _(LearnedRange):
    def learned_variance(self, answer: Array, t: int) -> Array:
        fraction = self.fraction(answer)
        return fraction * self.beta(t) + (1 - fraction) * self.small(t)


@mistake("the learned range is bounded")
class _(LearnedRange):
    def fraction(self, answer: Array) -> Array:
        return super().fraction(answer.clip(-1, 1))


@mistake("β̃_1 of the learned range is 10⁻²⁰")
class _(LearnedRange):
    def small(self, t: int) -> float:
        return super().small(t) if t > 1 else 1e-20


@mistake("the learned range begins at half of β̃_t")
class _(LearnedRange):
    def small(self, t: int) -> float:
        return super().small(t) / 2


# ------------------------------------------------------------------------------------------------- velocity


@mistake("v with its sign turned")
class _(Velocity):
    def velocity(self, x_0: Array, eps: Array, t: Array) -> Array:
        return -super().velocity(x_0, eps, t)


@mistake("v is a sum")
class _(Velocity):
    def velocity(self, x_0: Array, eps: Array, t: Array) -> Array:
        return super().velocity(-x_0, eps, t)


@mistake("v has its roots swapped")
class _(Velocity):
    def velocity(self, x_0: Array, eps: Array, t: Array) -> Array:
        noise, signal = self.roots(t)
        return signal * eps - noise * x_0


@mistake("ε − x_0, the velocity of a straight path, for v")
class _(Velocity):
    def velocity(self, x_0: Array, eps: Array, t: Array) -> Array:
        return eps - x_0


@mistake("v is added on the way back to x_0")
class _(Velocity):
    def x_0_from_velocity(self, x_t: Array, v: Array, t: Array) -> Array:
        return super().x_0_from_velocity(x_t, -v, t)


@mistake("v has its roots swapped on the way back to ε")
class _(Velocity):
    def eps_from_velocity(self, x_t: Array, v: Array, t: Array) -> Array:
        noise, signal = self.roots(t)
        return noise * x_t + signal * v


# -------------------------------------------------------------------------------------------- moving average


class Averaged(Average):
    def __init__(self, betas: Array, levels: int) -> None:
        self.precision = precision_of(betas)


@mistake("decay and 1 − decay are swapped in the average")
class _(Averaged):
    def update(self, decay: float, average: float, value: float, count: int) -> float:
        return super().update(1 - decay, average, value, count)


@mistake("the average starts at 0")
class _(Averaged):
    def start(self, value: float) -> float:
        return 0.0


@mistake("the average adds the new value in full")
class _(Averaged):
    def update(self, decay: float, average: float, value: float, count: int) -> float:
        return decay * average + value


@mistake("the average decays less in its first updates")
class _(Averaged):
    def update(self, decay: float, average: float, value: float, count: int) -> float:
        return super().update(min(decay, (1 + count) / (10 + count)), average, value, count)


@mistake("the average is a copy after the first update")
class _(Averaged):
    def update(self, decay: float, average: float, value: float, count: int) -> float:
        return super().update(decay if count > 1 else 0.0, average, value, count)


@mistake("the average is updated at every other step")
class _(Averaged):
    def update(self, decay: float, average: float, value: float, count: int) -> float:
        return super().update(decay if count % 2 else 1.0, average, value, count)


@mistake("the average is kept in half precision")
class _(Averaged):
    def update(self, decay: float, average: float, value: float, count: int) -> float:
        return float(np.float16(super().update(decay, average, value, count)))


# --------------------------------------------------------------------------------------------- time embedding


class Embedded(Embedding):
    def __init__(self, betas: Array, levels: int) -> None:
        self.precision = precision_of(betas)


@mistake("sines of the time without cosines")
class _(Embedded):
    def time_embedding(self, t: Array, dim: int) -> Array:
        return np.sin(self.angles(self.time(t), dim))


@mistake("sines and cosines of the time have different frequencies")
class _(Embedded):
    def time_embedding(self, t: Array, dim: int) -> Array:
        angles = self.angles(self.time(t), dim)
        return np.where(np.arange(dim) % 2, np.cos(angles), np.sin(angles))


@mistake("frequencies of the time that fall to 1/1000 only")
class _(Embedded):
    def angles(self, time: Array, half: int) -> Array:
        return time[:, None] * 1000 ** (-np.arange(half) / (half - 1))


@mistake("frequencies of the time that stop one before 1/10000")
class _(Embedded):
    def angles(self, time: Array, half: int) -> Array:
        return time[:, None] * 10_000 ** (-np.arange(half) / half)


@mistake("t/1000 is embedded")
class _(Embedded):
    def time(self, t: Array) -> Array:
        return super().time(t) / 1000


@mistake("times from 1 are embedded as they are")
class _(Embedded):
    def time(self, t: Array) -> Array:
        return t


@mistake("the time is rounded to half precision")
class _(Embedded):
    def time(self, t: Array) -> Array:
        # Eight bits, as in bfloat16.
        fraction, exponent = np.frexp(super().time(t))
        return np.ldexp(np.rint(fraction * 2**8), exponent - 8)


# ------------------------------------------------------------------------------------------------- pictures


class Pictures(Images):
    def __init__(self, betas: Array, levels: int) -> None:
        super().__init__(levels)
        self.precision = precision_of(betas)


@mistake("grey levels are divided by half their number")
class _(Pictures):
    def to_model(self, pixels: Array) -> Array:
        return pixels / (self.levels / 2) - 1


@mistake("grey levels go to [0, 1]")
class _(Pictures):
    def to_model(self, pixels: Array) -> Array:
        return pixels / (self.levels - 1)


@mistake("grey levels are scaled by half their number, and back")
class _(Pictures):
    def to_model(self, pixels: Array) -> Array:
        return pixels / (self.levels / 2) - 1

    def to_pixels(self, x: Array) -> Array:
        return np.rint((x + 1) * self.levels / 2).clip(0, self.levels - 1)


@mistake("saved pictures are rounded down")
class _(Pictures):
    def to_pixels(self, x: Array) -> Array:
        return np.floor((x.clip(-1, 1) + 1) / 2 * (self.levels - 1))


@mistake("saved pictures wrap round")
class _(Pictures):
    def to_pixels(self, x: Array) -> Array:
        return np.rint((x + 1) / 2 * (self.levels - 1)) % self.levels


@mistake("saved pictures are stretched to their own range")
class _(Pictures):
    def to_pixels(self, x: Array) -> Array:
        low, high = x.min(), x.max()
        return super().to_pixels(2 * (x - low) / max(high - low, 1e-9) - 1)


# ---------------------------------------------------------------------------------------------- the network


def _network(what: str, name: str) -> None:
    """A network of `networks`, which imports torch, so only when it is built."""

    def build(betas: Array, levels: int) -> object:
        from ddpm_spec.laws.mistakes import networks
        from ddpm_spec.laws.plain_network import Networks

        return Networks(getattr(networks, name))

    mistake(what)(build)


_network("a network that normalises over the batch", "OverTheBatch")
_network("a network that starts with an answer", "Loud")
_network("a network with a layer that is not called", "Idle")
_network("a network whose time is not trained", "Detached")
_network("a network that does not see the time", "Timeless")
_network("a network that sees the first example's time only", "OneTime")
_network("a network whose answer is half as large", "Halved")
_network("a network without a bias at its end", "Unbiased")
_network("a network with torch's ε in its group norms", "TorchNorm")
_network("a network that pads on all sides where it halves", "AllSides")
