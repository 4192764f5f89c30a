"""Flow matching: DDPM's x_t on a straight line, and the speed along it."""

from ddpm_spec.followups import flow_matching
from ddpm_spec.formulas import forward, interpolation
from ddpm_spec.ops import sqrt
from ddpm_spec.ops.typeset import letter, named
from ddpm_spec.proofs.calculus import Calculus, slope
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, EPS, X_0

__all__ = ["DERIVATIONS", "LINE", "SPEED"]


def _line() -> Derivation:
    signal, noise = sqrt(AT.alpha_bar), sqrt(AT.one_minus_alpha_bar)
    x_t = forward.q_sample(X_0, EPS, AT)
    time = flow_matching.path_time(AT)
    tau = named(r"\tau", time)
    return Derivation(
        title="DDPM's path is a rescaled line",
        nodes=("beyond-straight",),
        lines=(
            Line(
                Value(named("x_t", x_t) / (signal + noise)),
                "The $x_t$ of Eq. 4, divided by the sum of its two coefficients.",
                where=(("x_t", x_t),),
            ),
            Line(
                Value(tau * X_0 + (1 - tau) * EPS),
                r"The coefficients now sum to one.",
                where=((r"\tau", time),),
            ),
        ),
        end=Value(flow_matching.straight_path(X_0, EPS, tau)),
        end_tex=r"x_t / (\sqrt{\bar\alpha_t} + \sqrt{1-\bar\alpha_t})",
        formulas=(flow_matching.straight_path, flow_matching.path_time, forward.q_sample, interpolation.mix),
    )


def _speed() -> Derivation:
    tau = letter(r"\tau")
    return Derivation(
        title="The speed along the line",
        nodes=("beyond-straight",),
        lines=(
            Line(
                Value(slope(flow_matching.straight_path(X_0, EPS, tau), tau)),
                r"How $x$ moves with $\tau$.",
            ),
            Line(Value(X_0 - EPS), "The same at every point of the line.", Calculus()),
        ),
        end=Value(flow_matching.straight_velocity(X_0, EPS)),
        end_tex="u",
        formulas=(flow_matching.straight_velocity, flow_matching.straight_path),
    )


LINE = _line()
SPEED = _speed()

DERIVATIONS = (LINE, SPEED)
