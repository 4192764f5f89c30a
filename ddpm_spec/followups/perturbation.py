"""Training on inputs that are a little too noisy, as sampling makes them (Ning et al. 2023)."""

from ddpm_spec.formulas.forward import q_sample
from ddpm_spec.formulas.gaussian import linear_variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, one

__all__ = ["perturbed_noise_variance", "perturbed_sample"]


def perturbed_sample(x_0: Number, eps: Number, xi: Number, gamma: Number, at: Step) -> Number:
    """√ᾱ_t x_0 + √(1−ᾱ_t) (ε + γ ξ), the input; the target stays ε.

    `x_0`, `eps`, `xi`: one shape; ξ ~ N(0, I) is independent of ε; γ = 0.1 in the paper, 0.15 for CIFAR10.
    """
    return q_sample(x_0, eps + gamma * xi, at)


def perturbed_noise_variance(gamma: Number, at: Step) -> Number:
    """(1−ᾱ_t)(1 + γ²), the variance of the noise in that input."""
    return at.one_minus_alpha_bar * linear_variance(one(gamma), gamma**2, one(gamma))
