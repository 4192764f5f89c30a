"""Eq. 4 by induction on t, the step being the functions that fill the schedule's tables."""

from ddpm_spec.formulas import forward
from ddpm_spec.ops.typeset import letter, rows
from ddpm_spec.proofs.engine import By, Derivation, Integral, Line, Normal
from ddpm_spec.proofs.gaussian import gaussian_sum
from ddpm_spec.proofs.letters import AT, AT_1, X_0, X_PREV, X_T

__all__ = ["BASE", "STEP"]

_FORMULAS = (
    forward.q_mean,
    forward.q_variance,
    forward.q_step_mean,
    forward.q_step_variance,
    forward.alpha,
    forward.alpha_bar,
    forward.one_minus_alpha_bar,
)


def _base() -> Derivation:
    x_1 = letter("x_1")
    return Derivation(
        title="Eq. 4, the first step",
        nodes=("eq-4",),
        lines=(
            Line(
                Normal(x_1, forward.q_step_mean(X_0, AT_1), forward.q_step_variance(AT_1)),
                r"Eq. 2 at $t = 1$ is already the law of $x_1$ given $x_0$.",
            ),
            Line(
                Normal(
                    x_1,
                    forward.q_mean(
                        X_0, AT_1._replace(alpha_bar=forward.alpha_bar(AT_1.alpha, AT_1.alpha_bar_prev))
                    ),
                    forward.one_minus_alpha_bar(AT_1.beta, AT_1.one_minus_alpha_bar_prev),
                ),
                r"With $\bar\alpha_0 = 1$ the recursions give $\bar\alpha_1 = \alpha_1$ and "
                r"$1-\bar\alpha_1 = \beta_1$.",
            ),
        ),
        end=Normal(x_1, forward.q_mean(X_0, AT_1), forward.q_variance(AT_1)),
        end_tex=r"\log q(x_1 \mid x_0)",
        formulas=_FORMULAS,
    )


def _step() -> Derivation:
    step = Normal(X_T, forward.q_step_mean(X_PREV, AT), forward.q_step_variance(AT))
    before = AT._replace(alpha_bar=AT.alpha_bar_prev, one_minus_alpha_bar=AT.one_minus_alpha_bar_prev)
    assumed = Normal(X_PREV, forward.q_mean(X_0, before), forward.q_variance(before))
    product = AT._replace(alpha_bar=forward.alpha_bar(AT.alpha, AT.alpha_bar_prev))
    summed = gaussian_sum(X_T, X_PREV, assumed.mean, assumed.variance, AT.alpha, step.variance)
    return Derivation(
        title="Eq. 4, from $t-1$ to $t$",
        nodes=("eq-4",),
        lines=(
            Line(
                Integral(rows(step.name, assumed.name), X_PREV),
                "Markov property: average Eq. 2 over the law of $x_{t-1}$, for which Eq. 4 is assumed.",
            ),
            Line(
                Normal(
                    X_T,
                    forward.q_step_mean(assumed.mean, AT),
                    AT.alpha * AT.one_minus_alpha_bar_prev + AT.beta,
                ),
                "A normal law scaled by a constant, plus independent normal noise, is normal.",
                By(summed),
            ),
            Line(
                Normal(
                    X_T,
                    forward.q_mean(X_0, product),
                    forward.one_minus_alpha_bar(AT.beta, AT.one_minus_alpha_bar_prev),
                ),
                r"The roots multiply, and $\alpha_t = 1-\beta_t$: these are the two recursions that fill the "
                "schedule's tables.",
            ),
        ),
        end=Normal(X_T, forward.q_mean(X_0, AT), forward.q_variance(AT)),
        end_tex=r"\log q(x_t \mid x_0)",
        formulas=_FORMULAS,
        assumptions=("The forward process is a Markov chain (Eq. 2).",),
    )


BASE = _base()
STEP = _step()
