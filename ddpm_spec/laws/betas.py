"""The two schedules that an adapter can state, as tables of β_1..β_T in float64, each of shape (T,)."""

import numpy as np

from ddpm_spec.laws.protocol import Array

__all__ = ["cosine_betas", "paper_betas"]


def paper_betas(T: int = 1000) -> Array:
    """§4: β_t linear in t, from 10⁻⁴ to 0.02."""
    return np.linspace(1e-4, 0.02, T)


def cosine_betas(T: int = 1000) -> Array:
    """Improved DDPM: ᾱ_t a squared cosine with the offset 0.008, β_t at most 0.999."""
    bars = np.cos((np.arange(T + 1) / T + 0.008) / 1.008 * np.pi / 2) ** 2
    betas: Array = np.minimum(1 - bars[1:] / bars[:-1], 0.999)
    return betas
