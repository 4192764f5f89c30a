"""Eq. 12: what an error in the predicted noise costs in the bound."""

from ddpm_spec.formulas import forward, objective, posterior, reverse
from ddpm_spec.ops import sqrt
from ddpm_spec.ops.typeset import Term, named
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, EPS, EPS_HAT, SIGMA_SQUARED, X_0

__all__ = ["WEIGHT"]


def _weight() -> Derivation:
    x_t_of_noise: Term = forward.q_sample(X_0, EPS, AT)
    x_t = named("x_t", x_t_of_noise)
    target: Term = posterior.posterior_mean(X_0, x_t, AT)
    mean_eps: Term = reverse.mean_from_eps(x_t, EPS, AT)
    shift = AT.beta / (sqrt(AT.alpha) * sqrt(AT.one_minus_alpha_bar))
    mean: Term = reverse.mean_from_eps(x_t, EPS_HAT, AT)
    mu_tilde, mu = named(r"\tilde\mu_t", target), named(r"\mu_\theta", mean)
    return Derivation(
        title="The bound as a weighted error in the noise",
        nodes=("eq-12",),
        lines=(
            Line(
                Value((mu_tilde - mu) ** 2 / (2 * SIGMA_SQUARED)),
                "One coordinate of Eq. 8 without its constant, at the $x_t$ of Eq. 4.",
                where=(("x_t", x_t_of_noise), (r"\tilde\mu_t", target), (r"\mu_\theta", mean)),
            ),
            Line(
                Value((mean_eps - mu) ** 2 / (2 * SIGMA_SQUARED)),
                r"Eliminate $x_0$: Eq. 7 at the $x_0$ that $x_t$ and $\epsilon$ imply (Eq. 10).",
            ),
            Line(
                Value((shift * (EPS_HAT - EPS)) ** 2 / (2 * SIGMA_SQUARED)),
                "Put in Eq. 11: the two means differ in the noise only.",
            ),
        ),
        end=Value(objective.eps_weight(SIGMA_SQUARED, AT) * objective.simple_loss(EPS, EPS_HAT)),
        end_tex=r"L_{t-1} - C",
        formulas=(
            objective.eps_weight,
            objective.simple_loss,
            reverse.mean_from_eps,
            posterior.posterior_mean,
        ),
        assumptions=(
            r"$\Sigma_\theta = \sigma_t^2 I$ with $\sigma_t^2 > 0$ fixed.",
            r"$2 \le t \le T$; the term $L_0$ of $t = 1$ is the decoder's.",
        ),
    )


WEIGHT = _weight()
