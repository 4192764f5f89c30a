"""DDPM's path as a straight line (Lipman et al. 2023, with σ_min = 0)."""

from ddpm_spec.formulas.interpolation import mix
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, sqrt

__all__ = ["path_time", "straight_path", "straight_velocity"]


def path_time(at: Step) -> Number:
    """τ = √ᾱ_t / (√ᾱ_t + √(1−ᾱ_t)), the place of x_t on the line: 0 is noise, 1 is data.

    Rounding: 4(1+κ)u.
    """
    signal, noise = sqrt(at.alpha_bar), sqrt(at.one_minus_alpha_bar)
    return signal / (signal + noise)


def straight_path(x_0: Number, eps: Number, time: Number) -> Number:
    """τ x_0 + (1 − τ) ε, in any common shape."""
    return mix(eps, x_0, time)


def straight_velocity(x_0: Number, eps: Number) -> Number:
    """What flow matching regresses on: the speed x_0 − ε of the straight path."""
    return x_0 - eps
