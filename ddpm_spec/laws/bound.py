"""Laws of the variational bound's terms (Eqs. 3, 5, 8, 12 and 16)."""

import math

import numpy as np

from ddpm_spec.laws.law import Case, Cases, law
from ddpm_spec.laws.protocol import Array
from ddpm_spec.laws.reference import Reference, normal_nodes, spread
from ddpm_spec.laws.subject import Subject

__all__ = [
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
    x = math.sqrt(reference.noise[T]) * z
    # log q − log p, with log v = log1p(−ᾱ): v is close to 1.
    cost = model.dim * float(weights @ (x**2 - z**2) - math.log1p(-reference.signal[T])) / 2
    ours = float(model.prior_term(np.zeros((1, model.dim)))[0])
    # Terms of size 1 that nearly cancel.
    yield Case(abs(ours - cost), model.dim * (reference.noise_rounding(T) + 32 * model.unit), T)


@law("bound/prior-mean", "tables", "prior_term", rests_on=("forward/betas",))
def prior_of_the_mean(reference: Reference, model: Subject) -> Cases:
    """Eq. 5, L_T: an image adds ᾱ_T ‖x_0‖² / 2."""
    T = reference.T
    # As large as makes the term large, since little is left of an image at T.
    x_0 = reference.x * min(reference.signal[T] ** -0.5, 1e3)
    added = model.prior_term(x_0) - model.prior_term(0 * x_0)
    expected = reference.signal[T] * (x_0**2).sum(axis=1) / 2
    allowed = reference.rounding(T) * expected.max() + 32 * model.unit * model.dim
    yield Case(float(np.abs(added - expected).max()), float(allowed), T)


@law("bound/constant", "tables", "bound_term", "variance", rests_on=("reverse/variance-range",))
def constant(reference: Reference, model: Subject) -> Cases:
    """Eq. 8: with the right mean, L_{t−1} is the constant C, the divergence of the variances."""
    for t in reference.times(first=2):
        ours = model.bound_term(reference.knowing(reference.x), reference.x, t, reference.z)
        ratio = reference.posterior_variance(t) / model.variance(t)
        expected = model.dim * (ratio - 1 - math.log(ratio)) / 2
        yield Case(float(np.abs(ours - expected).max()), term_error(reference, t, 2.0, 0.0), t)


@law(
    "bound/weight", "tables", "bound_term", "variance", rests_on=("reverse/variance-range", "bound/constant")
)
def weight(reference: Reference, model: Subject) -> Cases:
    """Eq. 12: an error in the noise costs ½ (SNR(t−1)/SNR(t) − 1) β̃_t/σ_t² times its square."""
    for t in reference.times(first=2):
        right, wrong, error = _two_terms(reference, model, t)
        expected = (
            _price(reference, model, t) * reference.noise[t] / reference.signal[t] * (error**2).sum(axis=1)
        )
        allowed = 2 * term_error(reference, t, 2.0 + float(np.abs(error).max()), 1.5)
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
        x_t, size = reference.noised(reference.x, t, reference.z), 2.0 + float(np.abs(error).max())
        missed = model.predict_x_0(x_t, t, reference.z + error) - reference.x
        price = _price(reference, model, t)
        expected = price * (missed**2).sum(axis=1)
        allowed = 2 * term_error(reference, t, size, 1.5)
        allowed += 3 * price * model.dim * float(np.abs(missed).max()) * reference.x_0_error(t, 3.0, size)
        yield Case(float(np.abs(wrong - right - expected).max()), allowed, t)


def _two_terms(reference: Reference, model: Subject, t: int) -> tuple[Array, Array, Array]:
    """L_{t−1} with the right noise and with an error in it that moves the mean by about σ_t; and the error."""
    moves = reference.beta[t] / math.sqrt(reference.noise[t] * (1 - reference.beta[t]))
    error = spread(2, model.dim, 1.5, start=200) * math.sqrt(model.variance(t)) / moves
    x_0, eps = np.tile(reference.x, (2, 1)), np.tile(reference.z, (2, 1))
    terms = model.bound_term(reference.knowing(x_0, np.concatenate([0 * error, error])), x_0, t, eps)
    return terms[:2], terms[2:], error


def _price(reference: Reference, model: Subject, t: int) -> float:
    """The weight of ‖x_0 − x̂_0‖²: ½ (SNR(t−1) − SNR(t)) β̃_t/σ_t²."""
    # SNR(t−1) − SNR(t) = β_t ᾱ_{t−1} / ((1−ᾱ_{t−1})(1−ᾱ_t)), a product instead of a difference.
    drop = reference.beta[t] * reference.signal[t - 1] / (reference.noise[t - 1] * reference.noise[t])
    return float(drop * reference.posterior_variance(t) / model.variance(t) / 2)


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
    x_0, eps = reference.x, reference.z
    for t in reference.times(first=2):
        x_t, variance, right = (
            reference.noised(x_0, t, eps),
            model.variance(t),
            reference.posterior_variance(t),
        )
        missed = reference.posterior_mean(x_0, x_t, t) - model.p_sample(_wavy, x_t, t, 0 * x_t)
        expected = (math.log(variance / right) + (right + missed**2) / variance - 1) / 2
        ours = model.bound_term(_wavy, x_0, t, eps)
        size = float(np.abs(missed).max()) / math.sqrt(variance)
        # The network doubles, six times with its factor 3, what x_t is rounded by.
        allowed = 2 * term_error(reference, t, 6.0, size, x_t=6.0)
        yield Case(float(np.abs(ours - expected.sum(axis=1)).max()), allowed, t)


@law("bound/marginal-form", "tables", "bound_term", "variance", rests_on=("bound/constant", "bound/weight"))
def marginal_form(reference: Reference, model: Subject) -> Cases:
    """Eq. 16: with the best network for normal data, L_{t−1} costs what x_t leaves unknown, and no more.

    For x_0 ~ N(0.3, 0.37) its average is I(x_0; x_{t−1} | x_t) + D_KL(q(x_{t−1} | x_t) ‖ p_θ(x_{t−1} | x_t)).
    """
    m, v = 0.3, 0.37
    ones = np.ones((1, model.dim))
    x_0 = np.repeat(m + math.sqrt(v) * _NODES, 3)[:, None] * ones
    eps, weights = np.tile(_NODES, 3)[:, None] * ones, np.repeat(_WEIGHTS, 3) * np.tile(_WEIGHTS, 3)
    network = reference.normal_denoiser(m, v)
    spreads = reference.signal * v + reference.noise
    for t in reference.times(first=2):
        average = float(weights @ model.bound_term(network, x_0, t, eps))
        given = reference.beta[t] * spreads[t - 1] / spreads[t]
        ratio = given / model.variance(t)
        unknown = math.log(given / reference.posterior_variance(t)) / 2
        expected = model.dim * (unknown + (ratio - 1 - math.log(ratio)) / 2)
        yield Case(abs(average - expected), term_error(reference, t, 4.0, 3.0), t)


def term_error(reference: Reference, t: int, eps: float, missed: float, x_t: float = 3.0) -> float:
    """The absolute error of L_{t−1}, t ≥ 2, for an ε of this size and a mean that is `missed` times σ_t off."""
    model = reference.subject
    variance, right = model.variance(t), reference.posterior_variance(t)
    v = reference.variance_error(t)
    # Both means are computed; either may be off.
    m = 2 * reference.mean_error(t, x_t, eps) / math.sqrt(variance)
    each = v * (abs(right / variance - 1) + missed**2) + missed * m + m**2 / 2
    each += 32 * model.unit * (1 + abs(math.log(variance)) + abs(math.log(right)) + missed**2)
    return model.dim * each


def _wavy(x_t: Array, t: Array) -> Array:
    answer: Array = 3 * np.sin(2 * x_t)
    return answer
