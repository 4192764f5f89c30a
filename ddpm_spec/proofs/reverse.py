"""Eq. 15 inverts Eq. 4, and Eq. 11 is Eq. 7 at the x_0 that Eq. 15 predicts."""

from ddpm_spec.formulas import forward, posterior, reverse
from ddpm_spec.ops import log, sqrt
from ddpm_spec.ops.typeset import letter, named, rows
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, EPS, EPS_HAT, X_0, X_T

__all__ = ["LOGARITHM", "MEAN", "X_0_HAT"]


def _x_0_hat() -> Derivation:
    x_t = forward.q_sample(X_0, EPS, AT)
    return Derivation(
        title="The predicted $x_0$",
        nodes=("eq-15",),
        lines=(
            Line(
                Value(X_0),
                r"The image that $x_t$ of Eq. 4 was made of.",
                where=(("x_t", x_t),),
            ),
            Line(
                Value(
                    (
                        sqrt(AT.alpha_bar) * X_0
                        + sqrt(AT.one_minus_alpha_bar) * EPS
                        - sqrt(AT.one_minus_alpha_bar) * EPS
                    )
                    / sqrt(AT.alpha_bar)
                ),
                "Add and take away the noise, multiply and divide by the scale.",
            ),
        ),
        end=Value(reverse.predict_x_0(named("x_t", x_t), EPS, AT)),
        end_tex=r"\hat x_0",
        formulas=(reverse.predict_x_0, forward.q_sample),
        assumptions=(
            r"$\epsilon$ is the noise in $x_t$; with $\epsilon_\theta$ instead, $\hat x_0$ is a prediction.",
        ),
    )


def _mean() -> Derivation:
    x_0 = reverse.predict_x_0(X_T, EPS_HAT, AT)
    v, v_prev = AT.one_minus_alpha_bar, AT.one_minus_alpha_bar_prev
    noise = AT.beta / (v * sqrt(AT.alpha)) * (sqrt(v) * EPS_HAT)
    return Derivation(
        title="The reverse mean from the predicted noise",
        nodes=("eq-11",),
        lines=(
            Line(
                Value(posterior.posterior_mean(named(r"\hat x_0", x_0), X_T, AT)),
                r"Eq. 7 with the predicted $\hat x_0$ of Eq. 15 in the place of $x_0$.",
                where=((r"\hat x_0", x_0),),
            ),
            Line(
                Value(
                    rows(
                        AT.beta / (v * sqrt(AT.alpha)) * X_T,
                        sqrt(AT.alpha) * v_prev / v * X_T,
                        -noise,
                    )
                ),
                r"Put in $\hat x_0$; $\sqrt{\bar\alpha_{t-1}}/\sqrt{\bar\alpha_t} = 1/\sqrt{\alpha_t}$.",
            ),
            Line(
                Value(
                    rows(
                        (AT.beta + AT.alpha * v_prev) / (v * sqrt(AT.alpha)) * X_T,
                        -(AT.beta / (sqrt(AT.alpha) * sqrt(v)) * EPS_HAT),
                    )
                ),
                r"Collect $x_t$ over one denominator and cancel a root of $1-\bar\alpha_t$.",
            ),
            Line(
                Value(1 / sqrt(AT.alpha) * X_T - AT.beta / (sqrt(AT.alpha) * sqrt(v)) * EPS_HAT),
                r"$\beta_t + \alpha_t(1-\bar\alpha_{t-1}) = 1-\bar\alpha_t$, the recursion of Eq. 4.",
            ),
        ),
        end=Value(reverse.mean_from_eps(X_T, EPS_HAT, AT)),
        end_tex=r"\mu_\theta(x_t, t)",
        formulas=(reverse.mean_from_eps, reverse.predict_x_0, posterior.posterior_mean),
        assumptions=(r"$2 \le t \le T$ here; at $t = 1$ both sides are $\hat x_0$.",),
    )


def _logarithm() -> Derivation:
    output = letter(r"\ell_\theta")
    return Derivation(
        title="The variance from its logarithm",
        nodes=(),
        lines=(Line(Value(output), "What the network gives for the logarithm, any real number."),),
        end=Value(log(reverse.learned_variance(output))),
        end_tex=r"\log \sigma_t^2",
        formulas=(reverse.learned_variance,),
    )


X_0_HAT = _x_0_hat()
MEAN = _mean()
LOGARITHM = _logarithm()
