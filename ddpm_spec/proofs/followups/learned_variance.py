"""The reverse variance: the logarithmic scale between the paper's two, and the two optima."""

from ddpm_spec.followups import ddim
from ddpm_spec.followups import learned_variance as learned
from ddpm_spec.formulas import bound, objective, posterior, reverse, variance
from ddpm_spec.ops import log, sqrt
from ddpm_spec.ops.typeset import T, Term, letter, named
from ddpm_spec.proofs.calculus import AtLeast, AtMost, Averaged, Calculus, compared, slope
from ddpm_spec.proofs.engine import Derivation, Expectation, Line, Value
from ddpm_spec.proofs.letters import AT, EPS, EPS_HAT, ONE, SIGMA_SQUARED, X_T, ZERO, positive

__all__ = [
    "ANALYTIC",
    "BOUNDED",
    "DERIVATIONS",
    "FAMILY",
    "GAIN",
    "HYBRID",
    "IMPERFECT",
    "LARGE",
    "LEAST",
    "LOGARITHM",
    "MEMBER",
    "MIDDLE",
    "MOVED",
    "SMALL",
    "UPPER",
]

BETA_TILDE = posterior.posterior_variance(AT)
TILDE = named(r"\tilde\beta_t", BETA_TILDE)
TILDE_IS = ((r"\tilde\beta_t", BETA_TILDE),)
SHARE, LENGTH = positive(r"\lambda"), letter("T", T)


def _end(title: str, v: int, reason: str) -> Derivation:
    weight = letter(str(v), ZERO.value + v)
    return Derivation(
        title=title,
        nodes=("beyond-learned-variance",),
        lines=(Line(Value(AT.beta if v else TILDE), reason, where=TILDE_IS),),
        end=Value(learned.interpolated_variance(weight, TILDE, AT.beta)),
        end_tex=r"\Sigma_\theta",
        formulas=(learned.interpolated_variance,),
    )


def _logarithm() -> Derivation:
    v, small, large = letter("v"), positive("s"), positive("w")
    return Derivation(
        title="The learned variance grows with $v$",
        nodes=("beyond-learned-variance",),
        lines=(
            Line(
                Value(slope(log(learned.interpolated_variance(v, small, large)), v)),
                r"How $\log\Sigma_\theta$ depends on $v$, with $s = \tilde\beta_t$ and $w = \beta_t$.",
            ),
            Line(
                Value(log(large) - log(small)),
                r"Constant, and not negative for $\tilde\beta_t \le \beta_t$: so for $v$ in $[0, 1]$ the "
                r"variance "
                "lies between the two.",
                Calculus(),
            ),
        ),
        end=Value(log(large / small)),
        formulas=(learned.interpolated_variance,),
    )


def _middle() -> Derivation:
    half = letter(r"\frac{1}{2}", 1 / (ZERO.value + 2))
    small, large = positive("s"), positive("w")
    return Derivation(
        title="Halfway is the geometric mean",
        nodes=("beyond-learned-variance",),
        lines=(
            Line(
                Value(sqrt(large * small)),
                r"The geometric mean of the paper's two choices, $s = \tilde\beta_t$ and $w = \beta_t$.",
            ),
        ),
        end=Value(learned.interpolated_variance(half, small, large)),
        end_tex=r"\Sigma_\theta",
        formulas=(learned.interpolated_variance,),
    )


def _hybrid() -> Derivation:
    loss, term = letter(r"\ell_t"), letter("L_{t-1}")
    simple, whole = letter(r"L_{\mathrm{simple}}"), letter(r"L_{\mathrm{vlb}}")
    drawn = letter("t")
    return Derivation(
        title="The hybrid loss on average",
        nodes=("beyond-hybrid",),
        lines=(
            Line(
                Expectation(learned.hybrid_loss(loss, term, SHARE, LENGTH), drawn),
                r"Both losses at one $t$, drawn uniformly from $1..T$; $\ell_t$ is the squared error.",
            ),
            Line(
                Expectation(simple + SHARE * (LENGTH * term), drawn),
                r"$L_{\mathrm{simple}}$ is the mean of $\ell_t$.",
                Averaged(loss, simple, ONE),
            ),
            Line(
                Value(simple + SHARE * whole),
                r"$L_{\mathrm{vlb}}$ is the sum of $L_{t-1}$ over $t$, so its mean is a share $1/T$ of that.",
                Averaged(term, whole / LENGTH, SHARE * LENGTH),
            ),
        ),
        end=Value(learned.hybrid_loss(simple, whole / LENGTH, SHARE, LENGTH)),
        end_tex=r"L_{\mathrm{hybrid}}",
        formulas=(learned.hybrid_loss,),
        assumptions=(r"The two means that the lines name, for uniform $t$. $L_{\mathrm{vlb}} = L - L_T$.",),
    )


def _moved() -> Derivation:
    loss, error = letter(r"\ell_t"), positive("m")
    best = learned.imperfect_variance(error, AT)
    s = named("s", best)
    term = bound.variance_mismatch(TILDE, SIGMA_SQUARED) + objective.eps_weight(SIGMA_SQUARED, AT) * error
    return Derivation(
        title="Where the hybrid loss moves the variance",
        nodes=("beyond-hybrid",),
        lines=(
            Line(
                Value(slope(learned.hybrid_loss(loss, term, SHARE, LENGTH), SIGMA_SQUARED)),
                r"$\ell_t$ does not know the variance. $L_{t-1}$ is that of Eqs. 8 and 12, with the error "
                r"$m = \mathbb{E}(\epsilon - \epsilon_\theta)^2$, which is held fixed.",
                where=TILDE_IS,
            ),
            Line(
                Value(SHARE * (LENGTH * ((SIGMA_SQUARED - s) / (2 * SIGMA_SQUARED**2)))),
                r"Negative below $\sigma_t^2 = s$ and positive above, for any $\lambda$: $s$ is the best "
                "variance for the network as it is.",
                Calculus(),
                where=(("s", best),),
            ),
        ),
        end=Value(SHARE * LENGTH * (SIGMA_SQUARED - best) / (2 * SIGMA_SQUARED**2)),
        formulas=(
            learned.hybrid_loss,
            learned.imperfect_variance,
            bound.variance_mismatch,
            objective.eps_weight,
        ),
        assumptions=(r"Any network with $\mu_\theta$ of Eq. 11, any data; $2 \le t \le T$.",),
    )


def _analytic() -> Derivation:
    score = positive("s")
    error = learned.noise_error(score, AT)
    m = named("m", error)
    return Derivation(
        title="The best variance from the score",
        nodes=("beyond-best-variance",),
        lines=(
            Line(
                Value(variance.explained_variance(AT.one_minus_alpha_bar / AT.alpha_bar * m, AT)),
                r"Claim C2: $\tilde\beta_t$ plus what $x_0$ leaves open. By Eq. 15 "
                r"$\operatorname{Var}(x_0 \mid x_t)$ is $(1-\bar\alpha_t)/\bar\alpha_t$ times that of the "
                r"noise, "
                r"whose mean is $m$: of $\mathbb{E}\,\epsilon^2 = 1$ the exact "
                r"prediction $-\sqrt{1-\bar\alpha_t}\,\nabla\log q_t$ explains $(1-\bar\alpha_t)\,s$.",
                where=(("m", error),),
            ),
            Line(
                Value(TILDE + AT.beta**2 / (AT.alpha * AT.one_minus_alpha_bar) * m),
                r"$\bar\alpha_{t-1}/\bar\alpha_t = 1/\alpha_t$, and $1-\bar\alpha_t$ cancels once.",
                where=(*TILDE_IS, ("m", error)),
            ),
        ),
        end=Value(learned.analytic_variance(score, AT)),
        end_tex=r"\sigma_t^{*2}",
        formulas=(
            learned.analytic_variance,
            learned.noise_error,
            learned.imperfect_variance,
            variance.explained_variance,
        ),
        assumptions=(r"The exact mean; any data. $s = \mathbb{E}\lVert\nabla\log q_t\rVert^2/D$.",),
    )


def _upper() -> Derivation:
    score = positive("s")
    gain = learned.noise_gain(AT)
    room = AT.beta**2 / AT.alpha * score
    return Derivation(
        title=r"At most $\beta_t/\alpha_t$",
        nodes=("beyond-best-variance",),
        lines=(
            Line(Value(learned.analytic_variance(score, AT)), "The best variance for any data."),
            compared(
                Value(TILDE + gain),
                r"A mean square is not negative; it is 0 for vast data.",
                AtMost(room),
                where=TILDE_IS,
            ),
            Line(
                Value(AT.beta / AT.alpha),
                r"$\alpha_t(1-\bar\alpha_{t-1}) + \beta_t = 1-\bar\alpha_t$.",
            ),
        ),
        end=Value(AT.beta / AT.alpha),
        end_tex=r"\sigma_t^{*2}",
        formulas=(learned.analytic_variance, learned.noise_gain),
    )


def _family() -> Derivation:
    """λ² is 1−ᾱ_{t−1} less something positive, so that its root is real."""
    value = AT.one_minus_alpha_bar_prev - positive("r")
    spread = named(r"\lambda^2", value)

    def mean(eps: Term) -> Term:
        member: Term = ddim.ddim_mean(reverse.predict_x_0(X_T, eps, AT), X_T, spread, AT)
        return member

    where = ((r"\lambda^2", value), ("m", mean(EPS)), (r"m_\theta", mean(EPS_HAT)))
    root, noise = sqrt(AT.alpha_bar_prev), sqrt(AT.one_minus_alpha_bar_prev - spread)
    here = sqrt(AT.one_minus_alpha_bar) / sqrt(AT.alpha_bar)
    return Derivation(
        title="The gain for any member of DDIM's family",
        nodes=("beyond-best-variance",),
        lines=(
            Line(
                Value((named("m", mean(EPS)) - named(r"m_\theta", mean(EPS_HAT))) ** 2),
                r"DDIM's mean at the true noise and the predicted one, each with its $\hat x_0$ of Eq. 15.",
                where=where,
            ),
            Line(
                Value((noise - root * here) ** 2 * (EPS - EPS_HAT) ** 2),
                r"$x_t$ drops out: the noise enters once as itself and once by $\hat x_0$.",
                where=where,
            ),
        ),
        end=Value(learned.family_gain(spread, AT) * objective.simple_loss(EPS, EPS_HAT)),
        formulas=(learned.family_gain, ddim.ddim_mean, reverse.predict_x_0),
        assumptions=(r"For the family: $0 \le \lambda^2 \le 1-\bar\alpha_{t-1}$.",),
    )


def _member() -> Derivation:
    error = positive("m")
    return Derivation(
        title="The best variance of the family, at DDPM's member",
        nodes=("beyond-best-variance",),
        lines=(
            Line(
                Value(learned.imperfect_variance(error, AT)),
                r"The optimum for DDPM, with an error $m$ of the noise.",
            ),
            Line(
                Value(TILDE + AT.beta**2 / (AT.alpha * AT.one_minus_alpha_bar) * error),
                r"At $\lambda^2 = \tilde\beta_t$ the second root is "
                r"$\sqrt{\alpha_t}\,(1-\bar\alpha_{t-1})/\sqrt{1-\bar\alpha_t}$.",
                where=TILDE_IS,
            ),
        ),
        end=Value(learned.family_variance(error, TILDE, AT)),
        formulas=(learned.family_variance, learned.family_gain, learned.imperfect_variance),
    )


def _bounded() -> Derivation:
    low, width, mean, rest = letter("a"), positive("w"), letter("m"), positive(r"\delta")
    product = (mean - low) * (low + width - mean)
    gain = (sqrt(AT.alpha_bar_prev) * AT.beta / AT.one_minus_alpha_bar) ** 2
    return Derivation(
        title="Data in an interval",
        nodes=("beyond-best-variance",),
        lines=(
            Line(
                Value(variance.explained_variance(named("V", product - rest), AT)),
                r"Claim C2, for $x_0$ in $[a, a+w]$ with mean $m$ and variance $V$ given $x_t$. There "
                r"$(x_0-a)(a+w-x_0) \ge 0$, and its mean is $\delta = (m-a)(a+w-m) - V$.",
                where=(("V", product - rest),),
            ),
            compared(
                Value(TILDE + gain * product), r"Leave $\delta$ out.", AtMost(gain * rest), where=TILDE_IS
            ),
            compared(
                Value(TILDE + gain * (width / 2) ** 2),
                "The product is largest in the middle.",
                AtMost(gain * (mean - low - width / 2) ** 2),
                where=TILDE_IS,
            ),
        ),
        end=Value(learned.bounded_variance(width, AT)),
        end_tex=r"\sigma_t^{*2}",
        formulas=(learned.bounded_variance, variance.explained_variance),
    )


def _least() -> Derivation:
    error = positive("m")
    added = learned.noise_gain(AT) * error
    return Derivation(
        title=r"At least $\tilde\beta_t$",
        nodes=("beyond-best-variance", "beyond-imperfect-mean"),
        lines=(
            Line(
                Value(learned.imperfect_variance(error, AT)),
                "$m$ is a mean squared error, of the exact prediction or of a network.",
            ),
            compared(Value(TILDE), "An error is not negative.", AtLeast(added), where=TILDE_IS),
        ),
        end=Value(posterior.posterior_variance(AT)),
        end_tex=r"\sigma_t^{*2}",
        formulas=(
            learned.imperfect_variance,
            learned.noise_gain,
            posterior.posterior_variance,
            learned.analytic_variance,
        ),
    )


def _gain() -> Derivation:
    return Derivation(
        title="The gain is twice Eq. 12's weight",
        nodes=("beyond-imperfect-mean",),
        lines=(
            Line(
                Value(2 * SIGMA_SQUARED * objective.eps_weight(SIGMA_SQUARED, AT)),
                r"Eq. 12 without its $2\sigma_t^2$.",
            ),
        ),
        end=Value(learned.noise_gain(AT)),
        formulas=(learned.noise_gain, objective.eps_weight),
    )


def _imperfect() -> Derivation:
    error = positive("m")
    best = learned.imperfect_variance(error, AT)
    s = named("s", best)
    cost = bound.variance_mismatch(TILDE, SIGMA_SQUARED) + objective.eps_weight(SIGMA_SQUARED, AT) * error
    return Derivation(
        title="The best variance for an imperfect mean",
        nodes=("beyond-imperfect-mean",),
        lines=(
            Line(
                Value(slope(cost, SIGMA_SQUARED)),
                r"$\mathbb{E}_q[L_{t-1}]$ by Eqs. 8 and 12: a part without the network, and its error $m = "
                r"\mathbb{E}(\epsilon - \epsilon_\theta)^2$ with the weight of Eq. 12.",
                where=TILDE_IS,
            ),
            Line(
                Value((1 / SIGMA_SQUARED - (TILDE + learned.noise_gain(AT) * error) / SIGMA_SQUARED**2) / 2),
                "Differentiate.",
                Calculus(),
                where=TILDE_IS,
            ),
            Line(
                Value((SIGMA_SQUARED - s) / (2 * SIGMA_SQUARED**2)),
                r"Negative below $\sigma_t^2 = s$, positive above: $s$ is the one minimum.",
                where=(("s", best),),
            ),
        ),
        end=Value((SIGMA_SQUARED - learned.imperfect_variance(error, AT)) / (2 * SIGMA_SQUARED**2)),
        formulas=(
            learned.imperfect_variance,
            learned.noise_gain,
            bound.variance_mismatch,
            objective.eps_weight,
        ),
        assumptions=(r"Any network with $\mu_\theta$ of Eq. 11, any data; $2 \le t \le T$.",),
    )


SMALL = _end(r"The learned variance at $v = 0$", 0, r"The paper's smaller choice.")
LARGE = _end(r"The learned variance at $v = 1$", 1, r"The paper's larger choice.")
MIDDLE = _middle()
LOGARITHM = _logarithm()
HYBRID = _hybrid()
MOVED = _moved()
ANALYTIC = _analytic()
UPPER = _upper()
FAMILY = _family()
MEMBER = _member()
BOUNDED = _bounded()
LEAST = _least()
GAIN = _gain()
IMPERFECT = _imperfect()

DERIVATIONS = (
    SMALL,
    LARGE,
    MIDDLE,
    LOGARITHM,
    HYBRID,
    MOVED,
    ANALYTIC,
    UPPER,
    FAMILY,
    MEMBER,
    BOUNDED,
    LEAST,
    GAIN,
    IMPERFECT,
)
