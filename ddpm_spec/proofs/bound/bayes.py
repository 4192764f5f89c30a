"""Bayes' rule, by which a step of q is turned round: given x_0 (Eq. 20) and with marginal laws (Eq. 24)."""

from ddpm_spec.formulas import forward, gaussian, posterior
from ddpm_spec.ops import log, sqrt, two_pi
from ddpm_spec.ops.typeset import Term, named, rows
from ddpm_spec.proofs.bound.laws import (
    M_PREV,
    V_PREV,
    q_given,
    q_given_prev,
    q_marginal,
    q_marginal_prev,
    q_posterior,
    q_reverse,
    q_step,
)
from ddpm_spec.proofs.engine import Derivation, Line, Normal, Value, Within
from ddpm_spec.proofs.letters import AT, X_PREV, X_T
from ddpm_spec.proofs.posterior import POSTERIOR

__all__ = ["BAYES_GIVEN_X_0", "BAYES_MARGINAL"]


def _log(law: str, normal: Normal) -> Term:
    return named(rf"\log {law}", normal.term)


def _bayes_given_x_0() -> Derivation:
    step, given, given_prev = q_step(), q_given(), q_given_prev()
    log_step = _log(r"q(x_t \mid x_{t-1})", step)
    log_given, log_given_prev = _log(r"q(x_t \mid x_0)", given), _log(r"q(x_{t-1} \mid x_0)", given_prev)
    return Derivation(
        title="Bayes' rule given $x_0$",
        nodes=("lemma-bayes",),
        lines=(
            Line(Value(log_step), r"Eq. 2, for $t \ge 2$."),
            Line(
                Value(rows(log_step, log_given_prev, -log_given, log_given, -log_given_prev)),
                "Add and take away the two laws of Eq. 4.",
            ),
            Line(
                Value(
                    rows(_log(r"q(x_{t-1} \mid x_t, x_0)", q_posterior()), log_given, -log_given_prev),
                ),
                "The first three are the forward process posterior, Eq. 6.",
                Within(POSTERIOR),
            ),
        ),
        end=Value(rows(_log(r"q(x_{t-1} \mid x_t, x_0)", q_posterior()), log_given, -log_given_prev)),
        formulas=(
            posterior.posterior_mean,
            posterior.posterior_variance,
            forward.q_step_mean,
            forward.q_step_variance,
            forward.q_mean,
            forward.q_variance,
        ),
        assumptions=("The forward process is a Markov chain (Eq. 2).",),
    )


def _bayes_marginal() -> Derivation:
    step, before, after, back = q_step(), q_marginal_prev(), q_marginal(), q_reverse()
    v, m, r = named("V_t", after.variance), named("m_*", back.mean), named("r_*", back.variance)
    names = rows(_log(r"q(x_{t-1} \mid x_t)", back), _log("q(x_t)", after), -_log("q(x_{t-1})", before))
    return Derivation(
        title="Bayes' rule with marginal laws",
        nodes=("lemma-bayes",),
        lines=(
            Line(
                Value(_log(r"q(x_t \mid x_{t-1})", step)),
                "Eq. 2. For normal data each $q(x_t)$ is normal; let that of $x_{t-1}$ have mean $m_{t-1}$ "
                "and variance $V_{t-1}$.",
            ),
            Line(
                Value(rows(-((X_T - step.mean) ** 2) / (2 * AT.beta), -log(two_pi(X_T) * AT.beta) / 2)),
                "Write the density out.",
            ),
            Line(
                Value(
                    rows(
                        -((X_PREV - m) ** 2) / (2 * r),
                        -((X_T - after.mean) ** 2) / (2 * v),
                        (X_PREV - M_PREV) ** 2 / (2 * V_PREV),
                        -log(two_pi(X_T) * AT.beta) / 2,
                    )
                ),
                r"Add and take away $(x_{t-1}-m_{t-1})^2/2V_{t-1}$ and complete the square in $x_{t-1}$.",
                where=(
                    ("V_t", after.variance),
                    ("m_*", (AT.beta * M_PREV + sqrt(AT.alpha) * V_PREV * X_T) / v),
                    ("r_*", V_PREV * AT.beta / v),
                ),
            ),
            Line(
                Value(
                    rows(
                        -((X_PREV - m) ** 2) / (2 * r) - log(two_pi(X_T) * r) / 2,
                        -((X_T - after.mean) ** 2) / (2 * v) - log(two_pi(X_T) * v) / 2,
                        (X_PREV - M_PREV) ** 2 / (2 * V_PREV) + log(two_pi(X_T) * V_PREV) / 2,
                    )
                ),
                r"The logarithms agree, since $r_* V_t = V_{t-1}\beta_t$.",
            ),
            Line(
                Value(names),
                r"Read off three normal laws: the second is that of $\sqrt{\alpha_t}\,x_{t-1}$ plus noise, "
                "so the first is the law of $x_{t-1}$ given $x_t$.",
            ),
        ),
        end=Value(names),
        formulas=(gaussian.linear_mean, gaussian.linear_variance, forward.q_step_mean, gaussian.log_density),
        assumptions=(
            r"The data are normal, $x_0 \sim \mathcal{N}(m, v)$. For any other law this line is the "
            r"definition of $q(x_{t-1} \mid x_t)$.",
        ),
    )


BAYES_GIVEN_X_0 = _bayes_given_x_0()
BAYES_MARGINAL = _bayes_marginal()
