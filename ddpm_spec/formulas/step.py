"""What the paper writes with an index t, gathered for one time step."""

from typing import NamedTuple

from ddpm_spec.ops import Number

__all__ = ["Step"]


class Step(NamedTuple):
    """The schedule at one step t of 1..T (§2, Eqs. 2 and 4), with ᾱ_0 = 1.

    1 − ᾱ is a quantity of its own: formed from a rounded ᾱ it cancels near t = 1, where β̃_t would
    lose four digits.
    """

    beta: Number
    """β_t, the variance of one forward step."""
    alpha: Number
    """α_t = 1 − β_t."""
    alpha_bar: Number
    """ᾱ_t = α_1 ⋯ α_t."""
    alpha_bar_prev: Number
    """ᾱ_{t−1}; ᾱ_0 = 1."""
    one_minus_alpha_bar: Number
    """1 − ᾱ_t, the variance of q(x_t | x_0)."""
    one_minus_alpha_bar_prev: Number
    """1 − ᾱ_{t−1}; 0 at t = 1."""
