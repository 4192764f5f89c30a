"""EDM's scalings (Karras et al. 2022): y = x_0 + σ n is the image plus noise, unscaled.

`noise` is σ², `data` is σ_d², the variance of the data. D(y) = c_skip y + c_out F(c_in y).
"""

from ddpm_spec.ops import Number, log, sqrt

__all__ = ["denoised", "edm_weight", "input_scale", "noise_label", "output_scale", "skip_scale"]


def skip_scale(noise: Number, data: Number) -> Number:
    """c_skip = σ_d² / (σ² + σ_d²). Rounding: 2(1+κ)u."""
    return data / (noise + data)


def output_scale(noise: Number, data: Number) -> Number:
    """c_out = σ σ_d / √(σ² + σ_d²)."""
    return sqrt(noise * data / (noise + data))


def input_scale(noise: Number, data: Number) -> Number:
    """c_in = 1 / √(σ² + σ_d²)."""
    return 1 / sqrt(noise + data)


def noise_label(noise: Number) -> Number:
    """c_noise = ¼ log σ, which the network is told in the place of t.

    `noise`: σ², in any shape. Rounding: 2(1+κ)u.
    """
    return log(noise) / 8


def edm_weight(noise: Number, data: Number) -> Number:
    """λ(σ) = (σ² + σ_d²) / (σ σ_d)², the weight of ‖D − x_0‖²."""
    return (noise + data) / (noise * data)


def denoised(y: Number, network: Number, noise: Number, data: Number) -> Number:
    """D = c_skip y + c_out F, where `network` is F at the scaled input. Any shape."""
    return skip_scale(noise, data) * y + output_scale(noise, data) * network
