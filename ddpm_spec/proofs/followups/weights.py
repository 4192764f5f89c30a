"""The table of weights, each row by substitution, the weight of L_simple, and the weighted bound."""

from ddpm_spec.followups import snr, v_prediction, weights
from ddpm_spec.formulas import forward, objective, reverse
from ddpm_spec.ops import cos, log, sin, two_pi
from ddpm_spec.ops.typeset import Steps, T, Term, named, t
from ddpm_spec.proofs.calculus import Calculus, Tangent, compared, slope
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, EPS, EPS_HAT, ONE, X_0, positive
from ddpm_spec.proofs.sums import PathValue

__all__ = [
    "BELOW",
    "BOUND",
    "COSINE",
    "DERIVATIONS",
    "MIN_SNR_ABOVE",
    "MIN_SNR_BELOW",
    "MIXTURE",
    "ON_X_0",
    "P2",
    "SHARES",
    "UNIT_OF_V",
    "V_LOSS",
    "WEIGHT",
]

RATIO = positive(r"\nu")
WEIGHT = PathValue("w", lambda x, prev: r"\omega" + x[1:])
BOUND = PathValue("K", lambda x, prev: "K" + x[1:])
"""K_t = L_T + Σ_{s>t} L_{s−1}, what Eq. 5 is for x_t in the place of x_0."""


def _v_loss() -> Derivation:
    x_t: Term = forward.q_sample(X_0, EPS, AT)
    x = named("x_t", x_t)
    hat = reverse.predict_x_0(x, EPS_HAT, AT)
    v, v_hat = v_prediction.velocity(X_0, EPS, AT), v_prediction.velocity(hat, EPS_HAT, AT)
    ratio = snr.snr(AT)
    loss = objective.simple_loss(EPS, EPS_HAT)
    return Derivation(
        title="The loss on $v$",
        nodes=("beyond-weights",),
        lines=(
            Line(
                Value(objective.simple_loss(named("v", v), named(r"\hat v", v_hat))),
                r"$\hat v$ is $v$ at the $\hat x_0$ of Eq. 15 and $\epsilon_\theta$.",
                where=(("v", v), (r"\hat v", v_hat), (r"\hat x_0", hat), ("x_t", x_t)),
            ),
            Line(
                Value(objective.simple_loss(X_0, named(r"\hat x_0", hat)) + loss),
                r"The errors of $x_0$ and $\epsilon$ are parallel of opposite sign, since $x_t$ is fixed, "
                r"and the "
                "squares of the two coefficients sum to one.",
                where=((r"\hat x_0", hat), ("x_t", x_t)),
            ),
            Line(
                Value((1 / named(r"\nu", ratio) + 1) * loss),
                r"An error in the image is one in the noise over the SNR $\nu$.",
                where=((r"\nu", ratio),),
            ),
        ),
        end=Value(weights.v_weight(AT) * loss),
        end_tex=r"(v - \hat v)^2",
        formulas=(weights.v_weight, v_prediction.velocity, objective.simple_loss),
    )


def _on_x_0() -> Derivation:
    ratio = snr.snr(AT)
    return Derivation(
        title="The loss on $v$, read on $x_0$",
        nodes=("beyond-weights",),
        lines=(
            Line(
                Value(1 + named(r"\nu", ratio)),
                r"$\nu = \mathrm{SNR}(t)$; on $x_0$ every weight gains the factor $\nu$.",
                where=((r"\nu", ratio),),
            ),
            Line(Value(1 / AT.one_minus_alpha_bar), r"Put in the SNR."),
        ),
        end=Value(weights.on_x_0(weights.v_weight(AT), AT)),
        formulas=(weights.on_x_0, weights.v_weight, snr.snr),
    )


def _unit_of_v() -> Derivation:
    return Derivation(
        title="The loss on $v$, read on $v$",
        nodes=("beyond-weights",),
        lines=(Line(Value(ONE), "An unweighted loss on $v$ has weight one there."),),
        end=Value(weights.on_v(weights.v_weight(AT), AT)),
        formulas=(weights.on_v, weights.v_weight),
    )


def _p2() -> Derivation:
    ratio = snr.snr(AT)
    undone = AT.alpha * AT.one_minus_alpha_bar / AT.beta
    return Derivation(
        title=r"P2 at $k = \gamma = 1$",
        nodes=("beyond-weights",),
        lines=(
            Line(
                Value(2 * undone * (objective.eps_weight(AT.beta, AT) / (1 + named(r"\nu", ratio)))),
                r"P2 weighs the steps of the bound ($\sigma_t^2 = \beta_t$) by "
                r"$\alpha_t(1-\bar\alpha_t)/\beta_t$ over $(k + \nu)^\gamma$, $\nu = \mathrm{SNR}(t)$; the "
                r"2 is "
                "only the unit.",
                where=((r"\nu", ratio),),
            ),
            Line(
                Value(1 / (1 + named(r"\nu", ratio))),
                "The first factor undoes Eq. 12's weight.",
                where=((r"\nu", ratio),),
            ),
            Line(Value(AT.one_minus_alpha_bar), r"$1 + \mathrm{SNR}(t) = 1/(1-\bar\alpha_t)$."),
        ),
        end=Value(weights.p2_weight(ONE, ONE, AT)),
        formulas=(weights.p2_weight, objective.eps_weight, snr.snr),
    )


def _min_snr(title: str, gamma: Term, least: Term, reason: str) -> Derivation:
    level = RATIO / (1 + RATIO)
    at = AT._replace(
        alpha_bar=named(r"\bar\alpha_t", level), one_minus_alpha_bar=named(r"1-\bar\alpha_t", 1 - level)
    )
    where = ((r"\bar\alpha_t", level), (r"\gamma", gamma))
    return Derivation(
        title=title,
        nodes=("beyond-weights",),
        lines=(Line(Value(least), reason, where=where),),
        end=Value(weights.on_x_0(weights.min_snr_weight(named(r"\gamma", gamma), at), at)),
        formulas=(weights.on_x_0, weights.min_snr_weight, snr.snr),
    )


def _clipped() -> Derivation:
    gamma = RATIO / (1 + positive("u"))
    return _min_snr(
        r"Min-SNR above $\gamma$, read on $x_0$",
        gamma,
        named(r"\gamma", gamma),
        r"$\min(\nu, \gamma)$ where the SNR $\nu$ is the larger, for any $u > 0$: every such step counts "
        r"alike.",
    )


def _kept() -> Derivation:
    return _min_snr(
        r"Min-SNR below $\gamma$, read on $x_0$",
        RATIO + positive("u"),
        RATIO,
        r"$\min(\nu, \gamma)$ where the SNR $\nu$ is the smaller: the weight of $L_{\mathrm{simple}}$.",
    )


def _cosine() -> Derivation:
    time = positive(r"\tau")
    level = weights.cosine_log_snr(time)
    angle = two_pi(time) / 4 * time
    a = named("a", angle)
    return Derivation(
        title="The weight that an unweighted loss stands for",
        nodes=("beyond-implied-weight",),
        lines=(
            Line(
                Value(-(1 / slope(level, time))),
                r"The density of $\lambda$ where $\tau = t/T$ is uniform is $-d\tau/d\lambda$.",
                where=((r"\lambda", level),),
            ),
            Line(
                Value(sin(a) * cos(a) / (two_pi(time) / 2)),
                r"$d\lambda/d\tau = -\pi/(\sin a \cos a)$ for the angle $a$.",
                Calculus(),
                where=(("a", angle),),
            ),
            Line(
                Value(1 / (two_pi(time) / 2 * (cos(a) / sin(a) + sin(a) / cos(a)))),
                r"$\cot a + \tan a = 1/(\sin a\cos a)$, and $\cot a = e^{\lambda/2}$. The weight is largest "
                r"at "
                r"$\lambda = 0$ and falls on both sides.",
                where=(("a", angle),),
            ),
        ),
        end=Value(weights.cosine_weight(named(r"\lambda", level))),
        end_tex=r"w(\lambda)",
        formulas=(weights.cosine_weight, weights.cosine_log_snr),
        assumptions=(
            r"The cosine schedule with $s = 0$, in continuous time; $\tau$ is drawn uniformly.",
            r"Kingma and Gao's $L_w$ weighs $\tfrac12 w(\lambda)\,d\lambda$; $L_{\mathrm{simple}}$ is its "
            r"$w = "
            r"p(\lambda)$.",
        ),
    )


def _mixture() -> Derivation:
    terms, rises = Steps(BOUND(t - 1) - BOUND(t), 1), (Steps(WEIGHT(t), 2), Steps(WEIGHT(t - 1), 2))
    return Derivation(
        title="The weighted bound is a mixture of bounds",
        nodes=("beyond-weighted-bound",),
        lines=(
            Line(
                Value(weights.weighted_bound(BOUND(T), terms, Steps(WEIGHT(t), 1), WEIGHT(T))),
                r"$\omega_T L_T + \sum_t \omega_t L_{t-1}$, where $K_t = L_T + \sum_{s>t} L_{s-1}$ is the "
                r"bound for an image noised to $x_t$, but for the entropy of noise, which nothing moves.",
            ),
        ),
        end=Value(weights.mixture_of_bounds(BOUND(0), Steps(BOUND(t - 1), 2), WEIGHT(1), *rises)),
        end_tex=r"L_\omega",
        formulas=(weights.weighted_bound, weights.mixture_of_bounds),
        assumptions=("Any weights; where they do not fall with $t$, no share is negative.",),
    )


def _shares() -> Derivation:
    return Derivation(
        title="The shares of the mixture",
        nodes=("beyond-weighted-bound",),
        lines=(
            Line(
                Value(WEIGHT(T)), r"What is left of a sum of differences: together the shares are $\omega_T$."
            ),
        ),
        end=Value(
            weights.mixture_of_bounds(
                ONE, Steps(ONE, 2), WEIGHT(1), Steps(WEIGHT(t), 2), Steps(WEIGHT(t - 1), 2)
            )
        ),
        formulas=(weights.mixture_of_bounds,),
    )


def _below() -> Derivation:
    ratio = snr.snr_prev(AT) / snr.snr(AT)
    r = named("r", ratio)
    return Derivation(
        title="A step of the bound weighs more than its share of continuous time",
        nodes=("beyond-weighted-bound",),
        lines=(
            Line(
                Value(weights.log_snr_weight(ONE, AT)),
                r"$w = 1$: half the length of the step in log-SNR.",
            ),
            Line(
                Value(log(r) / 2),
                r"The logarithm of the ratio $r$ of the two SNRs.",
                where=(("r", ratio),),
            ),
            compared(
                Value((r - 1) / 2),
                r"$\log r \le r - 1$; for short steps $r$ tends to 1, and both to the same.",
                Tangent(r, ONE / 2),
                where=(("r", ratio),),
            ),
        ),
        end=Value(snr.eps_snr_weight(AT)),
        formulas=(weights.log_snr_weight, snr.eps_snr_weight, snr.snr, snr.snr_prev),
        assumptions=(r"$\sigma_t^2 = \tilde\beta_t$ and $2 \le t \le T$.",),
    )


V_LOSS = _v_loss()
ON_X_0 = _on_x_0()
UNIT_OF_V = _unit_of_v()
P2 = _p2()
MIN_SNR_ABOVE = _clipped()
MIN_SNR_BELOW = _kept()
COSINE = _cosine()
MIXTURE = _mixture()
SHARES = _shares()
BELOW = _below()

DERIVATIONS = (V_LOSS, ON_X_0, UNIT_OF_V, P2, MIN_SNR_ABOVE, MIN_SNR_BELOW, COSINE, MIXTURE, SHARES, BELOW)
