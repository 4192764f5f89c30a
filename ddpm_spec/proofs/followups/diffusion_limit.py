"""The VP-SDE: Eq. 4 in the limit, and the ODE that has its marginals."""

from ddpm_spec.followups import diffusion_limit as vp
from ddpm_spec.formulas import forward, gaussian
from ddpm_spec.ops import log, sqrt
from ddpm_spec.ops.typeset import letter, named
from ddpm_spec.proofs.calculus import Calculus, slope
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, ONE, ZERO, positive

__all__ = ["DERIVATIONS", "FLOW", "MEAN", "ONE_STEP", "SAME_SLOPE", "SLOPE", "START"]

TIME, RATE = positive("t"), positive(r"\beta")
NORMAL = r"$x_0 \sim \mathcal{N}(0, v)$, so that $x(t) \sim \mathcal{N}(0, V)$, whose score is $-x/V$."
FIRST, LAST = positive(r"\beta(0)"), positive(r"\beta(1)")


def _one_step() -> Derivation:
    v = positive("v")
    return Derivation(
        title="One step of DDPM moves the variance like the SDE",
        nodes=("beyond-limit",),
        lines=(
            Line(
                Value(gaussian.linear_variance(v, AT.alpha, AT.beta) - v),
                r"Eq. 2 changes the variance $v$ by this much.",
            ),
        ),
        end=Value(vp.variance_slope(v, forward.q_step_variance(AT))),
        formulas=(vp.variance_slope, gaussian.linear_variance),
    )


def _mean() -> Derivation:
    return Derivation(
        title=r"$\bar\alpha(t)$ falls at the rate $\beta(t)$",
        nodes=("beyond-limit",),
        lines=(
            Line(
                Value(-slope(log(vp.limit_alpha_bar(TIME, FIRST, LAST)), TIME)),
                r"In DDPM $\log\bar\alpha_t$ falls by $-\log(1-\beta_t) \approx \beta_t$ a step.",
            ),
            Line(Value(FIRST + TIME * (LAST - FIRST)), "Differentiate.", Calculus()),
        ),
        end=Value(vp.limit_rate(TIME, FIRST, LAST)),
        end_tex=r"\beta(t)",
        formulas=(vp.limit_alpha_bar, vp.limit_rate),
    )


def _start() -> Derivation:
    return Derivation(
        title=r"$\bar\alpha(t)$ starts at 1",
        nodes=("beyond-limit",),
        lines=(Line(Value(ONE), "No noise at the start."),),
        end=Value(vp.limit_alpha_bar(ZERO, FIRST, LAST)),
        end_tex=r"\bar\alpha(0)",
        formulas=(vp.limit_alpha_bar,),
    )


def _slope() -> Derivation:
    v = positive("v")
    alpha_bar = vp.limit_alpha_bar(TIME, FIRST, LAST)
    a = named(r"\bar\alpha", alpha_bar)
    rate = named(r"\beta", vp.limit_rate(TIME, FIRST, LAST))
    return Derivation(
        title="The variance of $x(t)$ solves its equation",
        nodes=("beyond-limit",),
        lines=(
            Line(
                Value(slope(alpha_bar * v + (1 - alpha_bar), TIME)),
                r"$V = \bar\alpha v + 1 - \bar\alpha$, for data of variance $v$.",
            ),
            Line(
                Value(rate * (1 - (a * v + (1 - a)))),
                r"$\bar\alpha' = -\beta\bar\alpha$.",
                Calculus(),
                where=((r"\bar\alpha", alpha_bar), (r"\beta", vp.limit_rate(TIME, FIRST, LAST))),
            ),
        ),
        end=Value(vp.variance_slope(a * v + (1 - a), rate)),
        end_tex="V'",
        formulas=(vp.variance_slope, vp.limit_alpha_bar, vp.limit_rate),
    )


def _same_slope() -> Derivation:
    variance = positive("V")
    root = sqrt(variance)
    return Derivation(
        title="The ODE moves the variance like the SDE",
        nodes=("beyond-flow",),
        lines=(
            Line(
                Value(2 * root * vp.flow_velocity(root, -(root / variance), RATE)),
                r"A point one deviation out, $x = \sqrt V$, with the score $-x/V$ of $\mathcal{N}(0, V)$: "
                r"the "
                r"square of the deviation changes by $2x\,dx/dt$.",
            ),
            Line(Value(RATE - RATE * variance), r"Multiply out."),
        ),
        end=Value(vp.variance_slope(variance, RATE)),
        end_tex="V'",
        formulas=(vp.variance_slope, vp.flow_velocity, vp.sde_drift),
        assumptions=(NORMAL,),
    )


def _flow() -> Derivation:
    x, v, variance = letter("x"), positive("v"), positive("V")
    here = vp.flow(x, v, variance)
    place = named("y", here)
    return Derivation(
        title="Where the ODE takes a point",
        nodes=("beyond-flow",),
        lines=(
            Line(
                Value(slope(here, variance) * vp.variance_slope(variance, RATE)),
                r"The claim: a point $x$ at time 0 is at $y = x\sqrt{V/v}$ where the variance is $V$. It "
                r"moves "
                r"with $V$, and $V$ with time.",
            ),
            Line(
                Value(place / (2 * variance) * (RATE * (1 - variance))),
                r"Differentiate.",
                Calculus(),
                where=(("y", here),),
            ),
        ),
        end=Value(vp.flow_velocity(place, -(place / variance), RATE)),
        end_tex=r"dy/dt",
        formulas=(vp.flow, vp.flow_velocity, vp.sde_drift, vp.variance_slope),
        assumptions=(NORMAL,),
    )


ONE_STEP = _one_step()
MEAN = _mean()
START = _start()
SLOPE = _slope()
SAME_SLOPE = _same_slope()
FLOW = _flow()

DERIVATIONS = (ONE_STEP, MEAN, START, SLOPE, SAME_SLOPE, FLOW)
