"""Laws of the discrete decoder (Eq. 13) and of the bound as a codelength (claim C5)."""

import math

import numpy as np

from ddpm_spec.laws.bound import term_error
from ddpm_spec.laws.law import Case, Cases, law
from ddpm_spec.laws.protocol import Array, Network
from ddpm_spec.laws.reference import Reference, normal_nodes
from ddpm_spec.laws.subject import Subject

__all__ = ["bin_is_an_integral", "bins_sum_to_one", "edge_bin", "kraft"]

_NEEDS = ("tables", "bound_term", "variance")
_RESTS_ON = ("forward/betas", "reverse/decoder-variance")


def _decode(reference: Reference, model: Subject, mean: float) -> tuple[Array, Array]:
    """The levels, and p_θ(level | x_1) for a network whose x̂_0, and so whose mean at t = 1, is `mean`.

    Every level is its own x_1 without noise, so nothing that cancels is magnified but the distance to the mean.
    """
    values = np.linspace(-1, 1, model.levels)
    x_0 = np.repeat(values[:, None], model.dim, axis=1)
    terms = model.bound_term(reference.knowing(np.full_like(x_0, mean)), x_0, 1, 0 * x_0)
    return values, np.exp(-terms / model.dim)


def _probability_error(reference: Reference, model: Subject, value: float, mean: float) -> float:
    """The error of one level's probability: that of the mean against the width σ_1, and that of Φ."""
    n, r = reference.rounding(1), reference.noise_rounding(1)
    moved = (n + r) * (abs(value - mean) + abs(mean)) + n * abs(value)
    return 0.4 * moved / math.sqrt(model.variance(1)) + 64 * model.unit


@law("decoder/sum", *_NEEDS, rests_on=_RESTS_ON)
def bins_sum_to_one(reference: Reference, model: Subject) -> Cases:
    """Eq. 13: the probabilities of the grey levels sum to one, wherever the mean lies."""
    half, sigma = 1 / (model.levels - 1), math.sqrt(model.variance(1))
    n, r = reference.rounding(1), reference.noise_rounding(1)
    # What moves all bins alike changes no sum; a level's own mean moves by its distance, and its ends round.
    allowed = 2 * (n + r) * (1 + half / sigma) + 2 * n * (1 / half + 1 / sigma)
    for mean in (-1.0 - 0.3 / model.levels, -0.97, 0.1, 0.5, 1.0):
        _, probabilities = _decode(reference, model, mean)
        yield Case(abs(float(probabilities.sum()) - 1), allowed, f"mean {mean:.3f}")


@law("decoder/bin", *_NEEDS, rests_on=_RESTS_ON)
def bin_is_an_integral(reference: Reference, model: Subject) -> Cases:
    """Eq. 13: a level's probability is the integral of N(x; μ_θ, σ_1²) over its bin."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half, sigma = 1 / (model.levels - 1), math.sqrt(model.variance(1))
    panels = math.ceil(2 * half / sigma) + 1
    edges = np.linspace(-half, half, panels + 1)
    middle, width = (edges[1:] + edges[:-1]) / 2, half / panels
    offsets = (middle[:, None] + width * nodes).ravel()
    # Means near 0, where 1 − ᾱ_1 in the divisor moves them least.
    for mean in (0.4 * half, -0.9 * half - sigma):
        values, probabilities = _decode(reference, model, mean)
        for k in np.argsort(np.abs(values - mean))[:3]:
            if 0 < k < model.levels - 1:
                z = (values[k] + offsets - mean) / sigma
                density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) / sigma
                expected = float((np.tile(width * weights, panels) * density).sum())
                allowed = _probability_error(reference, model, float(values[k]), mean)
                yield Case(
                    abs(float(probabilities[k]) - expected),
                    allowed,
                    f"level {values[k]:.3f}, mean {mean:.3f}",
                )


@law("decoder/edges", *_NEEDS, rests_on=_RESTS_ON)
def edge_bin(reference: Reference, model: Subject) -> Cases:
    """Eq. 13: the first and the last level take the whole tail."""
    half, sigma = 1 / (model.levels - 1), math.sqrt(model.variance(1))
    for mean in (-1.0 + half, -1.0 - sigma, 1.0 - half, 1.0 + sigma):
        values, probabilities = _decode(reference, model, mean)
        k = 0 if mean < 0 else -1
        inside = half - abs(mean - values[k]) if abs(mean) < 1 else half + abs(mean - values[k])
        expected = math.erfc(-inside / sigma / math.sqrt(2)) / 2
        allowed = _probability_error(reference, model, float(values[k]), mean)
        yield Case(abs(float(probabilities[k]) - expected), allowed, f"mean {mean:.3f}")


@law(
    "bound/kraft",
    *_NEEDS,
    "prior_term",
    rests_on=("bound/weight", "bound/constant", "decoder/sum", "decoder/bin"),
)
def kraft(reference: Reference, model: Subject) -> Cases:
    """C5: Σ exp(−L(x_0)) over the grey levels is at most 1, so L is a codelength, for any network.

    It follows that no data law on the levels has a bound below its entropy. E over ε by the trapezoidal
    rule, which for smooth networks is exact to rounding. It asks for every level at every step, so examples of more
    than eight numbers are left out.
    """
    if model.dim > 8 or reference.only:
        return
    values = np.linspace(-1, 1, model.levels)
    nodes, weights = normal_nodes(6.5, 21)
    ones = np.ones((1, model.dim))
    x_0, eps = np.repeat(values, len(nodes))[:, None] * ones, np.tile(nodes, model.levels)[:, None] * ones
    networks: dict[str, Network] = {
        "exact denoiser": reference.level_denoiser(np.linspace(-1, 1, min(model.levels, 9))),
        "ε_θ = sin 2x": lambda x_t, t: np.sin(2 * x_t),
    }
    error = sum(term_error(reference, t, 2.0, 2.0) for t in range(2, reference.T + 1)) / model.dim
    for name, network in networks.items():
        length = model.prior_term(values[:, None] * ones)
        for t in range(1, reference.T + 1):
            terms = model.bound_term(network, x_0, t, eps)
            length = length + terms.reshape(model.levels, -1) @ weights
        total = float(np.exp(-length / model.dim).sum())
        excess = max(total - 1, 0.0) if np.isfinite(total) else np.inf
        allowed = math.expm1(min(error + reference.noise_rounding(1) + 32 * model.unit, 50.0))
        yield Case(excess, allowed, f"{name}, sum {total:.3f}")
