"""What a deviation costs, exactly, for data whose best network is known.

A law says that something deviates. Whether that matters is another question, and for normal data it has an
exact answer. The best denoiser is affine, so the steps of a sampler are affine too, and mean and variance of
its samples follow from their coefficients, without any sampling. A step that is not affine, such as one that
clips x̂_0, is followed on a grid instead.

The denoiser is the best one for the x_t that the implementation trains on. So a mistake in its noising costs
what it would cost after training.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ddpm_spec.laws.protocol import Array, Network
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Subject

__all__ = ["VARIANCES", "Cost", "Moments", "cost"]

VARIANCES = (0.05, 0.37, 1.0)
"""Of the data, N(0.3, v): narrow, as wide as images are, and as wide as the prior."""

MEAN = 0.3


@dataclass(frozen=True)
class Moments:
    """Mean and variance of samples, and what they cost."""

    mean: float
    variance: float
    error: float = 0.0
    """How far a grid may be off in either; 0 where the steps are affine."""

    def bits(self, variance: float) -> float:
        """The divergence of the data N(0.3, variance) from normal samples with these moments, in bits/dim."""
        if not self.variance > 0:
            return math.inf
        ratio, miss = variance / self.variance, (self.mean - MEAN) ** 2 / self.variance
        return (ratio - 1 - math.log(ratio) + miss) / 2 / math.log(2)


@dataclass(frozen=True)
class Cost:
    """What samples and bound are worth for data N(0.3, v), and a right implementation's beside them."""

    variance: float
    """v."""
    samples: Moments | None
    """Of the implementation's samples after all T steps."""
    right: Moments
    """Of Algorithm 2's, with the same β_t and the σ_t² nearest to the implementation's that C3 allows."""
    bound: float | None
    """By how many bits/dim its L_T + Σ L_{t−1} is off; the decoder is left out."""
    bound_error: float
    """How far a quadrature may be off in that; 0 where the steps are affine."""
    why: str = ""
    """Why something was not computed."""

    @property
    def bits(self) -> float | None:
        """The divergence of the data from the samples in bits/dim, beyond what a right one has."""
        if self.samples is None:
            return None
        return self.samples.bits(self.variance) - self.right.bits(self.variance)


def cost(adapter: object, variances: Sequence[float] = VARIANCES) -> tuple[Cost, ...]:
    """The cost for each of these variances of the data.

    Raises:
        ValueError: as `check`.
    """
    subject = Subject(adapter)
    reference = Reference(subject)
    with np.errstate(all="ignore"):
        return tuple(_cost(reference, subject, v) for v in variances)


def _cost(reference: Reference, model: Subject, v: float) -> Cost:
    right = _right(reference, model, v)
    samples, bound, error, why = None, None, 0.0, []
    for part, what in (("p_sample", "samples"), ("bound_term", "bound")):
        if not (model.has("tables") and model.has(part)):
            why.append(f"it has no {part}")
            continue
        try:
            if what == "samples":
                samples = _samples(reference, model, _trained(reference, model, v))
            else:
                bound, error = _bound_error(reference, model, v)
        except Exception as raised:  # whatever their code raises is said
            why.append(f"{what}: {type(raised).__name__}: {raised}")
    return Cost(v, samples, right, bound, error, "; ".join(why))


def _trained(reference: Reference, model: Subject, v: float) -> Network:
    """E[ε | x_t] for data N(0.3, v) and the x_t that the implementation makes."""
    root, spread = np.sqrt(reference.signal), np.sqrt(reference.noise)
    if model.has("q_sample"):
        times = np.arange(1, reference.T + 1)
        one, zero = np.ones((reference.T, model.dim)), np.zeros((reference.T, model.dim))
        root = np.concatenate([[1.0], model.q_sample(one, times, zero)[:, 0]])
        spread = np.concatenate([[0.0], model.q_sample(zero, times, one)[:, 0]])

    def network(x_t: Array, t: Array) -> Array:
        a, b = root[t][:, None], spread[t][:, None]
        answer: Array = b * (x_t - a * MEAN) / (a**2 * v + b**2)
        return answer

    return network


def _right(reference: Reference, model: Subject, v: float) -> Moments:
    """Algorithm 2's moments: its mean is E[x_{t−1} | x_t]."""
    mean, variance = 0.0, 1.0
    for t in range(reference.T, 0, -1):
        step = reference.normal_step(t, MEAN, v)
        mean = step.before + step.slope * (mean - step.now)
        added = 0.0 if t == 1 else _allowed_variance(reference, model, t)
        variance = step.slope**2 * variance + added
    return Moments(float(mean), float(variance))


def _allowed_variance(reference: Reference, model: Subject, t: int) -> float:
    """σ_t² as the implementation has it, brought into [β̃_t, β_t]."""
    ours = model.variance(t) if model.has("variance") else reference.beta[t]
    return float(np.clip(ours, reference.posterior_variance(t), reference.beta[t]))


# ------------------------------------------------------------------------------------------ the samples


def _samples(reference: Reference, model: Subject, network: Network) -> Moments:
    """By the coefficients of the steps where they are affine, else on grids of two widths."""
    moments = _by_coefficients(reference, model, network)
    if moments is not None:
        return moments
    coarse, fine = (_on_a_grid(reference, model, network, count) for count in (1024, 2048))
    error = max(abs(fine.mean - coarse.mean), abs(fine.variance - coarse.variance))
    return Moments(fine.mean, fine.variance, error)


def _by_coefficients(reference: Reference, model: Subject, network: Network) -> Moments | None:
    """x_{t−1} = a x_t + b + c z, read off five points a step; None where the points are in no line."""
    points = np.array([0.0, 1.0, -3.0, 3.0, 0.0])[:, None] * np.ones((1, model.dim))
    z = np.array([0.0, 0.0, 0.0, 0.0, 1.0])[:, None] * np.ones((1, model.dim))
    mean, variance = 0.0, 1.0
    for t in range(reference.T, 0, -1):
        b, one, low, high, noisy = model.p_sample(network, points, t, z)[:, 0]
        a, c = one - b, noisy - b
        size = float(np.abs(network(points, np.full(len(points), t))).max())
        allowed = 8 * reference.mean_error(t, 3.0, size)
        if not max(abs(b - 3 * a - low), abs(b + 3 * a - high)) <= allowed:
            return None
        mean, variance = a * mean + b, a**2 * variance + c**2
    return Moments(float(mean), float(variance))


def _on_a_grid(
    reference: Reference, model: Subject, network: Network, count: int, reach: float = 8.0
) -> Moments:
    """The density of x_t on a grid: a point's mass goes where the step sends it, then noise spreads it.

    Raises:
        ArithmeticError: if a step sends mass off the grid.
    """
    step = 2 * reach / count
    grid = -reach + step * np.arange(count)
    mass = np.exp(-(grid**2) / 2)
    mass /= mass.sum()
    waves = 2 * np.pi * np.fft.rfftfreq(count, step)
    rows, zero = grid[:, None] * np.ones((1, model.dim)), np.zeros((count, model.dim))
    for t in range(reference.T, 0, -1):
        moved = model.p_sample(network, rows, t, zero)[:, 0]
        c = float(model.p_sample(network, zero[:1], t, zero[:1] + 1)[0, 0])
        c -= float(model.p_sample(network, zero[:1], t, zero[:1])[0, 0])
        held = np.abs(mass) > 1e-14
        if np.abs(moved[held]).max() > reach - 4 * step or not np.isfinite(moved[held]).all():
            raise ArithmeticError(f"at t = {t} the samples leave [−{reach:g}, {reach:g}]")
        mass = _deposit((moved + reach) / step, mass, count)
        mass = np.fft.irfft(np.fft.rfft(mass) * np.exp(-((c * waves) ** 2) / 2), count)
    mean = float(mass @ grid)
    return Moments(mean, float(mass @ (grid - mean) ** 2))


def _deposit(places: Array, mass: Array, count: int) -> Array:
    """Masses at places between the points of a grid, shared among the four nearest.

    The shares are those of cubic interpolation, so the first three moments stay what they are.
    """
    left = np.floor(places).astype(int)
    u = places - left
    shares = (
        -u * (u - 1) * (u - 2) / 6,
        (u + 1) * (u - 1) * (u - 2) / 2,
        -(u + 1) * u * (u - 2) / 2,
        (u + 1) * u * (u - 1) / 6,
    )
    total = np.zeros(count)
    for k, share in enumerate(shares):
        total += np.bincount(np.clip(left + k - 1, 0, count - 1), share * mass, count)
    return total


# -------------------------------------------------------------------------------------------- the bound


def _bound_error(reference: Reference, model: Subject, v: float) -> tuple[float, float]:
    """How far L_T + Σ L_{t−1} is from the exact one, in bits/dim, and how far off that may be.

    For an affine network three nodes a dimension are exact. Where five say something else, forty do it, and
    what thirty would have said is stated as the error.
    """
    three, five = (_bound(reference, model, v, count) for count in (3, 5))
    exact = _exact_bound(reference, model, v)
    if abs(three - five) <= 1e-6 * (1 + abs(exact)):
        return (three - exact) / math.log(2), 0.0
    coarse, fine = (_bound(reference, model, v, count) for count in (30, 40))
    return (fine - exact) / math.log(2), abs(fine - coarse) / math.log(2)


def _bound(reference: Reference, model: Subject, v: float, count: int) -> float:
    """The implementation's own, in nats per dimension, averaged by Gauss–Hermite over x_0 and ε."""
    ones = np.ones((1, model.dim))
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    weights = weights / weights.sum()
    x_0 = np.repeat(MEAN + math.sqrt(v) * nodes, count)[:, None] * ones
    eps, weights = np.tile(nodes, count)[:, None] * ones, np.outer(weights, weights).ravel()
    network = reference.normal_denoiser(MEAN, v)
    total = sum(weights @ model.bound_term(network, x_0, t, eps) for t in range(2, reference.T + 1))
    if model.has("prior_term"):
        total += weights @ model.prior_term(x_0)
    return float(total) / model.dim


def _exact_bound(reference: Reference, model: Subject, v: float) -> float:
    """The same of a right implementation: Eq. 16, term by term."""
    total = 0.0
    for t in range(2, reference.T + 1):
        given = reference.normal_step(t, MEAN, v).left
        ratio = given / _allowed_variance(reference, model, t)
        total += (math.log(given / reference.posterior_variance(t)) + ratio - 1 - math.log(ratio)) / 2
    if model.has("prior_term"):
        signal, noise = reference.signal[-1], reference.noise[-1]
        total += (signal * (v + MEAN**2) + noise - 1 - math.log1p(-signal)) / 2
    return float(total)
