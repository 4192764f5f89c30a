"""DDIM's family: the marginals it keeps, Eq. 7 as its member, and its limit without noise as Euler's rule."""

from ddpm_spec.followups import ddim
from ddpm_spec.formulas import forward, gaussian, posterior, reverse
from ddpm_spec.ops import sqrt
from ddpm_spec.ops.typeset import Term, named
from ddpm_spec.proofs.calculus import slope
from ddpm_spec.proofs.engine import Derivation, Line, Normal, Value
from ddpm_spec.proofs.letters import AT, EPS_HAT, ONE, X_0, X_PREV, X_T, ZERO, positive

__all__ = ["DERIVATIONS", "ETA_ONE", "EULER", "MARGINAL", "MEMBER", "SKIP", "SOLVER"]

BEFORE = AT._replace(alpha_bar=AT.alpha_bar_prev, one_minus_alpha_bar=AT.one_minus_alpha_bar_prev)
NOISE_PREV = AT.one_minus_alpha_bar_prev


def _marginal() -> Derivation:
    rest = positive("r")
    variance = named(r"\sigma^2", NOISE_PREV - rest)
    mean = ddim.ddim_mean(X_0, forward.q_mean(X_0, AT), variance, AT)
    gain = slope(ddim.ddim_mean(X_0, X_T, variance, AT), X_T)
    gain = Term(gain.tex, gain.value.doit(), gain.level)
    a = named("a", gain)
    return Derivation(
        title="Every member keeps the marginals",
        nodes=("beyond-ddim",),
        lines=(
            Line(
                Normal(X_PREV, mean, gaussian.linear_variance(AT.one_minus_alpha_bar, a**2, variance)),
                r"The mean is $a\,x_t$ and a part of $x_0$. Average it over Eq. 4, "
                r"$x_t \sim \mathcal{N}(\sqrt{\bar\alpha_t}\,x_0, 1-\bar\alpha_t)$, by the lemma on sums of "
                r"normals; $r = 1-\bar\alpha_s-\sigma^2 \ge 0$.",
                where=((r"\sigma^2", NOISE_PREV - rest), ("a", gain)),
            ),
            Line(
                Normal(X_PREV, sqrt(AT.alpha_bar_prev) * X_0, rest + variance),
                r"At the mean of Eq. 4 the implied noise is 0, and $a^2 = r/(1-\bar\alpha_t)$.",
                where=((r"\sigma^2", NOISE_PREV - rest),),
            ),
        ),
        end=Normal(X_PREV, forward.q_mean(X_0, BEFORE), forward.q_variance(BEFORE)),
        end_tex=r"\log q_\sigma(x_s \mid x_0)",
        formulas=(ddim.ddim_mean, ddim.implied_noise),
        assumptions=(
            r"$0 \le \sigma^2 \le 1-\bar\alpha_s$, and $x_t$ has the law of Eq. 4; so by induction from $T$ "
            r"down "
            "every $x_s$ has it.",
            r"The step leads from $t$ to any $s < t$, with $\beta_{t|s} = 1-\bar\alpha_t/\bar\alpha_s$. In "
            r"the lines below $t-1$ stands for $s$, and $\beta_t$ for $\beta_{t|s}$.",
        ),
    )


def _member() -> Derivation:
    beta_tilde = posterior.posterior_variance(AT)
    root = sqrt(AT.alpha) * NOISE_PREV / sqrt(AT.one_minus_alpha_bar)
    noise = (X_T - sqrt(AT.alpha_bar) * X_0) / sqrt(AT.one_minus_alpha_bar)
    return Derivation(
        title="DDPM's posterior is a member",
        nodes=("beyond-ddim",),
        lines=(
            Line(
                Value(
                    ddim.ddim_mean(X_0, X_T, named(r"\tilde\beta_t", beta_tilde), AT),
                ),
                r"DDIM's mean at $\sigma^2 = \tilde\beta_t$.",
                where=((r"\tilde\beta_t", beta_tilde),),
            ),
            Line(
                Value(sqrt(AT.alpha_bar_prev) * X_0 + root * noise),
                r"$1-\bar\alpha_{t-1}-\tilde\beta_t = \alpha_t(1-\bar\alpha_{t-1})^2/(1-\bar\alpha_t)$, by "
                r"$1-\bar\alpha_t-\beta_t = \alpha_t(1-\bar\alpha_{t-1})$.",
            ),
        ),
        end=Value(posterior.posterior_mean(X_0, X_T, AT)),
        end_tex=r"\tilde\mu_t(x_t, x_0)",
        formulas=(ddim.ddim_mean, ddim.implied_noise, posterior.posterior_mean),
    )


def _eta_one() -> Derivation:
    return Derivation(
        title=r"DDIM at $\eta = 1$",
        nodes=("beyond-ddim",),
        lines=(
            Line(
                Value(NOISE_PREV / AT.one_minus_alpha_bar * (1 - AT.alpha_bar / AT.alpha_bar_prev)),
                r"$\sigma^2$ of equation (16) of DDIM at $\eta = 1$, for any step from $t$ to $s$.",
            ),
            Line(
                Value(NOISE_PREV / AT.one_minus_alpha_bar * AT.beta),
                r"$1 - \bar\alpha_t/\bar\alpha_s$ is the $\beta$ of that step.",
            ),
        ),
        end=Value(ddim.ddim_variance(ONE, AT)),
        end_tex=r"\sigma^2",
        formulas=(ddim.ddim_variance, posterior.posterior_variance),
    )


def _skip() -> Derivation:
    long = ddim.skip(AT, BEFORE)
    return Derivation(
        title="A long step is a step",
        nodes=("beyond-ddim",),
        lines=(
            Line(Value(1 - AT.alpha_bar / AT.alpha_bar_prev), r"What $\beta$ has to be from $s$ to $t$."),
            Line(
                Value((AT.one_minus_alpha_bar - NOISE_PREV) / AT.alpha_bar_prev),
                r"Over one denominator; in $1-\bar\alpha$ less is lost to rounding.",
            ),
        ),
        end=Value(long.beta),
        end_tex=r"\beta_{t \mid s}",
        formulas=(ddim.skip,),
    )


def _euler() -> Derivation:
    x_0_hat = reverse.predict_x_0(X_T, EPS_HAT, AT)
    here = sqrt(AT.one_minus_alpha_bar / AT.alpha_bar)
    there = sqrt(NOISE_PREV / AT.alpha_bar_prev)
    step = X_T / sqrt(AT.alpha_bar) + (there - here) * EPS_HAT
    return Derivation(
        title="Without noise DDIM is Euler's rule",
        nodes=("beyond-solver",),
        lines=(
            Line(
                Value(sqrt(AT.alpha_bar_prev) * step),
                r"Euler's rule for $\bar x = x/\sqrt{\bar\alpha}$ in the time "
                r"$\bar\sigma = \sqrt{(1-\bar\alpha)/\bar\alpha}$, along which $d\bar x/d\bar\sigma = "
                r"\epsilon_\theta$.",
            ),
            Line(
                Value(sqrt(AT.alpha_bar_prev) * named(r"\hat x_0", x_0_hat) + sqrt(NOISE_PREV) * EPS_HAT),
                r"Eq. 15: $x_t/\sqrt{\bar\alpha_t}$ less the present $\bar\sigma\epsilon_\theta$ is $\hat "
                r"x_0$.",
                where=((r"\hat x_0", x_0_hat),),
            ),
        ),
        end=Value(ddim.ddim_mean(x_0_hat, X_T, ZERO, AT)),
        end_tex="x_s",
        formulas=(ddim.ddim_mean, ddim.implied_noise, reverse.predict_x_0),
    )


def _solver() -> Derivation:
    x_0_hat = reverse.predict_x_0(X_T, EPS_HAT, AT)
    sigma, alpha = sqrt(NOISE_PREV), sqrt(AT.alpha_bar_prev)
    growth = sqrt(AT.alpha_bar_prev * AT.one_minus_alpha_bar / (NOISE_PREV * AT.alpha_bar))
    e_h = named(r"\kappa", growth)
    hat = named(r"\hat x_0", x_0_hat)
    return Derivation(
        title="The two DPM-Solvers of order one are that step",
        nodes=("beyond-solver",),
        lines=(
            Line(
                Value(sigma / sqrt(AT.one_minus_alpha_bar) * X_T - alpha * (1 / e_h - 1) * hat),
                r"DPM-Solver++ predicts $\hat x_0$; $\kappa = e^h$, where $h$ is half the gain in log-SNR.",
                where=((r"\hat x_0", x_0_hat), (r"\kappa", growth)),
            ),
            Line(
                Value(ddim.ddim_mean(hat, X_T, ZERO, AT)),
                r"$\sqrt{\bar\alpha_s}\,e^{-h} = "
                r"\sqrt{1-\bar\alpha_s}\sqrt{\bar\alpha_t}/\sqrt{1-\bar\alpha_t}$: "
                "this is DDIM without noise.",
                where=((r"\hat x_0", x_0_hat),),
            ),
            Line(
                Value(alpha / sqrt(AT.alpha_bar) * X_T - sigma * (e_h - 1) * EPS_HAT),
                r"Put in Eq. 15: DPM-Solver, which predicts $\epsilon_\theta$.",
                where=((r"\kappa", growth),),
            ),
        ),
        end=Value(ddim.solver_step(X_T, EPS_HAT, AT)),
        end_tex="x_s",
        formulas=(ddim.solver_step, ddim.ddim_mean),
    )


MARGINAL = _marginal()
MEMBER = _member()
ETA_ONE = _eta_one()
SKIP = _skip()
EULER = _euler()
SOLVER = _solver()

DERIVATIONS = (MARGINAL, MEMBER, ETA_ONE, SKIP, EULER, SOLVER)
