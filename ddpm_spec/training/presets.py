"""The settings of the paper's runs, and of those that a small machine can make."""

from ddpm_spec.errors import InputError
from ddpm_spec.training.settings import Settings

__all__ = ["PRESETS", "preset"]

PRESETS: dict[str, Settings] = {"digits": Settings()}
"""The presets by name; `python -m ddpm_spec.train --preset NAME`."""


def preset(name: str) -> Settings:
    """The preset of this name.

    Raises:
        InputError: if there is none.
    """
    if name not in PRESETS:
        raise InputError(f"there is no preset {name!r}; choose from {', '.join(PRESETS)}")
    return PRESETS[name]
