"""A network that maps every point of a path to its start (consistency models; Song et al. 2023).

As in EDM, x = x_0 + σ n is the image plus noise, unscaled, and a path is a solution of the ODE in σ. It
starts at σ_min.
"""

from ddpm_spec.followups.preconditioning import skip_scale
from ddpm_spec.ops import Number, sqrt

__all__ = ["boundary_output", "boundary_skip", "consistent", "path_speed"]


def boundary_skip(sigma: Number, sigma_min: Number, data: Number) -> Number:
    """c_skip = σ_d² / ((σ−σ_min)² + σ_d²), EDM's with the noise counted from σ_min: there it is 1.

    `data`: σ_d², the variance of the data.
    """
    return skip_scale((sigma - sigma_min) ** 2, data)


def boundary_output(sigma: Number, sigma_min: Number, data: Number) -> Number:
    """c_out = σ_d (σ−σ_min) / √(σ² + σ_d²), which is 0 at σ_min; `data`: σ_d²."""
    return (sigma - sigma_min) * sqrt(skip_scale(sigma**2, data))


def consistent(x: Number, network: Number, sigma: Number, sigma_min: Number, data: Number) -> Number:
    """f(x, σ) = c_skip x + c_out F, the guess of where the path through x starts. Any shape.

    `network`: F(x, σ). At σ_min it is x, whatever F says.
    """
    return boundary_skip(sigma, sigma_min, data) * x + boundary_output(sigma, sigma_min, data) * network


def path_speed(x: Number, denoised: Number, sigma: Number) -> Number:
    """dx/dσ = (x − D)/σ, the ODE of the paths; `denoised`: D(x, σ). Any shape. Rounding: 2(1+κ)u."""
    return (x - denoised) / sigma
