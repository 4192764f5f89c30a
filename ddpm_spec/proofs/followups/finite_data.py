"""The exact optimum on finitely many images: Bayes' rule, and the score it is."""

import sympy as sp

from ddpm_spec.followups import finite_data
from ddpm_spec.formulas import objective
from ddpm_spec.ops.typeset import Level, Term, letter, named
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import positive

__all__ = ["AVERAGE", "BEST", "DERIVATIONS"]

IMAGES = [letter(f"x^{{({i})}}") for i in (1, 2)]
DENSITIES = [positive(f"q_{i}") for i in (1, 2)]
LOG_DENSITIES = [
    Term(rf"\log q_{i}", sp.log(q.value), Level.FUNCTION) for i, q in enumerate(DENSITIES, start=1)
]


def _average() -> Derivation:
    first, second = DENSITIES
    return Derivation(
        title="The optimum is an average of the images",
        nodes=("beyond-memory",),
        lines=(
            Line(
                Value((first * IMAGES[0] + second * IMAGES[1]) / (first + second)),
                r"Bayes' rule: $q_i = q(x_t \mid x^{(i)})$ of Eq. 4, and both images are equally likely. "
                r"More images "
                "add more terms of the same form.",
            ),
        ),
        end=Value(finite_data.mean_image(IMAGES, LOG_DENSITIES)),
        end_tex=r"\mathbb{E}[x_0 \mid x_t]",
        formulas=(finite_data.mean_image, finite_data.image_shares),
        assumptions=("The data are finitely many images, each equally likely.",),
    )


def _best() -> Derivation:
    hat = letter(r"\hat x_0")
    shares = finite_data.image_shares(LOG_DENSITIES)
    r_1, r_2 = (named(f"r_{i}", share) for i, share in enumerate(shares, start=1))
    mean = named("m", finite_data.mean_image(IMAGES, LOG_DENSITIES))
    spread = r_1 * r_2
    return Derivation(
        title="It is the minimiser",
        nodes=("beyond-memory",),
        lines=(
            Line(
                Value(
                    r_1 * objective.simple_loss(IMAGES[0], hat) + r_2 * objective.simple_loss(IMAGES[1], hat)
                ),
                r"The expected error of a guess $\hat x_0$ at this $x_t$; Eq. 14 is this times the SNR.",
                where=tuple((f"r_{i}", share) for i, share in enumerate(shares, start=1)),
            ),
            Line(
                Value((mean - hat) ** 2 + spread * (IMAGES[0] - IMAGES[1]) ** 2),
                r"Complete the square: the second part does not depend on the guess, the first is 0 at the "
                "average $m$.",
                where=(
                    *((f"r_{i}", share) for i, share in enumerate(shares, start=1)),
                    ("m", finite_data.mean_image(IMAGES, LOG_DENSITIES)),
                ),
            ),
        ),
        end=Value(objective.simple_loss(mean, hat) + spread * objective.simple_loss(IMAGES[0], IMAGES[1])),
        formulas=(finite_data.mean_image, finite_data.image_shares, objective.simple_loss),
    )


AVERAGE = _average()
BEST = _best()

DERIVATIONS = (AVERAGE, BEST)
