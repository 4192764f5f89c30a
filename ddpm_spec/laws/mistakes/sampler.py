# ruff: noqa: N801 # the classes are known by what is wrong with them
# mypy: disable-error-code=no-redef
"""Mistakes in whole chains: times trained and visited, how chains start and end, what calls leave behind."""

from typing import Any

import numpy as np

from ddpm_spec.laws.mistakes.catalogue import mistake
from ddpm_spec.laws.plain import Fewer, Plain
from ddpm_spec.laws.protocol import Array, Network

__all__: list[str] = []


# ------------------------------------------------------------------------------------------- training


@mistake("the last time is never trained")
class _(Plain):
    def draw_times(self, count: int) -> Array:
        return 1 + (super().draw_times(count) - 1) % (len(self.betas) - 1)


@mistake("training counts times from 0")
class _(Plain):
    def draw_times(self, count: int) -> Array:
        return super().draw_times(count) - 1


@mistake("late times are trained more often")
class _(Plain):
    def draw_times(self, count: int) -> Array:
        later: Array = np.maximum(super().draw_times(count), super().draw_times(count))
        return later


# -------------------------------------------------------------------------------- Algorithm 2, as a loop


@mistake("the chain starts from noise of half the size")
class _(Plain):
    def start(self, count: int) -> Array:
        return super().start(count) / 2


@mistake("the chain starts from uniform noise")
class _(Plain):
    def start(self, count: int) -> Array:
        return np.random.uniform(0, 1, (count, *self.shape))  # noqa: NPY002


@mistake("all images of a batch start from the same noise")
class _(Plain):
    def start(self, count: int) -> Array:
        return np.repeat(super().start(1), count, axis=0)


@mistake("the loop begins at T − 1")
class _(Plain):
    def visited(self) -> range:
        return range(len(self.betas) - 1, 0, -1)


@mistake("the loop leaves the last step out")
class _(Plain):
    def visited(self) -> range:
        return range(len(self.betas), 1, -1)


@mistake("one draw of noise for all steps")
class _(Plain):
    noise: Array

    def sample(self, network: Network, count: int) -> Array:
        self.noise = Plain.fresh_noise(self, np.empty((count, *self.shape)))
        return super().sample(network, count)

    def fresh_noise(self, x: Array) -> Array:
        return self.noise


@mistake("the noise of the steps is uniform on [0, 1]")
class _(Plain):
    def fresh_noise(self, x: Array) -> Array:
        return np.array(np.random.uniform(0, 1, x.shape))  # noqa: NPY002


@mistake("the loop adds no noise")
class _(Plain):
    def fresh_noise(self, x: Array) -> Array:
        return np.zeros_like(x)


@mistake("the finished image is brought to [0, 1]")
class _(Plain):
    def finished(self, x: Array) -> Array:
        return (x + 1) / 2


@mistake("a step goes on with the mean of this and the last prediction")
class _(Plain):
    """As a two-step method does, where a step follows the one before it."""

    asked = 0
    last: Any = None

    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        now = network(x_t, np.full(len(x_t), t))
        follows = self.asked == t + 1 and np.shape(self.last) == np.shape(now)
        used = (now + self.last) / 2 if follows else now
        self.asked, self.last = t, now
        return super().p_sample(lambda x, t: used, x_t, t, z)


# ------------------------------------------------------------------------------------------ fewer steps


class _Fewer(Plain):
    """An implementation whose few-step sampler is another."""

    kind: type[Fewer] = Fewer

    def sampler(self, steps: int) -> Fewer:
        return self.kind(self, steps)


@mistake("few steps do not begin at T")
class _(_Fewer):
    class kind(Fewer):
        def spaced(self, T: int, steps: int) -> list[int]:
            times = super().spaced(T, steps)
            return [t for t in times if t < T]


@mistake("few steps visit a time twice")
class _(_Fewer):
    class kind(Fewer):
        def spaced(self, T: int, steps: int) -> list[int]:
            times = super().spaced(T, steps)
            return [times[0], *times[:-1]]


@mistake("a few-step sampler goes to t − T // steps, whatever comes next")
class _(_Fewer):
    class kind(Fewer):
        def next(self, k: int) -> int:
            T = len(self.plain.betas)
            return max(self.times[k] - T // len(self.times), 0) if k + 1 < len(self.times) else 0


@mistake("few steps with the noise of one step in T")
class _(_Fewer):
    class kind(Fewer):
        def variance(self, t: int, s: int) -> float:
            return self.plain.beta_tilde(t) if s else 0.0


@mistake("noise after the last of few steps")
class _(_Fewer):
    class kind(Fewer):
        def variance(self, t: int, s: int) -> float:
            return float(1 - self.plain.alpha_bar(t) / self.plain.alpha_bar(s))


@mistake("few steps end at the noise level of t = 1")
class _(_Fewer):
    class kind(Fewer):
        def next(self, k: int) -> int:
            return max(super().next(k), 1)

        def variance(self, t: int, s: int) -> float:
            return super().variance(t, s) if t > 1 else 0.0


@mistake("few steps with an average of the last two x̂_0")
class _(_Fewer):
    class kind(Fewer):
        last: Any = None

        def predict_x_0(self, network: Network, x_t: Array, t: int) -> Array:
            now = super().predict_x_0(network, x_t, t)
            self.last = now if self.last is None else (now + 3 * self.last) / 4
            return self.last


# ------------------------------------------------------------------------------------------------ state


@mistake("a step scales a table in place")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        self.betas *= 0.9999
        return super().p_sample(network, x_t, t, z)


@mistake("coefficients are kept for the first time that is asked")
class _(Plain):
    kept: Any = None

    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        if self.kept is None or self.kept.shape != np.shape(t):
            self.kept = self.alpha_bar(t)
        return np.sqrt(self.kept)[:, None] * x_0 + np.sqrt(1 - self.kept)[:, None] * eps


@mistake("the loss warms up with its first call")
class _(Plain):
    calls = 0

    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        self.calls += 1
        return super().loss(network, x_0, t, eps) * min(self.calls / 2, 1.0)


@mistake("a scheduler counts its calls")
class _(Plain):
    calls = 0

    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        self.calls += 1
        x = super().p_sample(network, x_t, t, z)
        return x if self.calls <= len(self.betas) + 2 else 1.001 * x


@mistake("noising writes into the image")
class _(Plain):
    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        alpha_bar = self.alpha_bar(t)[:, None]
        x_0 *= np.sqrt(alpha_bar)
        return x_0 + np.sqrt(1 - alpha_bar) * eps


@mistake("a table takes the type of the first data, for good")
class _(Plain):
    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        self.alpha_bars = self.alpha_bars.astype(x_0.dtype)
        return super().q_sample(x_0, t, eps)
