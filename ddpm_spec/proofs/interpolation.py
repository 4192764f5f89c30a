"""Claim C9 in its exact form: what the mixture of two latents is a draw of, and what it is not."""

from ddpm_spec.formulas import forward, gaussian, interpolation
from ddpm_spec.ops import sqrt
from ddpm_spec.ops.typeset import letter, named, rows
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, EPS, ONE, X_0, ZERO

__all__ = ["MEAN", "NOISE"]

_WEIGHT = letter(r"\lambda")
_X_0_OTHER, _EPS_OTHER = letter("x_0'"), letter(r"\epsilon'")


def _mean() -> Derivation:
    x_t, other = forward.q_sample(X_0, EPS, AT), forward.q_sample(_X_0_OTHER, _EPS_OTHER, AT)
    image = interpolation.mix(X_0, _X_0_OTHER, _WEIGHT)
    noise = interpolation.mix(EPS, _EPS_OTHER, _WEIGHT)
    return Derivation(
        title="The mixture of two latents",
        nodes=("c-9",),
        lines=(
            Line(
                Value(interpolation.mix(named("x_t", x_t), named("x_t'", other), _WEIGHT)),
                "Both images are encoded to the same step $t$ and mixed.",
                where=(("x_t", x_t), ("x_t'", other)),
            ),
            Line(
                Value(
                    rows(
                        sqrt(AT.alpha_bar) * ((1 - _WEIGHT) * X_0 + _WEIGHT * _X_0_OTHER),
                        sqrt(AT.one_minus_alpha_bar) * ((1 - _WEIGHT) * EPS + _WEIGHT * _EPS_OTHER),
                    )
                ),
                "Put in Eq. 4 and collect images and noises.",
            ),
        ),
        end=Value(forward.q_sample(image, noise, AT)),
        end_tex=r"\bar x_t",
        formulas=(interpolation.mix, forward.q_sample),
        assumptions=("The noises are kept while the weight moves, so the mixture moves continuously.",),
    )


def _noise() -> Derivation:
    """The variance of (1 − λ) ε + λ ε′ by the sum of two scaled independent normals."""
    first = gaussian.linear_variance(ONE, (1 - _WEIGHT) ** 2, ZERO)
    return Derivation(
        title="The noise that a mixture keeps",
        nodes=("c-9",),
        lines=(
            Line(
                Value(gaussian.linear_variance(ONE, _WEIGHT**2, named("s", first))),
                r"$\lambda\epsilon'$ plus the independent noise $(1-\lambda)\epsilon$, of variance $s$.",
                where=(("s", first),),
            ),
        ),
        end=Value(interpolation.mixed_noise(_WEIGHT)),
        end_tex=r"\operatorname{Var}\left[(1-\lambda)\epsilon + \lambda\epsilon'\right]",
        formulas=(interpolation.mixed_noise, gaussian.linear_variance),
        assumptions=("The two noises are independent and standard normal.",),
    )


MEAN = _mean()
NOISE = _noise()
