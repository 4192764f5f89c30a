"""Consistency: the boundary, and what the function is for normal data."""

from ddpm_spec.followups import consistency, diffusion_limit, preconditioning
from ddpm_spec.ops import sqrt
from ddpm_spec.ops.typeset import letter, named
from ddpm_spec.proofs.calculus import Calculus, slope
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import ZERO, positive

__all__ = ["BOUNDARY", "CONSTANT", "DERIVATIONS", "PATH", "START"]

X, F = letter("x"), letter("F")
SIGMA, LEAST, DATA = positive(r"\sigma"), positive(r"\sigma_{\min}"), positive(r"\sigma_d^2")
NORMAL = r"For the paths: $x_0 \sim \mathcal{N}(0, \sigma_d^2)$, whose exact denoiser is EDM's with $F = 0$."


def _boundary() -> Derivation:
    skip = consistency.boundary_skip(LEAST, LEAST, DATA)
    out = consistency.boundary_output(LEAST, LEAST, DATA)
    c_skip, c_out = named(r"c_{\mathrm{skip}}", skip), named(r"c_{\mathrm{out}}", out)
    return Derivation(
        title="At the start of the path",
        nodes=("beyond-consistency",),
        lines=(
            Line(Value(X), "The path starts at $x$ itself."),
            Line(
                Value(c_skip * X + c_out * F),
                r"The first scaling is 1 and the second 0, whatever $F$ is.",
                where=((r"c_{\mathrm{skip}}", skip), (r"c_{\mathrm{out}}", out)),
            ),
        ),
        end=Value(consistency.consistent(X, F, LEAST, LEAST, DATA)),
        end_tex=r"f(x, \sigma_{\min})",
        formulas=(consistency.consistent, consistency.boundary_skip, consistency.boundary_output),
    )


def _path() -> Derivation:
    here = diffusion_limit.flow(X, DATA, DATA + SIGMA**2)
    y = named("y", here)
    return Derivation(
        title="A path of normal data",
        nodes=("beyond-consistency",),
        lines=(
            Line(
                Value(slope(here, SIGMA)),
                r"The claim: at $\sigma$ the path is at $y = x\sqrt{(\sigma_d^2+\sigma^2)/\sigma_d^2}$, as "
                "the probability-flow ODE moves it.",
            ),
            Line(
                Value(SIGMA * y / (DATA + SIGMA**2)),
                "Differentiate.",
                Calculus(),
                where=(("y", here),),
            ),
        ),
        end=Value(consistency.path_speed(y, preconditioning.denoised(y, ZERO, SIGMA**2, DATA), SIGMA)),
        end_tex=r"dy/d\sigma",
        formulas=(consistency.path_speed, diffusion_limit.flow, preconditioning.denoised),
        assumptions=(NORMAL,),
    )


def _constant() -> Derivation:
    later, first = DATA + positive("s"), DATA + LEAST**2
    here = DATA + SIGMA**2
    there = diffusion_limit.flow(X, here, later)
    y = named("y", there)
    return Derivation(
        title="One start for all points of a path",
        nodes=("beyond-consistency",),
        lines=(
            Line(
                Value(diffusion_limit.flow(X, here, first)),
                r"$f$ at a point $x$ with noise $\sigma$: the flow back to $\sigma_{\min}$.",
            ),
            Line(
                Value(y * sqrt(first / later)),
                r"The same path further on, where it is at $y$ with noise of variance $s$.",
                where=(("y", there),),
            ),
        ),
        end=Value(diffusion_limit.flow(y, later, first)),
        formulas=(diffusion_limit.flow,),
        assumptions=(NORMAL,),
    )


def _start() -> Derivation:
    first = DATA + LEAST**2
    return Derivation(
        title="For normal data $f$ keeps the boundary",
        nodes=("beyond-consistency",),
        lines=(Line(Value(X), "Nothing to flow back over."),),
        end=Value(diffusion_limit.flow(X, first, first)),
        end_tex=r"f(x, \sigma_{\min})",
        formulas=(diffusion_limit.flow,),
    )


BOUNDARY = _boundary()
PATH = _path()
CONSTANT = _constant()
START = _start()

DERIVATIONS = (BOUNDARY, PATH, CONSTANT, START)
