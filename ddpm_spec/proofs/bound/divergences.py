"""Divergences and the entropy along the path: a letter for each step, and the rule that puts it in."""

from ddpm_spec.ops import log
from ddpm_spec.ops.typeset import Term
from ddpm_spec.proofs import path
from ddpm_spec.proofs.engine import Normal, Value
from ddpm_spec.proofs.gaussian import KL, kl_at
from ddpm_spec.proofs.path import PRIOR, Q_GIVEN, Q_MARGINAL, Q_POSTERIOR, Q_REVERSE, P
from ddpm_spec.proofs.sums import PathValue

__all__ = ["ENTROPY", "KL_STEP", "KL_T", "L_STEP", "L_T", "TOWER", "as_divergence"]

# E_q of the divergences, as numbers for each step.
L_T = path.divergence("L_T", Q_GIVEN, PRIOR)
L_STEP = path.divergence("L_step", Q_POSTERIOR, P)
KL_T = path.divergence("KL_T", Q_MARGINAL, PRIOR)
KL_STEP = path.divergence("KL_step", Q_REVERSE, P)
ENTROPY = PathValue("H", lambda x, prev: f"H({x})")

TOWER = (
    "Divergences and the averages of the logarithms exist, so that the average over a path may be taken "
    "one variable after the other."
)


def as_divergence(
    value: Term, real: Term, q: tuple[Term, Normal], p: tuple[Term, Normal], first: int = 1
) -> path.Average:
    """The rule by which log q − log p averages over q to a divergence.

    `value` is the letter of the divergence and `real` what it is for the two normal laws; each law comes with
    the letter of its density.
    """
    (over, law), (instead_of, model) = q, p
    return path.Average(
        KL,
        kl_at(law.mean, law.variance, model.mean, model.variance),
        ratio=log(over) - log(instead_of),
        value=value,
        over=over,
        instead_of=instead_of,
        meaning=(q, p, (value, Value(real))),
        first=first,
    )
