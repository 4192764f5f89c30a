"""Laws of the variational bound (Eqs. 3, 5, 8, 12, 13 and 16, claim C5)."""

import math
from collections.abc import Iterator

import numpy as np

from ddpm_spec.laws.protocol import Array, Implementation, Network
from ddpm_spec.laws.reference import NODES, WEIGHTS, Case, Reference, compare, normal_nodes

__all__ = [
    "bin_is_an_integral",
    "bins_sum_to_one",
    "constant",
    "edge_bin",
    "error_in_x_0",
    "kraft",
    "marginal_form",
    "path_form",
    "prior_of_a_blank_image",
    "prior_of_the_mean",
    "weight",
]

_X = np.array([[0.9, -0.4, 0.1], [-1.0, 1.0, 0.3]])
_EPS = np.array([[0.2, -1.3, 0.7], [1.9, 0.4, -0.6]])
_ERROR = np.array([[0.5, -0.25, 1.0], [0.0, 0.75, -1.5]])


def prior_of_a_blank_image(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 5, L_T: at x_0 = 0 it is the divergence of N(0, 1 − ᾱ_T) from N(0, 1), by integration."""
    z, weights = normal_nodes(reach=12.0, count=401)
    v = reference.noise[-1]
    x = math.sqrt(v) * z
    # log q − log p, with log v = log1p(−ᾱ): v is close to 1.
    cost = float(weights @ (x**2 - z**2) - math.log1p(-reference.signal[-1])) / 2
    yield Case(abs(float(model.prior_term(np.zeros((1, 3)))[0]) - 3 * cost), 3.0, f"t = {reference.T}")


def prior_of_the_mean(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 5, L_T: an image adds ᾱ_T ‖x_0‖² / 2."""
    added = model.prior_term(_X) - model.prior_term(np.zeros_like(_X))
    expected = reference.signal[-1] * (_X**2).sum(axis=1) / 2
    yield Case(float(np.abs(added - expected).max()), 3.0, f"t = {reference.T}")


def constant(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 8: with the right mean, L_{t−1} is the constant C, the divergence of the variances."""
    for t in reference.times(first=2):
        ours = model.bound_term(reference.knowing(_X), _X, t, _EPS)
        ratio = reference.posterior_variance(t) / model.variance(t)
        expected = 3 * (ratio - 1 - math.log(ratio)) / 2
        scale = 3 * (ratio + 1 + abs(math.log(ratio))) * reference.condition(t)
        yield Case(float(np.abs(ours - expected).max()), scale, f"t = {t}")


def weight(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 12: an error in the noise costs ½ (SNR(t−1)/SNR(t) − 1) β̃_t/σ_t² times its square."""
    for t in reference.times(first=2):
        right, wrong = (model.bound_term(reference.knowing(_X, e), _X, t, _EPS) for e in (0.0, _ERROR))
        expected = _price(reference, model, t) / reference.snr(t) * (_ERROR**2).sum(axis=1)
        scale = (np.abs(right).max() + 3 + expected.max()) * reference.condition(t)
        yield Case(float(np.abs(wrong - right - expected).max()), 4 * scale, f"t = {t}")


def error_in_x_0(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eqs. 12 and 15: an error in x̂_0 costs ½ (SNR(t−1) − SNR(t)) β̃_t/σ_t² times its square."""
    for t in reference.times(first=2):
        x_t = np.sqrt(reference.signal[t]) * _X + np.sqrt(reference.noise[t]) * _EPS
        right, wrong = (model.bound_term(reference.knowing(_X, e), _X, t, _EPS) for e in (0.0, _ERROR))
        error = model.predict_x_0(x_t, t, _EPS + _ERROR) - _X
        expected = _price(reference, model, t) * (error**2).sum(axis=1)
        scale = (np.abs(right).max() + 3 + np.abs(expected).max()) * reference.condition(t)
        yield Case(
            float(np.abs(wrong - right - expected).max()), 8 * scale / reference.signal[t] ** 0.5, f"t = {t}"
        )


def _price(reference: Reference, model: Implementation, t: int) -> float:
    """The weight of ‖x_0 − x̂_0‖²: ½ (SNR(t−1) − SNR(t)) β̃_t/σ_t²."""
    # SNR(t−1) − SNR(t) = β_t ᾱ_{t−1} / ((1−ᾱ_{t−1})(1−ᾱ_t)), a product instead of a difference.
    drop = reference.beta[t] * reference.signal[t - 1] / (reference.noise[t - 1] * reference.noise[t])
    return float(drop * reference.posterior_variance(t) / model.variance(t) / 2)


def path_form(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 5: L_T + Σ L_{t−1} is the expectation of Eq. 3 along the path, with the sampler's own mean.

    For an affine network, given x_0, everything on the path is normal: moments suffice. The decoder's
    term is the same on both sides and left out.
    """
    x_0 = 0.7

    def network(x_t: Array, t: Array) -> Array:
        return 0.3 * x_t + 0.1

    def normal_cost(square: float, variance: float) -> float:
        return (math.log(2 * math.pi * variance) + square / variance) / 2

    data, zero, one = np.full((3, 1), x_0), np.zeros((1, 1)), np.ones((1, 1))
    T = reference.T
    means, noise = np.sqrt(reference.signal) * x_0, reference.noise
    path = normal_cost(means[T] ** 2 + noise[T], 1.0) - normal_cost(reference.beta[1], reference.beta[1])
    total = float(model.prior_term(data)[0])
    size = abs(path) + total
    for t in range(2, T + 1):
        a = float(model.p_sample(network, zero, t, zero)[0, 0])
        b = float(model.p_sample(network, one, t, zero)[0, 0]) - a
        root = math.sqrt(1 - reference.beta[t])
        miss = (means[t - 1] - a - b * means[t]) ** 2
        square = miss + (1 - b * root) ** 2 * noise[t - 1] + b**2 * reference.beta[t]
        q = normal_cost(reference.beta[t], reference.beta[t])
        path += normal_cost(square, model.variance(t)) - q
        term = float(WEIGHTS @ model.bound_term(network, data, t, NODES[:, None]))
        total += term
        # a, b and the terms are off by a rounding each; near t = 2 they stand over a small σ².
        size += (abs(q) + term + square / model.variance(t)) + 1 / model.variance(t) ** 0.5
    yield Case(abs(path - total), size * reference.condition(2) ** 0.5, "the sum over t")


def marginal_form(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 16: the bound of normal data is H(x_0), or I(x_0; x_1) without the decoder, plus divergences.

    For x_0 ~ N(0.3, 0.37) and the best prediction: D_KL(q(x_T) ‖ p(x_T)) + Σ D_KL(q(x_{t−1} | x_t) ‖ p_θ).
    """
    m, v = 0.3, 0.37
    x_0 = np.repeat(m + math.sqrt(v) * NODES, 3)[:, None]
    eps, weights = np.tile(NODES, 3)[:, None], np.repeat(WEIGHTS, 3) * np.tile(WEIGHTS, 3)
    network, T = reference.normal_denoiser(m, v), reference.T
    spread = reference.signal * v + reference.noise
    total = float(weights @ model.prior_term(x_0))
    expected = math.log1p(v * reference.snr(1)) / 2
    expected += (spread[T] + reference.signal[T] * m**2 - 1 - math.log(spread[T])) / 2
    size = 1 + expected
    for t in range(2, T + 1):
        term = float(weights @ model.bound_term(network, x_0, t, eps))
        given = reference.beta[t] * spread[t - 1] / spread[t]
        ratio = given / model.variance(t)
        expected += (ratio - 1 - math.log(ratio)) / 2
        total += term
        size += 1 + term + ratio
    yield Case(abs(total - expected), size * reference.condition(2) ** 0.5, "the sum over t")


# ---------------------------------------------------------------------------------------- the decoder


def _decode(reference: Reference, model: Implementation, mean: float) -> tuple[Array, Array]:
    """The levels and p_θ(level | x_1) for a network that shows `mean`, whatever x_1 = 0.4 holds."""
    values = np.linspace(-1, 1, model.levels)
    root, spread = math.sqrt(reference.signal[1]), math.sqrt(reference.noise[1])
    eps = (0.4 - root * values[:, None]) / spread

    def network(x_t: Array, t: Array) -> Array:
        return np.full_like(x_t, (0.4 - root * mean) / spread)

    return values, np.exp(-model.bound_term(network, values[:, None], 1, eps))


def _decoder_scale(reference: Reference, model: Implementation) -> float:
    """A rounding in the mean, magnified by √(1−ᾱ_1)'s, against the width of the density."""
    return 1 + reference.condition(1) ** 0.5 * 4 / math.sqrt(model.variance(1))


def bins_sum_to_one(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 13: the probabilities of the grey levels sum to one, wherever the mean lies."""
    scale = _decoder_scale(reference, model)
    for mean in (-1.0 - 0.3 / model.levels, -0.97, 0.1, 0.5, 1.0):
        _, probabilities = _decode(reference, model, mean)
        yield compare(probabilities.sum(), 1.0, f"mean {mean:.3f}", scale)


def bin_is_an_integral(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 13: a level's probability is the integral of N(x; μ_θ, σ_1²) over its bin."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half, sigma = 1 / (model.levels - 1), math.sqrt(model.variance(1))
    panels = math.ceil(2 * half / sigma) + 1
    edges = np.linspace(-half, half, panels + 1)
    middle, width = (edges[1:] + edges[:-1]) / 2, half / panels
    offsets = (middle[:, None] + width * nodes).ravel()
    for mean in (0.1, -0.31):
        values, probabilities = _decode(reference, model, mean)
        for k in np.argsort(np.abs(values - mean))[:2]:
            if 0 < k < model.levels - 1:
                z = (values[k] + offsets - mean) / sigma
                density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) / sigma
                expected = (np.tile(width * weights, panels) * density).sum()
                where = f"level {values[k]:.3f}, mean {mean}"
                yield Case(abs(probabilities[k] - expected), _decoder_scale(reference, model), where)


def edge_bin(reference: Reference, model: Implementation) -> Iterator[Case]:
    """Eq. 13: the first and the last level take the whole tail."""
    half, sigma = 1 / (model.levels - 1), math.sqrt(model.variance(1))
    for mean in (-1.0 + half, -1.2, 1.0 - half, 1.2):
        values, probabilities = _decode(reference, model, mean)
        k = 0 if mean < 0 else -1
        inside = half - abs(mean - values[k]) if abs(mean) < 1 else half + abs(mean - values[k])
        expected = math.erfc(-inside / sigma / math.sqrt(2)) / 2
        yield Case(abs(probabilities[k] - expected), _decoder_scale(reference, model), f"mean {mean:.3f}")


def kraft(reference: Reference, model: Implementation) -> Iterator[Case]:
    """C5: Σ exp(−L(x_0)) over the grey levels is at most 1, so L is a codelength, for any network.

    It follows that no data law on the levels has a bound below its entropy. E over ε by the trapezoidal
    rule, which for smooth networks is exact to rounding.
    """
    values = np.linspace(-1, 1, model.levels)
    nodes, weights = normal_nodes()
    x_0, eps = np.repeat(values, len(nodes))[:, None], np.tile(nodes, model.levels)[:, None]
    networks: dict[str, Network] = {
        "exact denoiser": reference.level_denoiser(np.linspace(-1, 1, min(model.levels, 33))),
        "ε_θ = sin 2x": lambda x_t, t: np.sin(2 * x_t),
    }
    for name, network in networks.items():
        length = model.prior_term(values[:, None])
        for t in range(1, reference.T + 1):
            terms = model.bound_term(network, x_0, t, eps)
            length = length + terms.reshape(model.levels, -1) @ weights
        total = float(np.exp(-length).sum())
        excess = max(total - 1, 0.0) if np.isfinite(total) else np.inf
        yield Case(excess, reference.condition(2), f"{name}, sum {total:.3f}")
