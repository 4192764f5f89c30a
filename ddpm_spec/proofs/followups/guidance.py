"""Guidance: the score it follows, the mean it moves, and the law it stands for on normal classes."""

from ddpm_spec.followups import guidance
from ddpm_spec.formulas import reverse
from ddpm_spec.ops import sqrt
from ddpm_spec.ops.typeset import letter, named
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, EPS_HAT, X_T, positive
from ddpm_spec.proofs.zero import UnitInterval

__all__ = ["DERIVATIONS", "LAW", "MEAN", "SCORE", "TWO_RULES"]

W, S, G = letter("w"), letter("s"), letter("g")


def _score() -> Derivation:
    conditional, unconditional = letter(r"\epsilon_c"), letter(r"\epsilon_u")
    root = sqrt(AT.one_minus_alpha_bar)
    s_c, s_u = guidance.score(conditional, AT), guidance.score(unconditional, AT)
    return Derivation(
        title="The score of the guided prediction",
        nodes=("beyond-guidance",),
        lines=(
            Line(
                Value((1 + W) * named("s_c", s_c) - W * named("s_u", s_u)),
                r"The gradient of $\log\,[p_t(x \mid c)^{1+w}\, p_t(x)^{-w}]$, from the two scores.",
                where=(("s_c", s_c), ("s_u", s_u)),
            ),
            Line(
                Value(-(((1 + W) * conditional - W * unconditional) / root)),
                r"Both have the same factor $-1/\sqrt{1-\bar\alpha_t}$.",
            ),
        ),
        end=Value(guidance.score(guidance.guided_eps(conditional, unconditional, W), AT)),
        end_tex=r"\nabla\log\,[p_t(x \mid c)^{1+w}\, p_t(x)^{-w}]",
        formulas=(guidance.guided_eps, guidance.score),
        assumptions=("Both predictions are exact.",),
    )


def _mean() -> Derivation:
    shift = AT.beta / sqrt(AT.alpha)
    return Derivation(
        title="A shift of the noise is a shift of the mean",
        nodes=("beyond-classifier",),
        lines=(
            Line(
                Value(reverse.mean_from_eps(X_T, EPS_HAT, AT) + S * shift * G),
                r"Eq. 11 moved along $g = \nabla\log p(y \mid x_t)$ by $s\,\beta_t/\sqrt{\alpha_t}$.",
            ),
        ),
        end=Value(reverse.mean_from_eps(X_T, guidance.classifier_eps(EPS_HAT, G, S, AT), AT)),
        end_tex=r"\mu_\theta",
        formulas=(guidance.classifier_eps, reverse.mean_from_eps),
    )


def _two_rules() -> Derivation:
    mean = reverse.mean_from_eps(X_T, EPS_HAT, AT)
    mu = named(r"\mu_\theta", mean)
    return Derivation(
        title="The two algorithms of classifier guidance",
        nodes=("beyond-classifier",),
        lines=(
            Line(
                Value(mu + S / sqrt(AT.alpha) * AT.beta * G),
                r"The mean under the shifted noise.",
                where=((r"\mu_\theta", mean),),
            ),
        ),
        end=Value(guidance.classifier_mean(mu, AT.beta, G, S / sqrt(AT.alpha))),
        end_tex=r"\mu_\theta",
        formulas=(guidance.classifier_mean, reverse.mean_from_eps),
        assumptions=(
            r"$\sigma_t^2 = \beta_t$: then the two agree up to the factor $1/\sqrt{\alpha_t}$ on the scale, "
            r"which "
            "is 1.01 at most with the paper's schedule.",
        ),
    )


def _law() -> Derivation:
    u, w = letter("u", UnitInterval("u")), positive("w")
    return Derivation(
        title="Guidance on a normal class",
        nodes=("beyond-guided-law",),
        lines=(
            Line(
                Value(1 / ((1 + w) / (1 - u) - w)),
                r"A class of variance $\tau^2$ inside $\mathcal{N}(0, 1)$. At $t$ it has variance $1-u$, "
                r"$u = \bar\alpha_t(1-\tau^2)$, and all the data keep variance 1. Precisions add with the "
                r"powers "
                r"$1+w$ and $-w$.",
            ),
            Line(
                Value((1 - u) / (1 + w - w * (1 - u))),
                r"Over one denominator. A diffusion of fixed data would have a variance linear in "
                r"$\bar\alpha_t$, and this is linear for $w = 0$ and $w = -1$ only.",
            ),
        ),
        end=Value(guidance.guided_variance(u, w)),
        formulas=(guidance.guided_variance,),
    )


SCORE = _score()
MEAN = _mean()
TWO_RULES = _two_rules()
LAW = _law()

DERIVATIONS = (SCORE, MEAN, TWO_RULES, LAW)
