"""Eqs. 6 and 7: Bayes' rule and a completed square."""

from ddpm_spec.formulas import forward, posterior, reverse
from ddpm_spec.ops import log, sqrt, two_pi
from ddpm_spec.ops.typeset import named, rows
from ddpm_spec.proofs.engine import Derivation, Line, Normal, Value
from ddpm_spec.proofs.letters import AT, X_0, X_PREV, X_T

__all__ = ["INVERSE", "POSTERIOR"]


def _posterior() -> Derivation:
    before = AT._replace(alpha_bar=AT.alpha_bar_prev, one_minus_alpha_bar=AT.one_minus_alpha_bar_prev)
    step = Normal(X_T, forward.q_step_mean(X_PREV, AT), forward.q_step_variance(AT))
    marginal_prev = Normal(X_PREV, forward.q_mean(X_0, before), forward.q_variance(before))
    marginal = Normal(X_T, forward.q_mean(X_0, AT), forward.q_variance(AT))

    free = rows(
        X_T**2 / (2 * AT.one_minus_alpha_bar),
        -(sqrt(AT.alpha_bar) * X_0 * X_T / AT.one_minus_alpha_bar),
        AT.alpha_bar * X_0**2 / (2 * AT.one_minus_alpha_bar),
        -(X_T**2) / (2 * AT.beta),
        -(AT.alpha_bar_prev * X_0**2) / (2 * AT.one_minus_alpha_bar_prev),
    )
    c = named("c", free)
    log_scale = log(AT.one_minus_alpha_bar / (two_pi(X_T) * AT.beta * AT.one_minus_alpha_bar_prev)) / 2
    linear = sqrt(AT.alpha) / AT.beta * X_T + sqrt(AT.alpha_bar_prev) / AT.one_minus_alpha_bar_prev * X_0
    precision = AT.alpha / AT.beta + 1 / AT.one_minus_alpha_bar_prev

    mean = posterior.posterior_mean(X_0, X_T, AT)
    variance = posterior.posterior_variance(AT)
    mu, beta_tilde = named(r"\tilde\mu_t", mean), named(r"\tilde\beta_t", variance)
    return Derivation(
        title="The forward process posterior",
        nodes=("eq-6", "eq-7"),
        lines=(
            Line(
                Value(
                    rows(
                        named(r"\log q(x_t \mid x_{t-1})", step.term),
                        named(r"\log q(x_{t-1} \mid x_0)", marginal_prev.term),
                        -named(r"\log q(x_t \mid x_0)", marginal.term),
                    )
                ),
                "Bayes' rule for $q(x_{t-1} \\mid x_t, x_0)$; by the Markov property "
                "$q(x_t \\mid x_{t-1}, x_0)$ is $q(x_t \\mid x_{t-1})$.",
            ),
            Line(
                Value(
                    rows(
                        -((step.x - step.mean) ** 2) / (2 * step.variance),
                        -((marginal_prev.x - marginal_prev.mean) ** 2) / (2 * marginal_prev.variance),
                        (marginal.x - marginal.mean) ** 2 / (2 * marginal.variance),
                        log_scale,
                    )
                ),
                "Put in Eq. 2 and, twice, Eq. 4.",
            ),
            Line(
                Value(rows(-precision / 2 * X_PREV**2, linear * X_PREV, c, log_scale)),
                "Multiply out and collect the powers of $x_{t-1}$; $c$ is what is free of it.",
                where=(("c", free),),
            ),
            Line(
                Value(rows(-(X_PREV**2) / (2 * beta_tilde), mu / beta_tilde * X_PREV, c, log_scale)),
                r"By $\alpha_t(1-\bar\alpha_{t-1}) + \beta_t = 1-\bar\alpha_t$ the first coefficient is "
                r"$1/\tilde\beta_t$; call $\tilde\beta_t$ times the second one $\tilde\mu_t$.",
                where=((r"\tilde\beta_t", variance), (r"\tilde\mu_t", mean)),
            ),
            Line(
                Value(rows(-((X_PREV - mu) ** 2) / (2 * beta_tilde), mu**2 / (2 * beta_tilde), c, log_scale)),
                "Complete the square.",
            ),
            Line(
                Value(
                    rows(
                        -((X_PREV - mu) ** 2) / (2 * beta_tilde),
                        -log(two_pi(X_T) * beta_tilde) / 2,
                    )
                ),
                r"The part free of $x_{t-1}$ cancels, as it must for a density, and the prefactor is "
                r"$1/(2\pi\tilde\beta_t)$.",
            ),
        ),
        end=Normal(X_PREV, mean, variance),
        end_tex=r"\log q(x_{t-1} \mid x_t, x_0)",
        formulas=(posterior.posterior_mean, posterior.posterior_variance),
        assumptions=(
            "The forward process is a Markov chain (Eq. 2).",
            r"$2 \le t \le T$; at $t = 1$ the posterior is the point $x_0$.",
        ),
    )


def _inverse() -> Derivation:
    mean = posterior.posterior_mean(X_0, X_T, AT)
    scale = sqrt(AT.alpha_bar_prev) * AT.beta
    rest = sqrt(AT.alpha) * AT.one_minus_alpha_bar_prev * X_T
    return Derivation(
        title="The image behind a posterior mean",
        nodes=("eq-7",),
        lines=(
            Line(
                Value(X_0),
                r"The image whose posterior mean at $x_t$ is $\tilde\mu_t$: a network that predicts the mean "
                "gives it too, so that it can be clipped.",
                where=((r"\tilde\mu_t", mean),),
            ),
            Line(
                Value((scale * X_0 + rest - rest) / scale),
                r"Multiply and divide by its factor in Eq. 7, add and take away the part of $x_t$, both "
                r"without the $1-\bar\alpha_t$ that divides them.",
            ),
        ),
        end=Value(reverse.x_0_from_mean(X_T, named(r"\tilde\mu_t", mean), AT)),
        end_tex=r"\hat x_0",
        formulas=(reverse.x_0_from_mean, posterior.posterior_mean),
    )


POSTERIOR = _posterior()
INVERSE = _inverse()
