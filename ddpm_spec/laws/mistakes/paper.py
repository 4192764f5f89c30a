# ruff: noqa: N801 # the classes are known by what is wrong with them
# mypy: disable-error-code=no-redef
"""Mistakes in what the paper's equations and algorithms say."""

import math
from typing import Any

import numpy as np

from ddpm_spec.laws.mistakes.catalogue import mistake
from ddpm_spec.laws.plain import Plain
from ddpm_spec.laws.protocol import Array, Network

__all__: list[str] = []


@mistake("a negative β")
class _(Plain):
    def __init__(self, betas: Array, levels: int) -> None:
        super().__init__(betas, levels)
        self.betas[4] = -0.05
        self.alpha_bars = np.cumprod(1 - self.betas)


@mistake("ᾱ is tabulated one step late")
class _(Plain):
    def __init__(self, betas: Array, levels: int) -> None:
        super().__init__(betas, levels)
        self.right = self.alpha_bars
        self.alpha_bars = np.concatenate([[1.0], self.right[:-1]])

    def alpha_bar(self, t: Any) -> Array:
        return np.concatenate([[1.0], self.right])[t]


@mistake("ᾱ is one step late everywhere")
class _(Plain):
    def alpha_bar(self, t: Any) -> Array:
        return super().alpha_bar(np.maximum(np.asarray(t) - 1, 1))


@mistake("ᾱ for √ᾱ in noising")
class _(Plain):
    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        alpha_bar = self.alpha_bar(t)[:, None]
        return alpha_bar * x_0 + np.sqrt(1 - alpha_bar) * eps


@mistake("1 − ᾱ for its root in noising")
class _(Plain):
    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        alpha_bar = self.alpha_bar(t)[:, None]
        return np.sqrt(alpha_bar) * x_0 + (1 - alpha_bar) * eps


@mistake("coefficients run along the row where the batch allows it")
class _(Plain):
    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        alpha_bar = self.alpha_bar(t)
        alpha_bar = alpha_bar if alpha_bar.shape == x_0.shape[1:] else alpha_bar[:, None]
        return np.sqrt(alpha_bar) * x_0 + np.sqrt(1 - alpha_bar) * eps


@mistake("loss and bound see an x_t with 1 − ᾱ for its root")
class _(Plain):
    def noised(self, x_0: Array, t: Array, eps: Array) -> Array:
        alpha_bar = self.alpha_bar(t)[:, None]
        return np.sqrt(alpha_bar) * x_0 + (1 - alpha_bar) * eps

    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        return Plain.noised(self, x_0, t, eps)


# By √α_t, which in the paper's schedule is within 1 % of 1.
@mistake("ᾱ_t for ᾱ_{t−1} in Eq. 7", about="cosine")
class _(Plain):
    def posterior(self, x_0: Array, x_t: Array, t: int) -> tuple[Array, float]:
        mean, variance = super().posterior(x_0, x_t, t)
        extra = np.sqrt(self.alpha_bar(t)) - np.sqrt(self.alpha_bar(t - 1))
        return mean + (extra * self.beta(t) * x_0 / (1 - self.alpha_bar(t)) if t > 1 else 0), variance


@mistake("the deterministic member of the DDIM family for Eq. 7")
class _(Plain):
    def posterior(self, x_0: Array, x_t: Array, t: int) -> tuple[Array, float]:
        before, now = self.alpha_bar(t - 1), self.alpha_bar(t)
        return np.sqrt(before) * x_0 + np.sqrt((1 - before) / (1 - now)) * (x_t - np.sqrt(now) * x_0), 0.0


@mistake("β_t for β̃_t in Eq. 7")
class _(Plain):
    def posterior(self, x_0: Array, x_t: Array, t: int) -> tuple[Array, float]:
        mean, variance = super().posterior(x_0, x_t, t)
        return mean, float(self.beta(t)) if t > 1 else variance


@mistake("β̃_1 replaced by β̃_2 in Eq. 7")
class _(Plain):
    def posterior(self, x_0: Array, x_t: Array, t: int) -> tuple[Array, float]:
        return super().posterior(x_0, x_t, t)[0], self.beta_tilde(max(t, 2))


@mistake("ᾱ_0 is ᾱ_1 in Eq. 7")
class _(Plain):
    def posterior(self, x_0: Array, x_t: Array, t: int) -> tuple[Array, float]:
        return super().posterior(x_0, x_t, max(t, 2))


@mistake("Eq. 15 without the division")
class _(Plain):
    def predict_x_0(self, x_t: Array, t: int, eps: Array) -> Array:
        return x_t - np.sqrt(1 - self.alpha_bar(t)) * eps


@mistake("Eq. 15 is clipped to [−1, 1]")
class _(Plain):
    def predict_x_0(self, x_t: Array, t: int, eps: Array) -> Array:
        return super().predict_x_0(x_t, t, eps).clip(-1, 1)


@mistake("the official clip, in sampler and bound")
class _(Plain):
    def mean(self, network: Network, x_t: Array, t: int) -> Array:
        x_0 = self.predict_x_0(x_t, t, network(x_t, np.full(len(x_t), t))).clip(-1, 1)
        return self.posterior(x_0, x_t, t)[0]


@mistake("the sampler clips, and Eq. 15 with it")
class _(Plain):
    def predict_x_0(self, x_t: Array, t: int, eps: Array) -> Array:
        return super().predict_x_0(x_t, t, eps).clip(-1, 1)

    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        x_0 = self.predict_x_0(x_t, t, network(x_t, np.full(len(x_t), t)))
        return self.posterior(x_0, x_t, t)[0] + (math.sqrt(self.variance(t)) * z if t > 1 else 0)


@mistake("the sampler brings a batch that leaves the range back into it")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        x_0 = self.predict_x_0(x_t, t, network(x_t, np.full(len(x_t), t)))
        x_0 = x_0 / max(1.0, np.abs(x_0).max())
        return self.posterior(x_0, x_t, t)[0] + (math.sqrt(self.variance(t)) * z if t > 1 else 0)


@mistake("half the noise is taken out in Eq. 11")
class _(Plain):
    def mean(self, network: Network, x_t: Array, t: int) -> Array:
        return super().mean(lambda x, time: network(x, time) / 2, x_t, t)


@mistake("the sampler alone takes out half the noise")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        return super().p_sample(lambda x, time: network(x, time) / 2, x_t, t, z)


@mistake("the predicted noise is scaled wherever it is used")
class _(Plain):
    def mean(self, network: Network, x_t: Array, t: int) -> Array:
        return super().mean(lambda x, time: 0.9 * network(x, time), x_t, t)

    def predict_x_0(self, x_t: Array, t: int, eps: Array) -> Array:
        return super().predict_x_0(x_t, t, 0.9 * eps)


@mistake("the network is asked one step late")
class _(Plain):
    def mean(self, network: Network, x_t: Array, t: int) -> Array:
        return super().mean(lambda x, time: network(x, np.maximum(time - 1, 1)), x_t, t)


@mistake("√α_t is left out of Eq. 11", about="cosine")
class _(Plain):
    def mean(self, network: Network, x_t: Array, t: int) -> Array:
        return super().mean(network, x_t, t) * np.sqrt(1 - self.beta(t))


@mistake("σ² z for σ z")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        return self.mean(network, x_t, t) + (self.variance(t) * z if t > 1 else 0)


@mistake("noise in the last step")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        return self.mean(network, x_t, t) + math.sqrt(self.variance(t)) * z


@mistake("σ_t² above β_t")
class _(Plain):
    def variance(self, t: int) -> float:
        return float(1.1 * self.beta(t))


@mistake("σ_t² below β̃_t")
class _(Plain):
    def variance(self, t: int) -> float:
        return self.beta_tilde(max(t, 2)) * 0.9


@mistake("the loss asks the network one step late")
class _(Plain):
    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        return float(np.mean((eps - network(self.noised(x_0, t, eps), np.maximum(t - 1, 1))) ** 2))


@mistake("the loss is a sum")
class _(Plain):
    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        return super().loss(network, x_0, t, eps) * x_0.size


@mistake("an absolute loss")
class _(Plain):
    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        return float(np.mean(np.abs(eps - network(self.noised(x_0, t, eps), t))))


@mistake("the loss has a floor")
class _(Plain):
    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        return max(super().loss(network, x_0, t, eps), 0.01)


@mistake("L_T forgets the image")
class _(Plain):
    def prior_term(self, x_0: Array) -> Array:
        return super().prior_term(0 * x_0)


# Too large by ᾱ_T³/6 a coordinate: 1·10⁻¹⁴ in the paper's schedule and less in the cosine one. In float32
# numbers of size 1 that cancel are rounded by 10⁻⁷, and the whole of ᾱ_T²/4 is but 4·10⁻¹⁰.
@mistake("L_T with its arguments swapped", about="short")
class _(Plain):
    def prior_term(self, x_0: Array) -> Array:
        v = 1 - self.alpha_bars[-1]
        return ((1 / v - 1 + math.log(v)) / 2 + self.alpha_bars[-1] * x_0**2 / 2).sum(axis=1)


@mistake("L_T in bits")
class _(Plain):
    def prior_term(self, x_0: Array) -> Array:
        return super().prior_term(x_0) / math.log(2)


@mistake("L_T is a mean over coordinates")
class _(Plain):
    def prior_term(self, x_0: Array) -> Array:
        return super().prior_term(x_0) / x_0.shape[1]


@mistake("the constant C is left out")
class _(Plain):
    def divergence(self, square: Array, beta_tilde: float, variance: float) -> Array:
        return square / variance / 2


@mistake("σ² for 2σ² under the squared distance")
class _(Plain):
    def divergence(self, square: Array, beta_tilde: float, variance: float) -> Array:
        return super().divergence(2 * square, beta_tilde, variance)


@mistake("the bound has β̃_t where the sampler has β_t")
class _(Plain):
    def divergence(self, square: Array, beta_tilde: float, variance: float) -> Array:
        return super().divergence(square, beta_tilde, beta_tilde)


@mistake("the bound looks at the mean of x_t only")
class _(Plain):
    def bound_term(self, network: Network, x_0: Array, t: int, eps: Array) -> Array:
        return super().bound_term(network, x_0, t, 0 * eps if t > 1 else eps)


@mistake("the bound in bits")
class _(Plain):
    def bound_term(self, network: Network, x_0: Array, t: int, eps: Array) -> Array:
        return super().bound_term(network, x_0, t, eps) / math.log(2)


@mistake("the first and last bins end like the others")
class _(Plain):
    def bins(self, x_0: Array, mean: Array, sigma: float) -> Array:
        half = 1 / (self.levels - 1)
        return self.interval((x_0 - half - mean) / sigma, (x_0 + half - mean) / sigma)


@mistake("the first and last bins trade places in the tails")
class _(Plain):
    def bins(self, x_0: Array, mean: Array, sigma: float) -> Array:
        p = super().bins(x_0, mean, sigma)
        other = super().bins(-x_0, mean, sigma)
        return np.where(np.abs(x_0) > 1 - 0.5 / self.levels, other, p)


@mistake("density times width for a bin")
class _(Plain):
    def bins(self, x_0: Array, mean: Array, sigma: float) -> Array:
        density = np.exp(-(((x_0 - mean) / sigma) ** 2) / 2) / math.sqrt(2 * math.pi) / sigma
        return np.maximum(2 / (self.levels - 1) * density, 1e-300)


@mistake("the official tanh for Φ")
class _(Plain):
    def cdf(self, x: Array) -> Array:
        x = np.clip(x, -30, 30)
        return (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


@mistake("bins of width 2/levels")
class _(Plain):
    def bins(self, x_0: Array, mean: Array, sigma: float) -> Array:
        half = 1 / self.levels
        upper = np.where(x_0 > 1 - half, np.inf, (x_0 + half - mean) / sigma)
        lower = np.where(x_0 < -1 + half, -np.inf, (x_0 - half - mean) / sigma)
        return self.interval(lower, upper)


@mistake("the decoder sees x_0")
class _(Plain):
    def bins(self, x_0: Array, mean: Array, sigma: float) -> Array:
        return super().bins(x_0, (x_0 + mean) / 2, sigma)


@mistake("no term of the bound exceeds a tenth of a nat")
class _(Plain):
    def bound_term(self, network: Network, x_0: Array, t: int, eps: Array) -> Array:
        terms = super().bound_term(network, x_0, t, eps)
        return np.minimum(terms, 0.1) if t > 1 else terms
