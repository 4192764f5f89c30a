"""Denoising Diffusion Probabilistic Models (Ho, Jain, Abbeel 2020) as a tested mathematical spec."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("ddpm_spec")
except PackageNotFoundError:  # a bare checkout
    __version__ = "not installed"
