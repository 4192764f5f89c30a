"""What the laws ask of an implementation."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

__all__ = ["Array", "Implementation", "Network"]

Array = np.ndarray[Any, np.dtype[Any]]

Network = Callable[[Array, Array], Array]
"""ε_θ(x_t, t): x_t of shape (B, D), integer t of shape (B,) in 1..T; the result has the shape of x_t."""


class Implementation(Protocol):
    """An implementation of the paper, in NumPy float64 at the border: the adapter converts.

    Examples are rows, x of shape (B, D); an adapter whose model wants images reshapes to (B, 1, 1, D)
    and back. Time is 1..T. Terms of the bound are nats per example, summed over the D coordinates.
    """

    betas: Array
    """β_1..β_T, shape (T,)."""
    alpha_bars: Array
    """ᾱ_1..ᾱ_T as the implementation tabulates them, shape (T,)."""
    levels: int
    """Grey levels of the discrete decoder, equally spaced from −1 to 1."""

    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        """x_t of Eq. 4 for noise ε; t of shape (B,)."""

    def posterior(self, x_0: Array, x_t: Array, t: int) -> tuple[Array, float]:
        """Mean (B, D) and variance of q(x_{t−1} | x_t, x_0), Eqs. 6 and 7."""

    def predict_x_0(self, x_t: Array, t: int, eps: Array) -> Array:
        """x̂_0 of Eq. 15 from a predicted noise."""

    def variance(self, t: int) -> float:
        """σ_t² of the reverse process; at t = 1 that of the decoder, Eq. 13."""

    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        """x_{t−1}, one step of Algorithm 2 with noise z."""

    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        """Eq. 14 divided by D, averaged over the batch; t of shape (B,)."""

    def prior_term(self, x_0: Array) -> Array:
        """L_T of Eq. 5, shape (B,)."""

    def bound_term(self, network: Network, x_0: Array, t: int, eps: Array) -> Array:
        """L_{t−1} of Eq. 5 at the x_t of x_0 and ε, shape (B,); L_0 by the discrete decoder at t = 1."""
