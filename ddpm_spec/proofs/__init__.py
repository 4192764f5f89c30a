"""The paper's derivations, each a chain of checked steps that ends at a formula of `formulas`."""

from ddpm_spec.proofs import forward, gaussian, interpolation, objective, posterior, reverse, score
from ddpm_spec.proofs.engine import Derivation, FalseStep, Proof

__all__ = ["DERIVATIONS", "Derivation", "FalseStep", "Proof"]

DERIVATIONS: tuple[Derivation, ...] = (
    gaussian.SUM,
    gaussian.KL,
    forward.BASE,
    forward.STEP,
    posterior.POSTERIOR,
    reverse.X_0_HAT,
    reverse.MEAN,
    objective.WEIGHT,
    score.TWEEDIE,
    score.VINCENT,
    score.LANGEVIN,
    score.SCORE_MATCHING,
    interpolation.MEAN,
    interpolation.NOISE,
)
"""Every derivation, in the order in which a reader meets them."""
