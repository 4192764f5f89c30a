"""PNDM's rule: the mean over the next step of the cubic through four predictions."""

from ddpm_spec.followups import multistep
from ddpm_spec.ops.typeset import letter
from ddpm_spec.proofs.calculus import Calculus, integral
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import ONE, ZERO

__all__ = ["CUBIC", "DERIVATIONS"]


def _cubic() -> Derivation:
    x = letter("x")
    now, first, second, third = (letter(rf"\epsilon_{{({k})}}") for k in range(4))
    through = (
        (x + 1) * (x + 2) * (x + 3) / 6 * now
        - x * (x + 2) * (x + 3) / 2 * first
        + x * (x + 1) * (x + 3) / 2 * second
        - x * (x + 1) * (x + 2) / 6 * third
    )
    return Derivation(
        title="The mean of a cubic over the next step",
        nodes=("beyond-multistep",),
        lines=(
            Line(
                Value(integral(through, x, ZERO, ONE)),
                r"The cubic that is $\epsilon_{(k)}$ at $x = -k$, the prediction $k$ steps before, averaged "
                r"over "
                r"the step to come, $x = 0$ to $1$.",
            ),
            Line(
                Value((55 * now - 59 * first + 37 * second - 9 * third) / 24),
                "Integrate.",
                Calculus(),
            ),
        ),
        end=Value(multistep.four_step_noise(now, first, second, third)),
        end_tex=r"\epsilon'",
        formulas=(multistep.four_step_noise,),
        assumptions=("The four predictions lie equally far apart in the time of the step.",),
    )


CUBIC = _cubic()

DERIVATIONS = (CUBIC,)
