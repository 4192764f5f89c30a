"""Denoising Diffusion Probabilistic Models (Ho, Jain, Abbeel 2020) as a tested mathematical spec."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("ddpm_spec")
