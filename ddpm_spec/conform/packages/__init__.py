"""The packages that are known here, each with adapters. None of them is imported before it is asked for."""

from importlib import import_module

from ddpm_spec.conform.targets import Package

__all__ = ["MODULES", "targets"]

MODULES = (
    "diffusers",
    "denoising_diffusion_pytorch",
    "azula",
    "monai",
    "monai_generative",
    "labml_nn",
    "deepinv",
    "k_diffusion",
    "smalldiffusion",
    "torchdiff",
    "dalle2_pytorch",
    "imagen_pytorch",
    "audio_diffusion_pytorch",
    "score_models",
)
"""One a package; each has TARGETS, a tuple of `Package`."""


def targets() -> dict[str, Package]:
    """Every known package by the name of its target."""
    modules = (import_module(f"{__name__}.{name}") for name in MODULES)
    return {package.name: package for module in modules for package in module.TARGETS}
