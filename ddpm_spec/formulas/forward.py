"""The forward process q (§2, Eqs. 2 and 4): noise is added, nothing is learned."""

from ddpm_spec.formulas.gaussian import linear_mean, linear_variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, sqrt

__all__ = [
    "alpha",
    "alpha_bar",
    "one_minus_alpha_bar",
    "q_mean",
    "q_sample",
    "q_step_mean",
    "q_step_variance",
    "q_variance",
]


def alpha(beta: Number) -> Number:
    """α_t = 1 − β_t (§2)."""
    return 1 - beta


def alpha_bar(alpha_t: Number, alpha_bar_prev: Number) -> Number:
    """ᾱ_t = α_t ᾱ_{t−1}, one step of the product in Eq. 4, from ᾱ_0 = 1."""
    return alpha_t * alpha_bar_prev


def one_minus_alpha_bar(beta: Number, one_minus_alpha_bar_prev: Number) -> Number:
    """1 − ᾱ_t from 1 − ᾱ_{t−1}: the variance in the induction step of Eq. 4.

    A sum of positive terms, so it keeps its digits where 1 − ᾱ_t computed from ᾱ_t cancels.
    """
    return linear_variance(one_minus_alpha_bar_prev, alpha(beta), beta)


def q_step_mean(x_prev: Number, at: Step) -> Number:
    """Mean of q(x_t | x_{t−1}), Eq. 2. `x_prev` is x_{t−1}, the coefficients broadcast against it."""
    return linear_mean(x_prev, sqrt(at.alpha))


def q_step_variance(at: Step) -> Number:
    """Variance of q(x_t | x_{t−1}), Eq. 2."""
    return at.beta


def q_mean(x_0: Number, at: Step) -> Number:
    """Mean of q(x_t | x_0), Eq. 4."""
    return linear_mean(x_0, sqrt(at.alpha_bar))


def q_variance(at: Step) -> Number:
    """Variance of q(x_t | x_0), Eq. 4."""
    return at.one_minus_alpha_bar


def q_sample(x_0: Number, eps: Number, at: Step) -> Number:
    """x_t(x_0, ε), a draw from q(x_t | x_0) of Eq. 4 for ε ~ N(0, I).

    `x_0`, `eps`: any shape, data scaled to [−1, 1]; the fields of `at` broadcast against it.
    The result has the common dtype of the arguments. Rounding: 2(1+κ)u.
    """
    return q_mean(x_0, at) + sqrt(q_variance(at)) * eps
