"""Guidance by a classifier (Dhariwal and Nichol 2021) and without one (Ho and Salimans 2021)."""

from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, sqrt

__all__ = ["classifier_eps", "classifier_mean", "guided_eps", "guided_variance", "score"]


def score(eps: Number, at: Step) -> Number:
    """∇ log q_t = −ε*/√(1−ᾱ_t), the score that a prediction of the noise stands for. Any shape."""
    return -eps / sqrt(at.one_minus_alpha_bar)


def guided_eps(conditional: Number, unconditional: Number, weight: Number) -> Number:
    """ε̃ = (1+w) ε_θ(x_t, c) − w ε_θ(x_t), classifier-free guidance. Any common shape.

    w = 0 is conditional, w = −1 unconditional. Libraries call 1 + w the guidance scale.
    """
    return (1 + weight) * conditional - weight * unconditional


def classifier_eps(eps: Number, gradient: Number, scale: Number, at: Step) -> Number:
    """ε̂ = ε_θ − s √(1−ᾱ_t) ∇ log p(y | x_t), ADM's Algorithm 2 (s = 1 in the paper's line). Any shape."""
    return eps - scale * sqrt(at.one_minus_alpha_bar) * gradient


def classifier_mean(mean: Number, variance: Number, gradient: Number, scale: Number) -> Number:
    """μ̂ = μ + s σ_t² ∇ log p(y | x_t), ADM's Algorithm 1. Any shape; variance is σ_t²."""
    return mean + scale * variance * gradient


def guided_variance(contrast: Number, weight: Number) -> Number:
    """(1−u)/(1+wu), the variance of the guided law of a normal class in N(0, 1).

    `contrast`: u = ᾱ_t (1−τ²), for a class of variance τ². The guided law is p_t(x | c)^{1+w} p_t(x)^{−w},
    normalised; it is a law where 1 + wu > 0.
    """
    return (1 - contrast) / (1 + weight * contrast)
