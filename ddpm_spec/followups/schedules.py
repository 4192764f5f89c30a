"""A schedule whose last step is pure noise (Lin et al. 2024)."""

from ddpm_spec.ops import Number

__all__ = ["beta_between", "zero_terminal_root"]


def zero_terminal_root(root: Number, root_1: Number, root_T: Number) -> Number:
    """√ᾱ'_t = (√ᾱ_t − √ᾱ_T) √ᾱ_1 / (√ᾱ_1 − √ᾱ_T): the line that keeps √ᾱ_1 and takes √ᾱ_T to 0.

    `root`, `root_1`, `root_T`: √ᾱ_t, √ᾱ_1 and √ᾱ_T of the schedule that is changed. Any shape.
    """
    return (root - root_T) * root_1 / (root_1 - root_T)


def beta_between(alpha_bar: Number, alpha_bar_prev: Number) -> Number:
    """β_t = 1 − ᾱ_t/ᾱ_{t−1}, the schedule from its ᾱ; 1 at a last step with ᾱ_T = 0.

    Cancels where β_t is small: formed in float64.
    """
    return 1 - alpha_bar / alpha_bar_prev
