"""The training objectives (§3.2 and §3.4, Eqs. 12 and 14)."""

from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number

__all__ = ["eps_weight", "simple_loss"]


def simple_loss(eps: Number, eps_hat: Number) -> Number:
    """One coordinate of ‖ε − ε_θ‖² in Eq. 14.

    Any shape. The paper's norm is the sum over the D coordinates; the trainer takes the mean, which
    is Eq. 14 divided by D.
    """
    return (eps - eps_hat) ** 2


def eps_weight(variance: Number, at: Step) -> Number:
    """The weight of ‖ε − ε_θ‖² in L_{t−1}, Eq. 12, in nats; `variance` is σ_t².

    Infinite at t = 1 for σ_t² = β̃_t, which is 0 there.
    """
    return at.beta**2 / (2 * variance * at.alpha * at.one_minus_alpha_bar)
