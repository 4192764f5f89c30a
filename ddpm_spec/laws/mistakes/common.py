# ruff: noqa: N801 # the classes are known by what is wrong with them
# mypy: disable-error-code=no-redef
"""Mistakes that are common in repositories and in questions about them."""

import math

import numpy as np

from ddpm_spec.laws.mistakes.catalogue import mistake
from ddpm_spec.laws.plain import Plain
from ddpm_spec.laws.protocol import Array, Network

__all__: list[str] = []

# ------------------------------------------------------------------------------------------- tables


@mistake("tables in float16")
class _(Plain):
    def __init__(self, betas: Array, levels: int) -> None:
        super().__init__(betas, levels)
        halves = np.cumprod(1 - self.betas.astype(np.float16))
        self.alpha_bars = halves.astype(self.betas.dtype)


@mistake("ᾱ_t is exp(−Σ β_s), as for a continuous time")
class _(Plain):
    def __init__(self, betas: Array, levels: int) -> None:
        super().__init__(betas, levels)
        self.alpha_bars = np.exp(-np.cumsum(self.betas))


@mistake("ᾱ_t is √ᾱ_t")
class _(Plain):
    def __init__(self, betas: Array, levels: int) -> None:
        super().__init__(betas, levels)
        self.alpha_bars = np.sqrt(self.alpha_bars)


# ------------------------------------------------------------------------------------------ noising


@mistake("1 − √ᾱ for √(1 − ᾱ) in noising")
class _(Plain):
    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        root = np.sqrt(self.alpha_bar(t))[:, None]
        return root * x_0 + (1 - root) * eps


@mistake("noising goes one step too far")
class _(Plain):
    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        return super().q_sample(x_0, np.minimum(t + 1, len(self.betas)), eps)


@mistake("noising takes the first example's t for the whole batch")
class _(Plain):
    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        return super().q_sample(x_0, np.full_like(t, t[0]), eps)


# --------------------------------------------------------------------------------------------- loss


@mistake("a Huber loss")
class _(Plain):
    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        missed = np.abs(eps - network(self.noised(x_0, t, eps), t))
        return float(np.mean(np.where(missed < 1, missed**2 / 2, missed - 0.5)))


@mistake("half the squared error")
class _(Plain):
    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        return super().loss(network, x_0, t, eps) / 2


@mistake("the loss compares with another example's noise")
class _(Plain):
    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        return float(np.mean((eps[::-1] - network(self.noised(x_0, t, eps), t)) ** 2))


@mistake("the loss compares with x_0")
class _(Plain):
    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        return float(np.mean((x_0 - network(self.noised(x_0, t, eps), t)) ** 2))


@mistake("the loss compares with the noise as it is in x_t, √(1 − ᾱ_t) ε")
class _(Plain):
    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        target = np.sqrt(1 - self.alpha_bar(t))[:, None] * eps
        return float(np.mean((target - network(self.noised(x_0, t, eps), t)) ** 2))


@mistake("the loss noises one step too far")
class _(Plain):
    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        x_t = self.noised(x_0, np.minimum(t + 1, len(self.betas)), eps)
        return float(np.mean((eps - network(x_t, t)) ** 2))


@mistake("the loss has the weights of Eq. 12")
class _(Plain):
    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        beta = self.beta(t)[:, None]
        weight = beta / (2 * (1 - beta) * (1 - self.alpha_bar(t)[:, None]))
        return float(np.mean(weight * (eps - network(self.noised(x_0, t, eps), t)) ** 2))


# ----------------------------------------------------------------------------------------- the mean


@mistake("the coefficients of Eq. 7 are exchanged")
class _(Plain):
    def posterior(self, x_0: Array, x_t: Array, t: int) -> tuple[Array, float]:
        return super().posterior(x_t, x_0, t)


@mistake("1 − ᾱ_t and 1 − ᾱ_{t−1} are exchanged in β̃_t")
class _(Plain):
    def posterior(self, x_0: Array, x_t: Array, t: int) -> tuple[Array, float]:
        mean, variance = super().posterior(x_0, x_t, t)
        return mean, float(self.beta(t)) ** 2 / variance if t > 1 else variance


@mistake("Eq. 15 multiplies by √ᾱ_t")
class _(Plain):
    def predict_x_0(self, x_t: Array, t: int, eps: Array) -> Array:
        return super().predict_x_0(x_t, t, eps) * self.alpha_bar(t)


@mistake("Eq. 15 with ᾱ_{t−1}")
class _(Plain):
    def predict_x_0(self, x_t: Array, t: int, eps: Array) -> Array:
        return super().predict_x_0(x_t, max(t - 1, 1), eps)


@mistake("β_t/(1 − ᾱ_t) for β_t/√(1 − ᾱ_t) in Eq. 11")
class _(Plain):
    def mean(self, network: Network, x_t: Array, t: int) -> Array:
        root = np.sqrt(1 - self.alpha_bar(t))
        return super().mean(lambda x, time: network(x, time) / root, x_t, t)


@mistake("x̂_0 is clipped wherever it is used")
class _(Plain):
    def predict_x_0(self, x_t: Array, t: int, eps: Array) -> Array:
        return super().predict_x_0(x_t, t, eps).clip(-1, 1)

    def mean(self, network: Network, x_t: Array, t: int) -> Array:
        return self.posterior(self.predict_x_0(x_t, t, network(x_t, np.full(len(x_t), t))), x_t, t)[0]


@mistake("√β_t for β_t in Eq. 11")
class _(Plain):
    def mean(self, network: Network, x_t: Array, t: int) -> Array:
        root = np.sqrt(self.beta(t))
        return super().mean(lambda x, time: network(x, time) / root, x_t, t)


@mistake("the noise is added where Eq. 11 takes it out")
class _(Plain):
    def mean(self, network: Network, x_t: Array, t: int) -> Array:
        return super().mean(lambda x, time: -network(x, time), x_t, t)


@mistake("α_t for √α_t in Eq. 11", about="cosine")
class _(Plain):
    def mean(self, network: Network, x_t: Array, t: int) -> Array:
        return super().mean(network, x_t, t) / np.sqrt(1 - self.beta(t))


# -------------------------------------------------------------------------------------- the sampler


@mistake("the sampler exchanges the coefficients of Eq. 7")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        x_0 = self.predict_x_0(x_t, t, network(x_t, np.full(len(x_t), t)))
        return self.posterior(x_t, x_0, t)[0] + (math.sqrt(self.variance(t)) * z if t > 1 else 0)


@mistake("the sampler clips x_{t−1} to [−1, 1]")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        return super().p_sample(network, x_t, t, z).clip(-1, 1)


@mistake("the sampler clips the predicted noise to [−1, 1]")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        return super().p_sample(lambda x, time: network(x, time).clip(-1, 1), x_t, t, z)


@mistake("the sampler shows the network x_t/√ᾱ_t")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        root = np.sqrt(self.alpha_bar(t))
        return super().p_sample(lambda x, time: network(x / root, time), x_t, t, z)


@mistake("the sampler is one step late")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        return super().p_sample(network, x_t, max(t - 1, 1), z)


@mistake("the sampler adds no noise")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        return self.mean(network, x_t, t)


@mistake("the last two steps are without noise")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        return super().p_sample(network, x_t, t, z if t > 2 else 0 * z)


@mistake("the sampler adds σ_{t−1} z")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        return self.mean(network, x_t, t) + (math.sqrt(self.variance(t - 1)) * z if t > 1 else 0)


@mistake("√σ_t z: the logarithm of σ_t² is halved twice")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        return self.mean(network, x_t, t) + (self.variance(t) ** 0.25 * z if t > 1 else 0)


@mistake("one z for the whole batch")
class _(Plain):
    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        return super().p_sample(network, x_t, t, np.repeat(z[:1], len(z), axis=0))


@mistake("σ_t for σ_t²")
class _(Plain):
    def variance(self, t: int) -> float:
        return math.sqrt(self.beta(t))


@mistake("σ_1² is β̃_1, which is 0, under a decoder")
class _(Plain):
    def variance(self, t: int) -> float:
        return float(self.beta(t)) if t > 1 else 0.0


# ---------------------------------------------------------------------------------------- the bound


@mistake("the bound asks the network one step late")
class _(Plain):
    def bound_term(self, network: Network, x_0: Array, t: int, eps: Array) -> Array:
        return super().bound_term(lambda x, time: network(x, np.maximum(time - 1, 1)), x_0, t, eps)


@mistake("L_{t−1} with its arguments swapped")
class _(Plain):
    def divergence(self, square: Array, beta_tilde: float, variance: float) -> Array:
        return super().divergence(square, variance, beta_tilde)


@mistake("log σ_t for log σ_t² in L_{t−1}")
class _(Plain):
    def divergence(self, square: Array, beta_tilde: float, variance: float) -> Array:
        return super().divergence(square, beta_tilde, variance) - np.log(variance / beta_tilde) / 4


@mistake("the bound is a mean over coordinates")
class _(Plain):
    def bound_term(self, network: Network, x_0: Array, t: int, eps: Array) -> Array:
        return super().bound_term(network, x_0, t, eps) / np.shape(x_0)[1]


@mistake("L_T is left out")
class _(Plain):
    def prior_term(self, x_0: Array) -> Array:
        return np.zeros(len(x_0))


@mistake("L_T takes ᾱ_T for √ᾱ_T")
class _(Plain):
    def prior_term(self, x_0: Array) -> Array:
        return super().prior_term(x_0 * np.sqrt(self.alpha_bars[-1]))


@mistake("L_0 is a density")
class _(Plain):
    def bins(self, x_0: Array, mean: Array, sigma: float) -> Array:
        return np.exp(-(((x_0 - mean) / sigma) ** 2) / 2) / math.sqrt(2 * math.pi) / sigma + 1e-30


@mistake("bins of half the width, as for images in [0, 1]")
class _(Plain):
    def bins(self, x_0: Array, mean: Array, sigma: float) -> Array:
        half = 1 / (2 * (self.levels - 1))
        upper = np.where(x_0 > 1 - half, np.inf, (x_0 + half - mean) / sigma)
        lower = np.where(x_0 < -1 + half, -np.inf, (x_0 - half - mean) / sigma)
        return self.interval(lower, upper)


@mistake("σ_1² for σ_1 in Eq. 13")
class _(Plain):
    def bins(self, x_0: Array, mean: Array, sigma: float) -> Array:
        return super().bins(x_0, mean, sigma**2)
