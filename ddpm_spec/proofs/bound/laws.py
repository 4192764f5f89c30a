"""The normal law that each letter of the path stands for at one step.

They are functions rather than constants, so that a law is built on the formula as it is when it is asked for.
"""

from ddpm_spec.formulas import forward, gaussian, posterior
from ddpm_spec.ops import sqrt
from ddpm_spec.ops.typeset import Term, letter, t
from ddpm_spec.proofs.engine import Normal
from ddpm_spec.proofs.letters import AT, AT_1, ONE, SIGMA_SQUARED, X_0, X_PREV, X_T, ZERO, positive
from ddpm_spec.proofs.path import Q_GIVEN, Q_POSTERIOR, Q_STEP

__all__ = [
    "MU",
    "M_PREV",
    "V_PREV",
    "bayes_laws",
    "first_step_laws",
    "p_prior",
    "p_step",
    "q_given",
    "q_given_prev",
    "q_marginal",
    "q_marginal_prev",
    "q_posterior",
    "q_reverse",
    "q_step",
]

MU = letter(r"\mu_\theta")
M_PREV, V_PREV = letter("m_{t-1}"), positive("V_{t-1}")
"""Mean and variance of q(x_{t−1}) where the data are normal."""


def p_prior() -> Normal:
    """p(x_T)."""
    return Normal(X_T, ZERO, ONE)


def p_step() -> Normal:
    """p_θ(x_{t−1} | x_t) with Σ_θ = σ_t² I."""
    return Normal(X_PREV, MU, SIGMA_SQUARED)


def q_step() -> Normal:
    """q(x_t | x_{t−1}), Eq. 2."""
    return Normal(X_T, forward.q_step_mean(X_PREV, AT), forward.q_step_variance(AT))


def q_given() -> Normal:
    """q(x_t | x_0), Eq. 4."""
    return Normal(X_T, forward.q_mean(X_0, AT), forward.q_variance(AT))


def q_given_prev() -> Normal:
    """q(x_{t−1} | x_0), Eq. 4 a step earlier."""
    before = AT._replace(alpha_bar=AT.alpha_bar_prev, one_minus_alpha_bar=AT.one_minus_alpha_bar_prev)
    return Normal(X_PREV, forward.q_mean(X_0, before), forward.q_variance(before))


def q_posterior() -> Normal:
    """q(x_{t−1} | x_t, x_0), Eq. 6."""
    return Normal(X_PREV, posterior.posterior_mean(X_0, X_T, AT), posterior.posterior_variance(AT))


def q_marginal_prev() -> Normal:
    """q(x_{t−1}) for normal data."""
    return Normal(X_PREV, M_PREV, V_PREV)


def q_marginal() -> Normal:
    """q(x_t) for normal data: one step of Eq. 2 from q(x_{t−1})."""
    mean = gaussian.linear_mean(M_PREV, sqrt(AT.alpha))
    return Normal(X_T, mean, gaussian.linear_variance(V_PREV, AT.alpha, AT.beta))


def q_reverse() -> Normal:
    """q(x_{t−1} | x_t) for normal data."""
    v = q_marginal().variance
    mean = (AT.beta * M_PREV + sqrt(AT.alpha) * V_PREV * X_T) / v
    return Normal(X_PREV, mean, V_PREV * AT.beta / v)


def bayes_laws() -> tuple[tuple[Term, Normal], ...]:
    """The laws that Bayes' rule given x_0 is about, and their densities."""
    return (
        (Q_STEP(t), q_step()),
        (Q_POSTERIOR(t), q_posterior()),
        (Q_GIVEN(t), q_given()),
        (Q_GIVEN(t - 1), q_given_prev()),
    )


def first_step_laws() -> tuple[tuple[Term, Normal], ...]:
    """q(x_1 | x_0), as the first step of Eq. 2 and by Eq. 4."""
    x_1 = letter("x_1")
    return (
        (Q_STEP(1), Normal(x_1, forward.q_step_mean(X_0, AT_1), forward.q_step_variance(AT_1))),
        (Q_GIVEN(1), Normal(x_1, forward.q_mean(X_0, AT_1), forward.q_variance(AT_1))),
    )
