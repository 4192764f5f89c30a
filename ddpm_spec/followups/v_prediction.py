"""Predicting the velocity v on the circle of signal and noise (Salimans and Ho 2022)."""

from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, sqrt

__all__ = ["eps_from_v", "rotated", "velocity", "x_0_from_v"]


def velocity(x_0: Number, eps: Number, at: Step) -> Number:
    """v = √ᾱ_t ε − √(1−ᾱ_t) x_0. Any shape. Rounding: 2(1+κ)u.

    With cos φ = √ᾱ_t it is dx_φ/dφ: the direction in which x_t turns from image to noise.
    """
    return sqrt(at.alpha_bar) * eps - sqrt(at.one_minus_alpha_bar) * x_0


def x_0_from_v(x_t: Number, v: Number, at: Step) -> Number:
    """x̂_0 = √ᾱ_t x_t − √(1−ᾱ_t) v. Unlike Eq. 15 it divides by nothing: at ᾱ_T = 0 it is −v."""
    return sqrt(at.alpha_bar) * x_t - sqrt(at.one_minus_alpha_bar) * v


def eps_from_v(x_t: Number, v: Number, at: Step) -> Number:
    """ε = √(1−ᾱ_t) x_t + √ᾱ_t v. Any shape. Rounding: 2(1+κ)u."""
    return sqrt(at.one_minus_alpha_bar) * x_t + sqrt(at.alpha_bar) * v


def rotated(x_t: Number, v: Number, at: Step) -> Number:
    """DDIM's step without noise as a turn by δ = φ_t − φ_s: cos δ · x_t − sin δ · v. Any shape."""
    cosine = sqrt(at.alpha_bar_prev) * sqrt(at.alpha_bar) + sqrt(at.one_minus_alpha_bar_prev) * sqrt(
        at.one_minus_alpha_bar
    )
    sine = sqrt(at.one_minus_alpha_bar) * sqrt(at.alpha_bar_prev) - sqrt(at.alpha_bar) * sqrt(
        at.one_minus_alpha_bar_prev
    )
    return cosine * x_t - sine * v
