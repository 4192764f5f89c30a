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
_RESTS_ON = ("forward/betas", "reverse/decoder-variance", "bound/asked")


def _decode(reference: Reference, model: Subject, mean: float) -> tuple[Array, Array]:
    """The levels, and p_θ(level | x_1) for a network whose x̂_0, and so whose mean at t = 1, is `mean`.

    The noise takes every level to the same x_1, the one of `mean`. Then the network finds next to no noise in
    it, and what cancels in 1 − ᾱ_1 plays no part where the mean is Eq. 11.
    """
    values = np.linspace(-1, 1, model.levels)
    x_0 = np.repeat(values[:, None], model.dim, axis=1)
    eps = np.sqrt(reference.signal[1] / reference.noise[1]) * (mean - x_0)
    terms = model.bound_term(reference.knowing(np.full_like(x_0, mean)), x_0, 1, eps)
    return values, np.exp(-terms / model.dim)


def _moved(reference: Reference, mean: float, distance: float) -> float:
    """How far the mean may be off: x_1 by the roundings of its two parts, which the network corrects.

    By way of x̂_0 the mean is β_1/(1 − ᾱ_1) times it, a quotient that is 1 up to what cancels.
    """
    n, r = reference.rounding(1), reference.noise_rounding(1)
    return n * abs(mean) + r * abs(mean) + (n + r) ** 2 * distance


def _probability_error(reference: Reference, model: Subject, value: float, mean: float, ends: Array) -> float:
    """The error of one level's probability: the mean and the ends of its bin are moved, and Φ is rounded."""
    sigma = np.sqrt(reference.variance(1))
    # Where the level itself is no number of the precision, its bin is moved.
    moved = _moved(reference, mean, abs(value - mean)) + 2 * model.unit * abs(value)
    density = np.exp(-(((ends - mean) / sigma) ** 2) / 2) / np.sqrt(2 * np.pi)
    # To second order, and each end by two roundings of its own.
    each = abs(float(density[0] - density[-1])) * moved / sigma + (moved / sigma) ** 2 / 4
    return float(each + 2 * model.unit * (density * np.abs(ends - mean) / sigma).sum() + 8 * model.unit)


def _width(reference: Reference, model: Subject) -> tuple[float, float] | None:
    """Half a bin, and σ_1; None where that is no width, which a law of its own says."""
    variance = reference.variance(1)
    return (1 / (model.levels - 1), variance**0.5) if 0 < variance < np.inf else None


@law("decoder/sum", *_NEEDS, rests_on=_RESTS_ON)
def bins_sum_to_one(reference: Reference, model: Subject) -> Cases:
    """Eq. 13: the probabilities of the grey levels sum to one, wherever the mean lies."""
    if (width := _width(reference, model)) is None:
        return
    half, sigma = width
    for mean in (-1.0 - 0.3 / model.levels, -0.97, 0.4 * half, 0.1, 0.5, 1.0):
        if model.clips and abs(mean) > 1:
            continue
        _, probabilities = _decode(reference, model, mean)
        # What moves all bins alike changes no sum. Each level's own x_1 and mean are rounded, eight
        # times in all, which counts by how the densities at its ends differ, in all twice the peak; and
        # each end twice, which counts by its density, summed over the ends σ over a bin.
        reach = abs(mean) + 3 * sigma + half
        allowed = 8 * model.unit * reach * (0.8 / sigma + 0.5 / half)
        allowed += 2 * (reference.rounding(1) + reference.noise_rounding(1)) ** 2 + 8 * model.unit
        yield Case(abs(float(probabilities.sum()) - 1), allowed, f"mean {mean:.3f}")


@law("decoder/bin", *_NEEDS, rests_on=_RESTS_ON)
def bin_is_an_integral(reference: Reference, model: Subject) -> Cases:
    """Eq. 13: a level's probability is the integral of N(x; μ_θ, σ_1²) over its bin."""
    if (width := _width(reference, model)) is None:
        return
    half, sigma = width
    nodes, weights = np.polynomial.legendre.leggauss(20)
    panels = math.ceil(2 * half / sigma) + 1
    edges = np.linspace(-half, half, panels + 1)
    middle, step = (edges[1:] + edges[:-1]) / 2, half / panels
    offsets = (middle[:, None] + step * nodes).ravel()
    # Means near 0, where little moves them: in a bin, on its edge, and some σ_1 away.
    for mean in (0.4 * half, 0.0, -0.9 * half - sigma):
        values, probabilities = _decode(reference, model, mean)
        for k in np.argsort(np.abs(values))[:5]:
            if 0 < k < model.levels - 1:
                z = (values[k] + offsets - mean) / sigma
                density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) / sigma
                expected = float((np.tile(step * weights, panels) * density).sum())
                ends = values[k] + np.array([-half, half])
                allowed = _probability_error(reference, model, float(values[k]), mean, ends)
                place = f"level {values[k]:.3f}, mean {mean:.3f}"
                yield Case(abs(float(probabilities[k]) - expected), allowed, place)


@law("decoder/edges", *_NEEDS, rests_on=_RESTS_ON)
def edge_bin(reference: Reference, model: Subject) -> Cases:
    """Eq. 13: the first and the last level take the whole tail."""
    if (width := _width(reference, model)) is None:
        return
    half, sigma = width
    # Outside the bin, on its end, beyond it, and so far out that the level is certain in any precision.
    for distance in (-half - sigma, -half, sigma, 12 * sigma):
        for sign in (-1, 1):
            mean = sign * (1 + distance)
            if model.clips and distance > 0:
                continue
            _, probabilities = _decode(reference, model, mean)
            # The mean and the end of the bin.
            moved = _moved(reference, mean, abs(distance)) + 2 * model.unit
            nearer, expected, farther = (
                math.erfc(-(half + distance + by) / sigma / math.sqrt(2)) / 2 for by in (-moved, 0.0, moved)
            )
            allowed = max(expected - nearer, farther - expected) + 8 * model.unit
            yield Case(
                abs(float(probabilities[0 if sign < 0 else -1]) - expected), allowed, f"mean {mean:.3f}"
            )


@law(
    "bound/kraft",
    *_NEEDS,
    "prior_term",
    rests_on=("bound/weight", "bound/constant", "decoder/sum", "decoder/bin"),
)
def kraft(reference: Reference, model: Subject) -> Cases:
    """C5: Σ exp(−L(x_0)) over the grey levels is at most 1, so L is a codelength, for any network.

    It follows that no data law on the levels has a bound below its entropy. E over ε by the trapezoidal
    rule, which for smooth networks is exact to rounding. It asks for every level at every step, so
    examples of more than eight numbers are left out.
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
    sizes = [reference.size(t, 1.0, 2.0) for t in range(reference.T + 1)]
    error = sum(term_error(reference, t, sizes[t], 2.0, 2.0) for t in range(2, reference.T + 1)) / model.dim
    for name, network in networks.items():
        length = model.prior_term(values[:, None] * ones)
        for t in range(1, reference.T + 1):
            terms = model.bound_term(network, x_0, t, eps)
            length = length + terms.reshape(model.levels, -1) @ weights
        total = float(np.exp(-length / model.dim).sum())
        excess = max(total - 1, 0.0) if np.isfinite(total) else np.inf
        allowed = math.expm1(min(error + reference.noise_rounding(1) + 32 * model.unit, 50.0))
        yield Case(excess, allowed, f"{name}, sum {total:.3f}")
