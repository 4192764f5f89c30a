"""Interpolation of two images in the latent space of one time step (§4.4, claim C9)."""

from ddpm_spec.ops import Number

__all__ = ["mix", "mixed_noise"]


def mix(a: Number, b: Number, weight: Number) -> Number:
    """x̄_t = (1 − λ) x_t + λ x_t′ for λ = `weight` in [0, 1].

    Any common shape. §4.4 prints x_0 on the right, but it is the latents x_t that are mixed.
    Rounding: 2(1+κ)u.
    """
    return (1 - weight) * a + weight * b


def mixed_noise(weight: Number) -> Number:
    """(1 − λ)² + λ², the share of the noise's variance that is left when two draws are mixed (§4.4).

    1 at the ends and ½ in the middle, so a mixed latent is not a draw of q(x_t | ·). Rounding:
    3(1+κ)u; κ is 0 in the middle, where the first square has three roundings behind it.
    """
    return (1 - weight) ** 2 + weight**2
