"""Denoising Diffusion Probabilistic Models (Ho, Jain, Abbeel 2020) as a tested mathematical spec."""

__all__ = ["__version__"]

__version__ = "0.2.0"
