"""The bound by SNRs: the weights of Eq. 12 rewritten, and the limit for normal data."""

from ddpm_spec.followups import snr
from ddpm_spec.formulas import bound, forward, objective, posterior, reverse, variance
from ddpm_spec.ops import log, sqrt
from ddpm_spec.ops.typeset import letter, named
from ddpm_spec.proofs.calculus import Calculus, integral
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, EPS, EPS_HAT, X_0, X_T, positive

__all__ = ["CONTINUOUS", "DERIVATIONS", "EPS_WEIGHT", "ERRORS", "RESIDUAL", "X_0_WEIGHT"]

BETA_TILDE = posterior.posterior_variance(AT)


def _eps_weight() -> Derivation:
    return Derivation(
        title="Eq. 12's weight by SNRs",
        nodes=("beyond-snr",),
        lines=(
            Line(
                Value(objective.eps_weight(named(r"\tilde\beta_t", BETA_TILDE), AT)),
                r"The weight of $\lVert\epsilon-\epsilon_\theta\rVert^2$ in Eq. 12 at $\sigma_t^2 = "
                r"\tilde\beta_t$.",
                where=((r"\tilde\beta_t", BETA_TILDE),),
            ),
            Line(
                Value(AT.beta / (2 * AT.alpha * AT.one_minus_alpha_bar_prev)),
                r"Put in $\tilde\beta_t$; $\beta_t$ and $1-\bar\alpha_t$ cancel once each.",
            ),
            Line(
                Value(
                    (
                        AT.alpha_bar_prev
                        * AT.one_minus_alpha_bar
                        / (AT.one_minus_alpha_bar_prev * AT.alpha_bar)
                        - 1
                    )
                    / 2
                ),
                r"$\beta_t/\alpha_t = (\bar\alpha_{t-1} - \bar\alpha_t)/\bar\alpha_t$ and "
                r"$\bar\alpha_{t-1}(1-\bar\alpha_t) - \bar\alpha_t(1-\bar\alpha_{t-1}) = "
                r"\bar\alpha_{t-1} - \bar\alpha_t$.",
            ),
        ),
        end=Value(snr.eps_snr_weight(AT)),
        end_tex="w_t",
        formulas=(snr.eps_snr_weight, snr.snr, snr.snr_prev, objective.eps_weight),
        assumptions=(r"$\sigma_t^2 = \tilde\beta_t$ and $2 \le t \le T$; not for $\sigma_t^2 = \beta_t$.",),
    )


def _x_0_weight() -> Derivation:
    x_0_hat = letter(r"\hat x_0")
    mean = posterior.posterior_mean(x_0_hat, X_T, AT)
    gain = sqrt(AT.alpha_bar_prev) * AT.beta / AT.one_minus_alpha_bar
    return Derivation(
        title=r"A step of the bound as an error in $x_0$",
        nodes=("beyond-snr",),
        lines=(
            Line(
                Value(
                    bound.step_term(
                        X_0, X_T, named(r"\mu_\theta", mean), named(r"\tilde\beta_t", BETA_TILDE), AT
                    )
                ),
                r"$L_{t-1}$ at $\sigma_t^2 = \tilde\beta_t$; the network's mean is Eq. 7 at its $\hat x_0$.",
                where=((r"\mu_\theta", mean), (r"\tilde\beta_t", BETA_TILDE)),
            ),
            Line(
                Value(gain**2 * (X_0 - x_0_hat) ** 2 / (2 * named(r"\tilde\beta_t", BETA_TILDE))),
                r"The variances agree, and in the difference of the means $x_t$ drops out.",
                where=((r"\tilde\beta_t", BETA_TILDE),),
            ),
            Line(
                Value(
                    (AT.alpha_bar_prev / AT.one_minus_alpha_bar_prev - AT.alpha_bar / AT.one_minus_alpha_bar)
                    / 2
                    * (X_0 - x_0_hat) ** 2
                ),
                r"$\bar\alpha_{t-1}\beta_t = \bar\alpha_{t-1} - \bar\alpha_t$ over the two $1-\bar\alpha$.",
            ),
        ),
        end=Value(snr.x_0_snr_weight(AT) * objective.simple_loss(X_0, x_0_hat)),
        end_tex="L_{t-1}",
        formulas=(snr.x_0_snr_weight, snr.snr, snr.snr_prev, bound.step_term),
        assumptions=(r"$\sigma_t^2 = \tilde\beta_t$ and $2 \le t \le T$; not for $\sigma_t^2 = \beta_t$.",),
    )


def _errors() -> Derivation:
    x_t = forward.q_sample(X_0, EPS, AT)
    x_0_hat = reverse.predict_x_0(named("x_t", x_t), EPS_HAT, AT)
    return Derivation(
        title="An error in the noise is one in the image",
        nodes=("beyond-snr",),
        lines=(
            Line(
                Value(snr.snr(AT) * objective.simple_loss(X_0, named(r"\hat x_0", x_0_hat))),
                r"The error of $\hat x_0$ of Eq. 15, times the SNR.",
                where=((r"\hat x_0", x_0_hat), ("x_t", x_t)),
            ),
        ),
        end=Value(objective.simple_loss(EPS, EPS_HAT)),
        end_tex=r"(\epsilon - \epsilon_\theta)^2",
        formulas=(snr.snr, objective.simple_loss, reverse.predict_x_0, forward.q_sample),
    )


def _residual() -> Derivation:
    v = positive("v")
    ratio = snr.snr(AT)
    return Derivation(
        title="The error of the exact denoiser, by SNR",
        nodes=("beyond-snr",),
        lines=(
            Line(
                Value(v / (1 + v * named(r"\nu", ratio))),
                r"For $x_0 \sim \mathcal{N}(0, v)$ the precisions add: $1/v$ of the data and "
                r"$\nu = \mathrm{SNR}(t)$ of the measurement.",
                where=((r"\nu", ratio),),
            ),
        ),
        end=Value(variance.linear_residual(v, AT)),
        end_tex=r"\operatorname{Var}(x_0 \mid x_t)",
        formulas=(variance.linear_residual, snr.snr),
    )


def _continuous() -> Derivation:
    v, ratio = positive("v"), positive("y")
    least, most = positive(r"\nu_{\min}"), positive(r"\nu_{\max}")
    return Derivation(
        title="The bound in continuous time",
        nodes=("beyond-ends",),
        lines=(
            Line(
                Value(integral(v / (1 + v * ratio) / 2, ratio, least, most)),
                r"$\sum_t \tfrac12(\mathrm{SNR}(t-1) - \mathrm{SNR}(t))\,\mathrm{Var}(x_0 \mid x_t)$ as the "
                r"steps "
                r"become many: an integral over $y = \mathrm{SNR}$, whatever the order in time in which "
                r"it is "
                "passed.",
            ),
            Line(
                Value((log(1 + v * most) - log(1 + v * least)) / 2),
                r"Integrate. Only the two ends are left.",
                Calculus(),
            ),
        ),
        end=Value(snr.snr_bound(v, most, least)),
        end_tex=r"L_\infty",
        formulas=(snr.snr_bound,),
        assumptions=(
            r"$x_0 \sim \mathcal{N}(0, v)$ and the exact denoiser; in nats a coordinate.",
            "The sum is a Riemann sum of a falling function, so it exceeds the integral.",
        ),
    )


EPS_WEIGHT = _eps_weight()
X_0_WEIGHT = _x_0_weight()
ERRORS = _errors()
RESIDUAL = _residual()
CONTINUOUS = _continuous()

DERIVATIONS = (EPS_WEIGHT, X_0_WEIGHT, ERRORS, RESIDUAL, CONTINUOUS)
