"""Denoising Diffusion Probabilistic Models (Ho, Jain, Abbeel 2020) as a tested mathematical spec.

The names below are what a program needs first. Each is imported when it is first asked for, so that
`import ddpm_spec` alone brings neither torch nor sympy.
"""

from importlib import import_module

from ddpm_spec.version import __version__

TYPE_CHECKING = False  # editors and mypy take it for true; `typing` itself takes as long as all of this
if TYPE_CHECKING:
    from ddpm_spec.diffusion import Diffusion
    from ddpm_spec.errors import InputError
    from ddpm_spec.evaluation.bound import held_out_bound
    from ddpm_spec.evaluation.loaded import load
    from ddpm_spec.laws import check
    from ddpm_spec.schedule import (
        Schedule,
        constant_schedule,
        cosine_schedule,
        linear_schedule,
        quadratic_schedule,
    )
    from ddpm_spec.unet import UNet

__all__ = [
    "Diffusion",
    "InputError",
    "Schedule",
    "UNet",
    "__version__",
    "check",
    "constant_schedule",
    "cosine_schedule",
    "held_out_bound",
    "linear_schedule",
    "load",
    "quadratic_schedule",
]

_MODULES = {
    "Diffusion": "diffusion",
    "InputError": "errors",
    "Schedule": "schedule",
    "UNet": "unet",
    "check": "laws",
    "constant_schedule": "schedule",
    "cosine_schedule": "schedule",
    "held_out_bound": "evaluation.bound",
    "linear_schedule": "schedule",
    "load": "evaluation.loaded",
    "quadratic_schedule": "schedule",
}
"""Where each name comes from; a test holds it to the imports above."""


if not TYPE_CHECKING:  # to a type checker it would mean that there is every name

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
