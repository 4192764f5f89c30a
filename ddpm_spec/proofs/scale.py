"""Claims C10 and C1: the forward process keeps the scale of the data, and what it leaves of them at T."""

import sympy as sp

from ddpm_spec.formulas import bound, gaussian, variance
from ddpm_spec.ops import log, sqrt
from ddpm_spec.ops.typeset import Level, Term, letter, named
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, ONE, X_0, positive

__all__ = ["ONE_STEP", "PRIOR", "TOWARDS_ONE", "UNIT_STAYS", "UNSCALED"]

BEFORE = AT._replace(alpha_bar=AT.alpha_bar_prev, one_minus_alpha_bar=AT.one_minus_alpha_bar_prev)
DATA_VARIANCE = positive("v")
AT_T = AT._replace(
    alpha_bar=named(r"\bar\alpha_T", AT.alpha_bar),
    one_minus_alpha_bar=Term(r"1-\bar\alpha_T", AT.one_minus_alpha_bar.value, Level.SUM),
)
"""The step t = T, as far as L_T speaks about it."""


def _one_step() -> Derivation:
    v = DATA_VARIANCE
    before = variance.marginal_variance(v, BEFORE)
    v_prev = named("V_{t-1}", before)
    return Derivation(
        title="The variance of $x_t$ from that of $x_{t-1}$",
        nodes=("c-10",),
        lines=(
            Line(
                Value(gaussian.linear_variance(v_prev, AT.alpha, AT.beta)),
                r"Eq. 2 scales by $\sqrt{1-\beta_t}$ and adds independent noise of variance $\beta_t$.",
                where=(("V_{t-1}", before),),
            ),
            Line(
                Value(AT.alpha_bar * v + (AT.alpha * AT.one_minus_alpha_bar_prev + AT.beta)),
                r"Put in $V_{t-1}$; $\bar\alpha_t = \alpha_t\bar\alpha_{t-1}$.",
            ),
            Line(
                Value(AT.alpha_bar * v + AT.one_minus_alpha_bar),
                r"$\alpha_t(1-\bar\alpha_{t-1}) + \beta_t = 1-\bar\alpha_t$.",
            ),
        ),
        end=Value(variance.marginal_variance(v, AT)),
        end_tex="V_t",
        formulas=(variance.marginal_variance, gaussian.linear_variance),
        assumptions=("The data have any law with variance $v$ in each coordinate.",),
    )


def _unit_stays() -> Derivation:
    one = letter(r"\cdot 1", sp.Integer(1))
    return Derivation(
        title="Unit variance stays",
        nodes=("c-10",),
        lines=(
            Line(Value(AT.alpha_bar * one + AT.one_minus_alpha_bar), "The variance of $x_t$ for $v = 1$."),
            Line(Value(ONE), "At every $t$."),
        ),
        end=Value(variance.marginal_variance(one, AT)),
        end_tex="V_t",
        formulas=(variance.marginal_variance,),
    )


def _towards_one() -> Derivation:
    v = DATA_VARIANCE
    before = variance.marginal_variance(v, BEFORE)
    v_prev = named("V_{t-1}", before)
    return Derivation(
        title="Any other variance goes to one",
        nodes=("c-10",),
        lines=(
            Line(
                Value(AT.alpha * (v_prev - 1)),
                r"$\alpha_t < 1$ times the distance to 1 before the step.",
                where=(("V_{t-1}", before),),
            ),
            Line(
                Value(AT.alpha * (AT.alpha_bar_prev * (v - 1))), r"$V_{t-1} - 1 = \bar\alpha_{t-1}(v - 1)$."
            ),
            Line(
                Value(AT.alpha_bar * (v - 1)),
                "So the distance shrinks at every step, its sign stays, and no step passes 1.",
            ),
        ),
        end=Value(variance.marginal_variance(v, AT) - 1),
        end_tex="V_t - 1",
        formulas=(variance.marginal_variance,),
    )


def _unscaled() -> Derivation:
    v, total = DATA_VARIANCE, positive(r"\textstyle\sum_{s<t}\beta_s")
    return Derivation(
        title="Without the scaling the variance grows",
        nodes=("c-10",),
        lines=(
            Line(
                Value(v + total + AT.beta),
                r"The claim is $v + \sum_{s \le t} \beta_s$. It holds at $t = 0$; suppose it does before "
                r"step $t$.",
            ),
        ),
        end=Value(variance.unscaled_variance(v + total, AT)),
        end_tex=r"\mathrm{Var}(x_{t-1} + \sqrt{\beta_t}\,z)",
        formulas=(variance.unscaled_variance,),
    )


def _prior() -> Derivation:
    alpha_bar, v = AT_T.alpha_bar, AT_T.one_minus_alpha_bar
    return Derivation(
        title="What is left of the data at $T$",
        nodes=("c-1",),
        lines=(
            Line(
                Value((v - 1 - log(v) + (sqrt(alpha_bar) * X_0) ** 2) / 2),
                r"The divergence of $q(x_T \mid x_0)$, Eq. 4 at $t = T$, from $\mathcal{N}(0, 1)$. The "
                r"network does "
                "not occur in it.",
            ),
            Line(
                Value((alpha_bar * (X_0**2 - 1) - log(v)) / 2),
                r"Collect $\bar\alpha_T$. So of the data only $\mathbb{E}[x_0^2]$ enters, and it does so "
                r"linearly.",
            ),
        ),
        end=Value(bound.prior_term(X_0, AT_T)),
        end_tex="L_T",
        formulas=(bound.prior_term,),
        assumptions=(r"$\beta_t$ is fixed, not learned.",),
    )


ONE_STEP = _one_step()
UNIT_STAYS = _unit_stays()
TOWARDS_ONE = _towards_one()
UNSCALED = _unscaled()
PRIOR = _prior()
