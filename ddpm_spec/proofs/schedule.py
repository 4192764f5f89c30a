"""Schedules: the line through its end points, and the cosine schedule's β_t without its cancellation."""

import sympy as sp

from ddpm_spec.formulas import schedule
from ddpm_spec.ops import cos, sin, sqrt, two_pi
from ddpm_spec.ops.typeset import letter, named
from ddpm_spec.proofs.engine import By, Derivation, Line, Value
from ddpm_spec.proofs.letters import positive

__all__ = ["ANGLE", "COSINE", "COSINES", "LINEAR", "QUADRATIC"]

_t, _T, _S = letter("t"), positive("T"), positive("s")
_BETA_1, _BETA_T = positive(r"\beta_1"), positive(r"\beta_T")
_A, _H = letter("a"), letter("h")


def _linear() -> Derivation:
    return Derivation(
        title="The linear schedule through its end points",
        nodes=(),
        lines=(
            Line(
                Value((_T - _t) / (_T - 1) * _BETA_1 + (_t - 1) / (_T - 1) * _BETA_T),
                r"The point at $t$ of the line through $(1, \beta_1)$ and $(T, \beta_T)$: at either end one "
                "weight is 1 and the other 0.",
            ),
        ),
        end=Value(schedule.linear_beta(_t, _T, _BETA_1, _BETA_T)),
        end_tex=r"\beta_t",
        formulas=(schedule.linear_beta,),
    )


def _quadratic() -> Derivation:
    root = (_T - _t) / (_T - 1) * sqrt(_BETA_1) + (_t - 1) / (_T - 1) * sqrt(_BETA_T)
    return Derivation(
        title="The quadratic schedule through its end points",
        nodes=(),
        lines=(
            Line(
                Value(root**2),
                r"The square of the point at $t$ of the line through $(1, \sqrt{\beta_1})$ and "
                r"$(T, \sqrt{\beta_T})$.",
            ),
        ),
        end=Value(schedule.quadratic_beta(_t, _T, _BETA_1, _BETA_T)),
        end_tex=r"\beta_t",
        formulas=(schedule.quadratic_beta,),
    )


def _angle() -> Derivation:
    half_pi = letter(r"\frac{\pi}{2}", sp.pi / 2)
    return Derivation(
        title="The angle of the cosine schedule",
        nodes=(),
        lines=(
            Line(
                Value((_t / _T + _S) / (1 + _S) * half_pi),
                r"Its squared cosine is $f(t)$ of Nichol and Dhariwal; at $t = T$ it is a right angle.",
            ),
        ),
        end=Value(schedule.cosine_angle(_t, _T, _S)),
        end_tex=r"\theta_t",
        formulas=(schedule.cosine_angle,),
    )


def _cosines() -> Derivation:
    """The numerator as a difference of squares, each factor by the addition theorem."""
    return Derivation(
        title="One minus a quotient of squared cosines",
        nodes=(),
        lines=(
            Line(Value(1 - cos(_A + _H) ** 2 / cos(_A) ** 2), "The quotient is near 1 where $h$ is small."),
            Line(
                Value((cos(_A) ** 2 - cos(_A + _H) ** 2) / cos(_A) ** 2),
                "Over one denominator.",
            ),
            Line(
                Value((sin(_A + _H) ** 2 * cos(_A) ** 2 - cos(_A + _H) ** 2 * sin(_A) ** 2) / cos(_A) ** 2),
                r"Give each term the other's $\cos^2 + \sin^2 = 1$; the product of the two cosines cancels.",
            ),
            Line(
                Value(
                    (sin(_A + _H) * cos(_A) + cos(_A + _H) * sin(_A))
                    * (sin(_A + _H) * cos(_A) - cos(_A + _H) * sin(_A))
                    / cos(_A) ** 2
                ),
                "A difference of two squares; each factor is the sine of a sum or of a difference.",
            ),
        ),
        end=Value(sin(2 * _A + _H) * sin(_H) / cos(_A) ** 2),
        assumptions=(r"$\cos a \neq 0$.",),
    )


COSINES = _cosines()


def _cosine() -> Derivation:
    before, now = (schedule.cosine_angle(time, _T, _S) for time in (_t - 1, _t))
    step = two_pi(_S) / (4 * _T * (1 + _S))
    a, b, h = named(r"\theta_{t-1}", before), named(r"\theta_t", now), named("h", step)
    return Derivation(
        title="The cosine schedule without its cancellation",
        nodes=(),
        lines=(
            Line(
                Value(1 - cos(b) ** 2 / cos(a) ** 2),
                r"$1 - \bar\alpha_t/\bar\alpha_{t-1}$; $\bar\alpha_t$ is a multiple of $\cos^2\theta_t$.",
                where=((r"\theta_t", now), (r"\theta_{t-1}", before)),
            ),
            Line(
                Value(sin(2 * a + h) * sin(h) / cos(a) ** 2),
                r"The angles of two steps differ by $h$. What nearly cancelled is now a product.",
                By(COSINES, ((_A, before), (_H, step))),
                where=(("h", step),),
            ),
        ),
        end=Value(schedule.cosine_beta(_t, _T, _S)),
        end_tex=r"\beta_t",
        formulas=(schedule.cosine_beta, schedule.cosine_angle),
        assumptions=(r"$\beta_t$ is not yet clipped.",),
    )


LINEAR = _linear()
QUADRATIC = _quadratic()
ANGLE = _angle()
COSINE = _cosine()
