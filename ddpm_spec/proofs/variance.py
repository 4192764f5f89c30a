"""Claims C2 and C3: the best variance of the reverse process, and for which data β̃_t and β_t bound it."""

from ddpm_spec.formulas import bound, forward, gaussian, posterior, variance
from ddpm_spec.ops import log, sqrt, two_pi
from ddpm_spec.ops.typeset import Term, letter, named, rows
from ddpm_spec.proofs.calculus import AtLeast, AtMost, Calculus, compared, limit, slope
from ddpm_spec.proofs.engine import Derivation, Expectation, Line, Moments, Normal, Value
from ddpm_spec.proofs.letters import AT, SIGMA_SQUARED, X_PREV, X_T, ZERO, Z, positive
from ddpm_spec.proofs.zero import UnitInterval

__all__ = [
    "ABOVE_ONE",
    "BEST",
    "MEAN_STEP",
    "MONOTONE",
    "ONE_POINT",
    "RESIDUAL",
    "REVERSE",
    "UNIT",
    "UPPER",
    "VAST",
]

BEFORE = AT._replace(alpha_bar=AT.alpha_bar_prev, one_minus_alpha_bar=AT.one_minus_alpha_bar_prev)
DATA_VARIANCE = positive("v")


def _marginals(v: Term) -> tuple[Term, Term, tuple[tuple[str, Term], ...]]:
    """V_{t−1} and V_t under their names, and what the names stand for."""
    prev, this = variance.marginal_variance(v, BEFORE), variance.marginal_variance(v, AT)
    return named("V_{t-1}", prev), named("V_t", this), (("V_{t-1}", prev), ("V_t", this))


def _reverse() -> Derivation:
    v = DATA_VARIANCE
    v_prev, v_t, where = _marginals(v)
    step = Normal(X_T, forward.q_step_mean(X_PREV, AT), forward.q_step_variance(AT))
    s = AT.beta * v_prev / v_t
    mean = sqrt(AT.alpha) * v_prev / v_t * X_T
    s_name, m_name = named("s", s), named("m", mean)
    return Derivation(
        title="The reverse step of normal data",
        nodes=("c-2",),
        lines=(
            Line(
                Value(
                    rows(
                        named(r"\log q(x_t \mid x_{t-1})", step.term),
                        named(r"\log q(x_{t-1})", Normal(X_PREV, ZERO, v_prev).term),
                        -named(r"\log q(x_t)", Normal(X_T, ZERO, v_t).term),
                    )
                ),
                r"Bayes' rule. For $x_0 \sim \mathcal{N}(0, v)$ every $x_t$ is normal with mean 0 and "
                r"variance "
                r"$V_t$, by Eq. 4 and the sum of normals.",
                where=where,
            ),
            Line(
                Value(
                    rows(
                        -((X_T - sqrt(AT.alpha) * X_PREV) ** 2) / (2 * AT.beta),
                        -(X_PREV**2) / (2 * v_prev),
                        X_T**2 / (2 * v_t),
                        log(v_t / (two_pi(X_T) * AT.beta * v_prev)) / 2,
                    )
                ),
                "Write the three densities out.",
                where=where,
            ),
            Line(
                Value(rows(-((X_PREV - m_name) ** 2) / (2 * s_name), -log(two_pi(X_T) * s_name) / 2)),
                r"Complete the square: the precision is $\alpha_t/\beta_t + 1/V_{t-1} = V_t/(\beta_t "
                r"V_{t-1})$, "
                r"since $V_t = \alpha_t V_{t-1} + \beta_t$.",
                where=(("s", s), ("m", mean)),
            ),
        ),
        end=Normal(X_PREV, mean, variance.optimal_variance(v, AT)),
        end_tex=r"\log q(x_{t-1} \mid x_t)",
        formulas=(variance.optimal_variance, variance.marginal_variance),
        assumptions=(
            r"Where the data are normal: $x_0 \sim \mathcal{N}(0, v)$ in every coordinate. A mean "
            "would shift that of the step only.",
        ),
    )


def _mean_step() -> Derivation:
    mu = letter(r"\mu_\theta")
    beta_tilde = named(r"\tilde\beta_t", posterior.posterior_variance(AT))
    w = positive("w")
    s = beta_tilde + w
    s_name = named("s", s)
    return Derivation(
        title="A step of the bound under the exact mean",
        nodes=("c-2",),
        lines=(
            Line(
                Expectation(gaussian.kl(mu + sqrt(w) * Z, beta_tilde, mu, SIGMA_SQUARED), Z),
                r"$L_{t-1}$ for the exact mean $\mu_\theta = \mathbb{E}[x_{t-1} \mid x_t]$. Around it "
                r"$\tilde\mu_t$ varies with the $x_0$ that are possible: $\tilde\mu_t = \mu_\theta + "
                r"\sqrt{w}\,z$ "
                r"with $\mathbb{E}[z] = 0$ and $\mathbb{E}[z^2] = 1$.",
                where=((r"\tilde\beta_t", posterior.posterior_variance(AT)),),
            ),
            Line(
                Value(
                    (beta_tilde / SIGMA_SQUARED - 1 - log(beta_tilde / SIGMA_SQUARED) + w / SIGMA_SQUARED) / 2
                ),
                r"$\mathbb{E}[z] = 0$ and $\mathbb{E}[z^2] = 1$; no other moment enters.",
                Moments(),
            ),
            Line(
                Value(
                    rows(
                        log(s_name / beta_tilde) / 2,
                        (s_name / SIGMA_SQUARED - 1 - log(s_name / SIGMA_SQUARED)) / 2,
                    )
                ),
                r"Set $s = \tilde\beta_t + w$, the variance of $x_{t-1}$ given $x_t$. The last term is "
                r"$D_\mathrm{KL}(\mathcal{N}(0, s) \Vert \mathcal{N}(0, \sigma_t^2))$: not negative, and 0 "
                r"only for $\sigma_t^2 = s$.",
                where=(("s", s),),
            ),
        ),
        end=Value(
            rows(
                variance.best_step_term(s_name, AT),
                bound.variance_mismatch(s_name, SIGMA_SQUARED),
            )
        ),
        end_tex=r"\mathbb{E}_q[L_{t-1}]",
        formulas=(variance.best_step_term, bound.variance_mismatch, gaussian.kl),
        assumptions=(
            "Elsewhere: any law with a variance; variances are averaged over the coordinates.",
            r"$2 \le t \le T$.",
        ),
    )


def _best() -> Derivation:
    r = positive("r")
    s = variance.explained_variance(r, AT)
    s_name = named("s", s)
    return Derivation(
        title="The best variance",
        nodes=("c-2",),
        lines=(
            Line(
                Value(slope(bound.variance_mismatch(s_name, SIGMA_SQUARED), SIGMA_SQUARED)),
                r"The part of $\mathbb{E}_q[L_{t-1}]$ that depends on $\sigma_t^2$. By the law of total "
                r"variance "
                r"$s$ is $\tilde\beta_t$ plus what $\tilde\mu_t$ varies with $x_0$, of variance $r$ given "
                r"$x_t$.",
                where=(("s", s),),
            ),
            Line(
                Value((1 / SIGMA_SQUARED - s_name / SIGMA_SQUARED**2) / 2),
                "Differentiate.",
                Calculus(),
            ),
            Line(
                Value((SIGMA_SQUARED - s_name) / (2 * SIGMA_SQUARED**2)),
                r"Over one denominator: negative below $\sigma_t^2 = s$, positive above, so $s$ is the one "
                "minimum.",
            ),
        ),
        end=Value((SIGMA_SQUARED - variance.explained_variance(r, AT)) / (2 * SIGMA_SQUARED**2)),
        formulas=(variance.explained_variance, posterior.posterior_variance, bound.variance_mismatch),
        assumptions=(r"The mean of the step is exact, and $r = \mathbb{E}\,\mathrm{Var}(x_0 \mid x_t)$.",),
    )


def _one_point() -> Derivation:
    return Derivation(
        title="Data at one point",
        nodes=("c-2", "c-3"),
        lines=(
            Line(
                Value(variance.optimal_variance(named(r"\cdot 0", ZERO), AT)), "The best variance at $v = 0$."
            ),
            Line(
                Value(AT.beta * AT.one_minus_alpha_bar_prev / AT.one_minus_alpha_bar),
                r"This is $\tilde\beta_t$ of Eq. 7.",
            ),
        ),
        end=Value(posterior.posterior_variance(AT)),
        end_tex=r"\sigma_t^{*2}",
        formulas=(variance.optimal_variance, posterior.posterior_variance),
    )


def _unit() -> Derivation:
    one = letter(r"\cdot 1", ZERO.value + 1)
    return Derivation(
        title="Data of unit variance",
        nodes=("c-2", "c-3"),
        lines=(
            Line(Value(variance.optimal_variance(one, AT)), "The best variance at $v = 1$."),
            Line(Value(AT.beta), r"$\bar\alpha + 1-\bar\alpha = 1$ above and below."),
        ),
        end=Value(forward.q_step_variance(AT)),
        end_tex=r"\sigma_t^{*2}",
        formulas=(variance.optimal_variance, forward.q_step_variance),
    )


def _vast() -> Derivation:
    v = DATA_VARIANCE
    return Derivation(
        title="Data of vast variance",
        nodes=("c-3",),
        lines=(
            Line(Value(limit(variance.optimal_variance(v, AT), v)), "Let the variance of the data grow."),
            Line(
                Value(AT.beta * AT.alpha_bar_prev / AT.alpha_bar),
                "What does not grow with $v$ drops out.",
                Calculus(),
            ),
            Line(Value(AT.beta / AT.alpha), r"$\bar\alpha_t = \alpha_t\bar\alpha_{t-1}$."),
        ),
        end=Value(AT.beta / AT.alpha),
        formulas=(variance.optimal_variance,),
    )


def _monotone() -> Derivation:
    v = DATA_VARIANCE
    v_prev, v_t, where = _marginals(v)
    rise = AT.beta**2 * AT.alpha_bar_prev / v_t**2
    return Derivation(
        title="The best variance grows with that of the data",
        nodes=("c-2", "c-3"),
        lines=(
            Line(Value(slope(variance.optimal_variance(v, AT), v)), "How the best variance depends on $v$."),
            Line(
                Value(AT.beta * (AT.alpha_bar_prev * v_t - AT.alpha_bar * v_prev) / v_t**2),
                "The quotient rule.",
                Calculus(),
                where=where,
            ),
            Line(
                Value(rise),
                r"$\bar\alpha_t = \alpha_t\bar\alpha_{t-1}$ and $V_t - \alpha_t V_{t-1} = \beta_t$.",
                where=where,
            ),
            compared(Value(ZERO), "Every factor is positive.", AtLeast(rise, strict=True)),
        ),
        end=Value(ZERO),
        formulas=(variance.optimal_variance,),
    )


def _above_one() -> Derivation:
    v = letter("v", 1 + positive("u").value)
    excess = AT.beta**2 * AT.alpha_bar_prev * (v - 1) / variance.marginal_variance(v, AT)
    return Derivation(
        title="Data of more than unit variance",
        nodes=("c-3",),
        lines=(
            Line(
                Value(variance.optimal_variance(v, AT) - forward.q_step_variance(AT)),
                r"By how much the best variance exceeds $\beta_t$, for $v = 1 + u$, $u > 0$.",
                where=(("v", 1 + positive("u")),),
            ),
            Line(
                Value(excess),
                r"$V_{t-1} - V_t = (\bar\alpha_{t-1} - \bar\alpha_t)(v - 1)$ and "
                r"$\bar\alpha_{t-1} - \bar\alpha_t = \bar\alpha_{t-1}\beta_t$.",
            ),
            compared(
                Value(ZERO),
                r"So for $v > 1$ the entropy of the reverse step lies above the “upper bound”.",
                AtLeast(excess, strict=True),
            ),
        ),
        end=Value(ZERO),
        formulas=(variance.optimal_variance, forward.q_step_variance),
    )


def _residual() -> Derivation:
    v, a = DATA_VARIANCE, letter("a")
    _, v_t, where = _marginals(v)
    square = v_t * (a - sqrt(AT.alpha_bar) * v / v_t) ** 2
    return Derivation(
        title="The best affine guess of $x_0$",
        nodes=("c-3",),
        lines=(
            Line(
                Value((1 - a * sqrt(AT.alpha_bar)) ** 2 * v + a**2 * AT.one_minus_alpha_bar),
                r"The error of the guess $a x_t$: by Eq. 4, $x_0 - a x_t$ is $(1 - "
                r"a\sqrt{\bar\alpha_t})\,x_0$ less "
                "independent noise. Data of mean 0; a mean shifts the guess only.",
            ),
            Line(
                Value(rows(square, v * AT.one_minus_alpha_bar / v_t)),
                "Complete the square in $a$.",
                where=where[1:],
            ),
            compared(
                Value(v * AT.one_minus_alpha_bar / v_t),
                "Drop the square; it is 0 for the best $a$.",
                AtLeast(square),
                where=where[1:],
            ),
        ),
        end=Value(variance.linear_residual(v, AT)),
        end_tex=r"\mathbb{E}(x_0 - a x_t)^2",
        formulas=(variance.linear_residual, variance.marginal_variance),
        assumptions=("The data have any law with variance $v$ in each coordinate.",),
    )


def _upper() -> Derivation:
    v, u = letter("v", UnitInterval("v")), positive("u")
    hat = variance.linear_residual(v, AT)
    hat_name = named(r"\hat r", hat)
    r = named("r", hat_name - u)
    gain = (sqrt(AT.alpha_bar_prev) * AT.beta / AT.one_minus_alpha_bar) ** 2
    room = AT.beta**2 * AT.alpha_bar_prev * (1 - v) / variance.marginal_variance(v, AT)
    return Derivation(
        title="The bounds on the reverse variance",
        nodes=("c-3",),
        lines=(
            Line(
                Value(variance.explained_variance(r, AT)),
                r"The best variance for any law of variance $v \le 1$. Its $r$ is at most that of the best "
                r"affine "
                r"guess, $\hat r$, because no guess beats the conditional mean.",
                where=((r"\hat r", hat), ("r", hat_name - u)),
            ),
            compared(
                Value(posterior.posterior_variance(AT) + gain * hat_name),
                r"Put in $\hat r = r + u$, $u \ge 0$.",
                AtMost(gain * u),
            ),
            Line(
                Value(variance.optimal_variance(v, AT)),
                "That is the best variance of normal data.",
            ),
            compared(
                Value(AT.beta),
                r"$\beta_t$ less this is $\beta_t^2\bar\alpha_{t-1}(1-v)/V_t$.",
                AtMost(room),
            ),
        ),
        end=Value(forward.q_step_variance(AT)),
        end_tex=r"\sigma_t^{*2}",
        formulas=(variance.explained_variance, variance.optimal_variance, variance.linear_residual),
        assumptions=(
            r"For the upper bound $v \le 1$, as for every law on $[-1, 1]$.",
            "Among all functions of $x_t$ the conditional mean has the least squared error.",
            "The entropy of a variable of given variance is largest for the normal law, and conditioning "
            r"on $x_0$ lowers it: so $\tfrac12\log 2\pi e\tilde\beta_t$ and $\tfrac12\log 2\pi e\beta_t$ "
            r"bound it.",
        ),
    )


def _lower() -> Derivation:
    r = positive("r")
    part = (sqrt(AT.alpha_bar_prev) * AT.beta / AT.one_minus_alpha_bar) ** 2 * r
    beta_tilde = posterior.posterior_variance(AT)
    return Derivation(
        title="The lower bound on the reverse variance",
        nodes=("c-3",),
        lines=(
            Line(Value(variance.explained_variance(r, AT)), "The best variance for any law of the data."),
            compared(Value(beta_tilde), "What $x_0$ leaves open is not negative.", AtLeast(part)),
        ),
        end=Value(posterior.posterior_variance(AT)),
        end_tex=r"\sigma_t^{*2}",
        formulas=(variance.explained_variance, posterior.posterior_variance),
    )


REVERSE = _reverse()
MEAN_STEP = _mean_step()
BEST = _best()
ONE_POINT = _one_point()
UNIT = _unit()
VAST = _vast()
MONOTONE = _monotone()
RESIDUAL = _residual()
LOWER = _lower()
UPPER = _upper()
ABOVE_ONE = _above_one()
