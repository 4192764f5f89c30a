"""Steering: the score of a measurement, where DPS departs from it, and what ILVR fixes."""

from ddpm_spec.followups import steering
from ddpm_spec.formulas import gaussian, interpolation, variance
from ddpm_spec.ops import sqrt
from ddpm_spec.ops.typeset import Term, letter, named, rows
from ddpm_spec.proofs.calculus import Calculus, slope
from ddpm_spec.proofs.engine import By, Derivation, Integral, Line, Normal, Value
from ddpm_spec.proofs.gaussian import gaussian_sum
from ddpm_spec.proofs.letters import AT, ONE, X_0, X_T, positive
from ddpm_spec.proofs.zero import UnitInterval

__all__ = ["DENOISER", "DERIVATIONS", "EXCESS", "LOW", "MEASURED", "NORM", "REST", "SCORE"]

Y, GAIN = letter("y"), letter("a")
RESIDUAL, NOISE = positive("V"), positive(r"\sigma_y^2")


def _denoiser() -> Derivation:
    v = positive("v")
    rest = variance.linear_residual(v, AT)
    total = v * AT.alpha_bar + AT.one_minus_alpha_bar
    return Derivation(
        title="How the denoiser answers to its input",
        nodes=("beyond-dps",),
        lines=(
            Line(
                Value(slope(sqrt(AT.alpha_bar) * v / total * X_T, X_T)),
                r"$\hat x_0 = \mathbb{E}[x_0 \mid x_t]$ for $x_0 \sim \mathcal{N}(0, v)$: the covariance of "
                r"$x_0$ and $x_t$ over the variance of $x_t$.",
            ),
            Line(Value(sqrt(AT.alpha_bar) * v / total), "Differentiate.", Calculus()),
        ),
        end=Value(steering.denoiser_slope(rest, AT)),
        end_tex=r"\partial\hat x_0/\partial x_t",
        formulas=(steering.denoiser_slope, variance.linear_residual),
        assumptions=(
            r"$x_0 \sim \mathcal{N}(0, v)$, so that $V = \operatorname{Var}(x_0 \mid x_t) = "
            r"v(1-\bar\alpha_t)/(\bar\alpha_t v + 1-\bar\alpha_t)$. For other laws a test compares "
            "the two sides.",
        ),
    )


def _measured() -> Derivation:
    hat = letter(r"\hat x_0")
    given, posterior = Normal(Y, X_0, NOISE), Normal(X_0, hat, RESIDUAL)
    return Derivation(
        title="The law of the measurement",
        nodes=("beyond-dps",),
        lines=(
            Line(
                Integral(rows(given.name, posterior.name), X_0),
                r"$y = x_0 + \sigma_y n$, and given $x_t$ the image is $\mathcal{N}(\hat x_0, V)$: average "
                "the first over the second.",
            ),
            Line(
                Normal(Y, hat, NOISE + RESIDUAL),
                "The lemma on sums of normals.",
                By(gaussian_sum(Y, X_0, hat, RESIDUAL, ONE, NOISE)),
            ),
        ),
        end=Normal(Y, hat, steering.dps_excess(RESIDUAL, NOISE) * NOISE),
        end_tex=r"\log p(y \mid x_t)",
        formulas=(steering.dps_excess,),
        assumptions=("Normal data. DPS leaves $V$ out, for any data.",),
    )


def _score() -> Derivation:
    offset, spread = letter("b"), positive("s")
    hat = offset + GAIN * X_T
    return Derivation(
        title="The score of the measurement",
        nodes=("beyond-dps",),
        lines=(
            Line(
                Value(slope(Normal(Y, hat, spread).term, X_T)),
                r"$\hat x_0 = b + a x_t$ moves with $x_t$ at the rate $a$; $s$ is the variance put in.",
            ),
            Line(Value(GAIN * (Y - hat) / spread), "Differentiate.", Calculus()),
        ),
        end=Value(steering.measurement_score(Y, hat, GAIN, spread)),
        end_tex=r"\nabla\log p(y \mid x_t)",
        formulas=(steering.measurement_score, gaussian.log_density),
    )


def _excess() -> Derivation:
    hat = letter(r"\hat x_0")
    return Derivation(
        title="DPS overshoots",
        nodes=("beyond-dps",),
        lines=(
            Line(
                Value(
                    steering.measurement_score(Y, hat, GAIN, NOISE)
                    / steering.measurement_score(Y, hat, GAIN, NOISE + RESIDUAL)
                ),
                r"The score with $\sigma_y^2$, as DPS has it, over the exact one with $\sigma_y^2 + V$.",
            ),
            Line(
                Value(1 + RESIDUAL / NOISE),
                "Everything else cancels. Only at the end, where $V = 0$, it is 1.",
            ),
        ),
        end=Value(steering.dps_excess(RESIDUAL, NOISE)),
        formulas=(steering.dps_excess, steering.measurement_score),
    )


def _norm() -> Derivation:
    x, step = letter("x"), positive("c")
    first, second = letter("e_1") - letter("w_1") * x, letter("e_2") - letter("w_2") * x
    square = first**2 + second**2
    gradient = slope(sqrt(square), x)
    gradient = Term(gradient.tex, gradient.value.doit(), gradient.level)
    return Derivation(
        title="With and without the square",
        nodes=("beyond-dps",),
        lines=(
            Line(
                Value(step * slope(square, x)),
                r"A step of $\zeta' = c$ along $\nabla\lVert r\rVert^2$, for a residual $r$ of two pixels; "
                "more add terms of the same form.",
            ),
            Line(
                Value(2 * step * sqrt(square) * gradient),
                r"$\nabla\lVert r\rVert^2 = 2\lVert r\rVert\,\nabla\lVert r\rVert$.",
                Calculus(),
            ),
        ),
        end=Value(steering.norm_step(step, sqrt(square)) * gradient),
        formulas=(steering.norm_step,),
    )


def _low() -> Derivation:
    low, reference = _filtered(PROPOSAL), _filtered(REFERENCE)
    here = ((r"\phi_x", low), (r"\phi_y", reference))
    return Derivation(
        title="The filter sees the reference only",
        nodes=("beyond-ilvr",),
        lines=(
            Line(
                Value(named(r"\phi_y", reference)),
                r"$\phi$ averages two pixels with weights $a$ and $1-a$ and puts the mean in both. $e_i$ are "
                r"the pixels of the proposal $x'$, $w_i$ those of the reference $y_{t-1}$.",
                where=here,
            ),
            Line(
                Value(low - named(r"\phi_x", low) + named(r"\phi_y", reference)),
                r"$\phi$ is linear and keeps what it has made, since its weights sum to one: $\phi$ of "
                r"$x' - \phi_x + \phi_y$, term by term.",
                where=here,
            ),
        ),
        end=Value(_filtered((_stepped(0), _stepped(1)))),
        end_tex=r"\phi(x_{t-1})",
        formulas=(steering.ilvr_step, interpolation.mix),
        assumptions=(
            r"$\phi$ is linear and idempotent, $\phi(\phi(x)) = \phi(x)$, as averaging over blocks is. "
            "Larger filters of this kind are tested with exact rational matrices.",
        ),
    )


def _rest() -> Derivation:
    low, reference = named(r"\phi_x", _filtered(PROPOSAL)), named(r"\phi_y", _filtered(REFERENCE))
    return Derivation(
        title="What the filter removes stays the model's",
        nodes=("beyond-ilvr",),
        lines=(
            Line(
                Value(PROPOSAL[0] - low),
                r"The detail of the proposal.",
                where=((r"\phi_x", _filtered(PROPOSAL)), (r"\phi_y", _filtered(REFERENCE))),
            ),
        ),
        end=Value(steering.ilvr_step(PROPOSAL[0], low, reference) - reference),
        end_tex=r"x_{t-1} - \phi(x_{t-1})",
        formulas=(steering.ilvr_step,),
    )


WEIGHT = letter("a", UnitInterval("a"))
PROPOSAL, REFERENCE = (letter("e_1"), letter("e_2")), (letter("w_1"), letter("w_2"))


def _filtered(pixels: tuple[Term, Term]) -> Term:
    """The weighted mean of two pixels."""
    mean: Term = interpolation.mix(pixels[1], pixels[0], WEIGHT)
    return mean


def _stepped(pixel: int) -> Term:
    """ILVR's step at one of the two pixels."""
    low, reference = named(r"\phi_x", _filtered(PROPOSAL)), named(r"\phi_y", _filtered(REFERENCE))
    step: Term = steering.ilvr_step(PROPOSAL[pixel], low, reference)
    return step


DENOISER = _denoiser()
MEASURED = _measured()
SCORE = _score()
EXCESS = _excess()
NORM = _norm()
LOW = _low()
REST = _rest()

DERIVATIONS = (DENOISER, MEASURED, SCORE, EXCESS, NORM, LOW, REST)
