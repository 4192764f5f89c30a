"""v-prediction: what it gives back, and DDIM as a turn of the circle."""

from ddpm_spec.followups import ddim, v_prediction
from ddpm_spec.formulas import forward
from ddpm_spec.ops import cos, sin, sqrt
from ddpm_spec.ops.typeset import Term, letter, named
from ddpm_spec.proofs.calculus import Calculus, slope
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, EPS, X_0, X_T, ZERO

__all__ = ["DERIVATIONS", "EPS_BACK", "TANGENT", "TURN", "X_0_BACK"]


def _here() -> tuple[Term, Term, tuple[tuple[str, Term], ...]]:
    """x_t and v of an image and a noise under their names, and what the names stand for."""
    x_t, v = forward.q_sample(X_0, EPS, AT), v_prediction.velocity(X_0, EPS, AT)
    return named("x_t", x_t), named("v", v), (("x_t", x_t), ("v", v))


def _x_0_back() -> Derivation:
    x_t, v, here = _here()
    return Derivation(
        title="The image behind $v$",
        nodes=("beyond-velocity",),
        lines=(
            Line(Value(X_0), "The image.", where=here),
            Line(
                Value(AT.alpha_bar * X_0 + AT.one_minus_alpha_bar * X_0),
                "The squares of the two coefficients sum to one; the noise of the two parts cancels.",
            ),
        ),
        end=Value(v_prediction.x_0_from_v(x_t, v, AT)),
        end_tex=r"\hat x_0",
        formulas=(v_prediction.x_0_from_v, v_prediction.velocity, forward.q_sample),
    )


def _eps_back() -> Derivation:
    x_t, v, here = _here()
    return Derivation(
        title="The noise behind $v$",
        nodes=("beyond-velocity",),
        lines=(
            Line(Value(EPS), "The noise.", where=here),
            Line(
                Value(AT.one_minus_alpha_bar * EPS + AT.alpha_bar * EPS),
                "In the same way; here the image cancels.",
            ),
        ),
        end=Value(v_prediction.eps_from_v(x_t, v, AT)),
        end_tex=r"\epsilon",
        formulas=(v_prediction.eps_from_v, v_prediction.velocity, forward.q_sample),
    )


def _tangent() -> Derivation:
    phi = letter(r"\varphi")
    x = cos(phi) * X_0 + sin(phi) * EPS
    return Derivation(
        title="$v$ is the direction of travel",
        nodes=("beyond-velocity",),
        lines=(
            Line(
                Value(slope(x, phi)),
                r"Eq. 4 on the circle $\cos\varphi = \sqrt{\bar\alpha_t}$, $\sin\varphi = "
                r"\sqrt{1-\bar\alpha_t}$.",
            ),
            Line(Value(cos(phi) * EPS - sin(phi) * X_0), "Differentiate.", Calculus()),
        ),
        end=Value(cos(phi) * EPS - sin(phi) * X_0),
        end_tex=r"dx_\varphi/d\varphi",
    )


def _turn() -> Derivation:
    v = letter("v")
    hat = v_prediction.x_0_from_v(X_T, v, AT)
    eps = v_prediction.eps_from_v(X_T, v, AT)
    x_0_hat, noise = named(r"\hat x_0", hat), named(r"\epsilon_\theta", eps)
    return Derivation(
        title="DDIM without noise turns by an angle",
        nodes=("beyond-velocity",),
        lines=(
            Line(
                Value(ddim.ddim_mean(x_0_hat, X_T, ZERO, AT)),
                r"DDIM at $\sigma = 0$ with the $\hat x_0$ of $v$.",
                where=((r"\hat x_0", hat),),
            ),
            Line(
                Value(sqrt(AT.alpha_bar_prev) * x_0_hat + sqrt(AT.one_minus_alpha_bar_prev) * noise),
                r"The implied noise is the $\epsilon_\theta$ of $v$.",
                where=((r"\hat x_0", hat), (r"\epsilon_\theta", eps)),
            ),
        ),
        end=Value(v_prediction.rotated(X_T, v, AT)),
        end_tex="x_s",
        formulas=(
            v_prediction.rotated,
            v_prediction.x_0_from_v,
            v_prediction.eps_from_v,
            ddim.ddim_mean,
        ),
    )


X_0_BACK = _x_0_back()
EPS_BACK = _eps_back()
TANGENT = _tangent()
TURN = _turn()

DERIVATIONS = (X_0_BACK, EPS_BACK, TANGENT, TURN)
