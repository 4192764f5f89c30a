"""Laws of the variational bound's terms (Eqs. 3, 5, 8, 12 and 16)."""

import numpy as np

from ddpm_spec.laws.law import Case, Cases, compare, law
from ddpm_spec.laws.protocol import Array
from ddpm_spec.laws.reference import Reference, normal_nodes, wavy
from ddpm_spec.laws.subject import Subject

__all__ = [
    "asked",
    "constant",
    "error_in_x_0",
    "marginal_form",
    "own_step",
    "prior_of_a_blank_image",
    "prior_of_the_mean",
    "weight",
]

_NODES, _WEIGHTS = np.array([-(3.0**0.5), 0.0, 3.0**0.5]), np.array([1.0, 4.0, 1.0]) / 6
"""Gauss–Hermite for N(0, 1), exact up to degree five; a term is of degree two for an affine network."""


@law("bound/prior-blank", "tables", "prior_term", rests_on=("forward/betas",))
def prior_of_a_blank_image(reference: Reference, model: Subject) -> Cases:
    """Eq. 5, L_T: at x_0 = 0 it is the divergence of N(0, 1 − ᾱ_T) from N(0, 1), by integration."""
    z, weights = normal_nodes(reach=12.0, count=401)
    T = reference.T
    x = np.sqrt(reference.noise[T]) * z
    # log q − log p, with log v = log1p(−ᾱ): v is close to 1.
    cost = model.dim * float(weights @ (x**2 - z**2) - np.log1p(-reference.signal[T])) / 2
    ours = float(model.prior_term(np.zeros((1, model.dim)))[0])
    # Terms of size 1 that nearly cancel, and depend on T alone; then they are added to an example's.
    allowed = model.dim * (reference.noise_rounding(T) + 8 * model.table_unit) + 8 * model.unit * cost
    yield Case(abs(ours - cost), allowed, T)


@law("bound/prior-mean", "tables", "prior_term", rests_on=("forward/betas",))
def prior_of_the_mean(reference: Reference, model: Subject) -> Cases:
    """Eq. 5, L_T: an image adds ᾱ_T ‖x_0‖² / 2."""
    T = reference.T
    # So large that little is lost against terms of size 1, though nearly nothing is left of an image at T.
    x_0 = reference.x * min(10 * reference.signal[T] ** -0.5, 1e4)
    added = model.prior_term(x_0) - model.prior_term(0 * x_0)
    expected = reference.signal[T] * (x_0**2).sum(axis=1) / 2
    allowed = reference.rounding(T) * expected.max() + 8 * model.unit * model.dim
    yield Case(float(np.abs(added - expected).max()), float(allowed), T)


@law("bound/asked", "tables", "bound_term")
def asked(reference: Reference, model: Subject) -> Cases:
    """Eq. 5: in L_{t−1} the network is asked at t."""
    x_0 = reference.x
    for t in reference.times():

        def elsewhere(x: Array, time: Array, t: int = t) -> Array:
            return np.ones_like(x) * (time != t)[:, None]

        ours, expected = (
            model.bound_term(network, x_0, t, reference.z)
            for network in (elsewhere, lambda x, time: np.zeros_like(x))
        )
        yield compare(ours, expected, 0.0, t)


@law(
    "bound/constant",
    "tables",
    "bound_term",
    "variance",
    rests_on=("forward/mean", "forward/variance", "reverse/variance-range", "bound/asked"),
)
def constant(reference: Reference, model: Subject) -> Cases:
    """Eq. 8: with the right mean, L_{t−1} is the constant C, the divergence of the variances."""
    # Of a blank image, so that x_t and the means are no larger than the noise.
    x_0 = 0 * reference.x
    for t in reference.times(first=2):
        ours = model.bound_term(reference.knowing(x_0), x_0, t, reference.z)
        ratio = reference.posterior_variance(t) / reference.variance(t)
        expected = model.dim * (ratio - 1 - np.log(ratio)) / 2
        allowed = term_error(reference, t, reference.size(t, 0, 2), 2.0, 0.0)
        yield Case(float(np.abs(ours - expected).max()), allowed, t)


@law(
    "bound/weight",
    "tables",
    "bound_term",
    "variance",
    rests_on=("bound/constant", "reverse/unclipped"),
)
def weight(reference: Reference, model: Subject) -> Cases:
    """Eq. 12: an error in the noise costs ½ (SNR(t−1)/SNR(t) − 1) β̃_t/σ_t² times its square."""
    for t in reference.times(first=2):
        right, wrong, error = _two_terms(reference, model, t)
        expected = _price(reference, t) * reference.noise[t] / reference.signal[t] * (error**2).sum(axis=1)
        allowed = _price_error(reference, t, error)
        yield Case(float(np.abs(wrong - right - expected).max()), allowed, t)


@law(
    "bound/weight-of-x-0",
    "tables",
    "bound_term",
    "variance",
    "predict_x_0",
    rests_on=("bound/weight", "reverse/x-0"),
)
def error_in_x_0(reference: Reference, model: Subject) -> Cases:
    """Eqs. 12 and 15: an error in x̂_0 costs ½ (SNR(t−1) − SNR(t)) β̃_t/σ_t² times its square."""
    for t in reference.times(first=2):
        right, wrong, error = _two_terms(reference, model, t)
        size = float(np.abs(error).max())
        missed = model.predict_x_0(0 * error, t, error)
        price = _price(reference, t)
        expected = price * (missed**2).sum(axis=1)
        allowed = _price_error(reference, t, error)
        allowed += 3 * price * model.dim * float(np.abs(missed).max()) * reference.x_0_error(t, 0.0, size)
        yield Case(float(np.abs(wrong - right - expected).max()), allowed, t)


def _two_terms(reference: Reference, model: Subject, t: int) -> tuple[Array, Array, Array]:
    """L_{t−1} at x_0 = x_t = 0 with the right noise, and with an error in it; and the error.

    It moves the mean by about σ_t, and where x̂_0 is clipped, that by less than 1.
    """
    moves = reference.beta[t] / np.sqrt(reference.noise[t] * (1 - reference.beta[t]))
    size = np.sqrt(reference.variance(t)) / moves
    if model.clips:
        size = min(size, 0.6 * np.sqrt(reference.signal[t] / reference.noise[t]))
    error = size * reference.numbers(2, 1.5, start=200)
    x_0 = np.zeros((4, model.dim))
    terms = model.bound_term(reference.knowing(x_0, np.concatenate([0 * error, error])), x_0, t, x_0)
    return terms[:2], terms[2:], error


def _price_error(reference: Reference, t: int, error: Array) -> float:
    """The absolute error of the two terms' difference.

    At x_t = 0 each coordinate's mean is off in proportion to its own error, so a root mean square will do.
    """
    size = float(np.sqrt((error**2).mean(axis=1).max()))
    moves = reference.beta[t] / np.sqrt(reference.noise[t] * (1 - reference.beta[t]))
    missed = moves * size / np.sqrt(reference.variance(t))
    return term_error(reference, t, 0.0, size, missed) + term_error(reference, t, 0.0, 0.0, 0.0)


def _price(reference: Reference, t: int) -> float:
    """The weight of ‖x_0 − x̂_0‖²: ½ (SNR(t−1) − SNR(t)) β̃_t/σ_t²."""
    # SNR(t−1) − SNR(t) = β_t ᾱ_{t−1} / ((1−ᾱ_{t−1})(1−ᾱ_t)), a product instead of a difference.
    drop = reference.beta[t] * reference.signal[t - 1] / (reference.noise[t - 1] * reference.noise[t])
    return float(drop * reference.posterior_variance(t) / reference.variance(t) / 2)


@law(
    "bound/own-step",
    "tables",
    "bound_term",
    "p_sample",
    "variance",
    rests_on=("bound/constant", "bound/weight"),
)
def own_step(reference: Reference, model: Subject) -> Cases:
    """Eqs. 3 and 5: L_{t−1} is the divergence of Eq. 7 from the sampler's own step, for any network."""
    # Of an image, and of a blank one, whose x_t is small where σ_t is.
    for x_0, reach in ((reference.x, 0.9), (0 * reference.x, 0.0)):
        for t in reference.times(first=2):
            x_t, variance = reference.noised(x_0, t, reference.z), reference.variance(t)
            right = reference.posterior_variance(t)
            missed = reference.posterior_mean(x_0, x_t, t) - model.p_sample(wavy, x_t, t, 0 * x_t)
            expected = (np.log(variance / right) + (right + missed**2) / variance - 1) / 2
            ours = model.bound_term(wavy, x_0, t, reference.z)
            size = reference.size(t, reach, 2.0)
            # The network doubles, six times with its factor 3, what x_t is rounded by.
            eps = min(3.0, 6 * size) + 6 * size
            allowed = 2 * term_error(reference, t, size, eps, float(np.abs(missed).max() / np.sqrt(variance)))
            yield Case(float(np.abs(ours - expected.sum(axis=1)).max()), allowed, t)


@law("bound/marginal-form", "tables", "bound_term", "variance", rests_on=("bound/constant", "bound/weight"))
def marginal_form(reference: Reference, model: Subject) -> Cases:
    """Eq. 16: with the best network for normal data, L_{t−1} costs what x_t leaves unknown, and no more.

    For x_0 ~ N(0.3, 0.09) its average is I(x_0; x_{t−1} | x_t) + D_KL(q(x_{t−1} | x_t) ‖ p_θ(x_{t−1} | x_t)).
    At the nodes x̂_0 lies within [−1, 1].
    """
    m, v = 0.3, 0.09
    ones = np.ones((1, model.dim))
    x_0 = np.repeat(m + v**0.5 * _NODES, 3)[:, None] * ones
    eps, weights = np.tile(_NODES, 3)[:, None] * ones, np.repeat(_WEIGHTS, 3) * np.tile(_WEIGHTS, 3)
    network = reference.normal_denoiser(m, v)
    for t in reference.times(first=2):
        average = float(weights @ model.bound_term(network, x_0, t, eps))
        step = reference.normal_step(t, m, v)
        ratio = step.left / reference.variance(t)
        unknown = np.log(step.left / reference.posterior_variance(t)) / 2
        expected = model.dim * (unknown + (ratio - 1 - np.log(ratio)) / 2)
        # |ε*| ≤ √(1−ᾱ_t) |x_t − √ᾱ_t m| / Var(x_t); what it misses ε by moves the mean.
        reach = 1.8 * (np.sqrt(reference.signal[t] * v) + np.sqrt(reference.noise[t]))
        answer = float(np.sqrt(reference.noise[t]) * reach / step.spread)
        moved = reference.beta[t] / np.sqrt(reference.noise[t] * (1 - reference.beta[t])) * (answer + 1.8)
        size = moved / np.sqrt(reference.variance(t))
        allowed = term_error(reference, t, reference.size(t, 0.9, 1.8), answer, size)
        yield Case(abs(average - expected), allowed, t)


def term_error(reference: Reference, t: int, x_t: float, eps: float, missed: float) -> float:
    """The absolute error of L_{t−1}, t ≥ 2, for x_t and ε of this size.

    The mean that the network gives is `missed` times σ_t off.
    """
    model = reference.subject
    variance, right = reference.variance(t), reference.posterior_variance(t)
    v, ratio = reference.variance_error(t), right / variance
    # Both means are computed; either may be off.
    m = 2 * reference.mean_error(t, x_t, eps) / np.sqrt(variance)
    each = v * (abs(ratio - 1) + missed**2) + missed * m + m**2 / 2
    # The logarithms depend on t alone; what they add up to is added to the example's part.
    each += 32 * model.table_unit * (1 + abs(np.log(variance)) + abs(np.log(right)))
    each += 8 * model.unit * (1 + abs(np.log(ratio)) + missed**2)
    return float(model.dim * each)
