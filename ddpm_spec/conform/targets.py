"""From the name of a target to an adapter: a known package, or an object of one's own."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from ddpm_spec.errors import InputError

__all__ = ["Package", "adapter_of", "known", "versions_of"]


@dataclass(frozen=True)
class Package:
    """A package whose implementation is known here."""

    name: str
    """Of the target: "diffusers/DDPMScheduler"."""
    requirements: tuple[str, ...]
    """What pip installs for it, pinned, itself first: "diffusers==0.42.1"."""
    make: Callable[[], object]
    """Its adapter; imports the package."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Why it deviates from a law, by id, where its documentation or code says that it does so on purpose."""
    also: bool = False
    """Whether it is judged only if all are asked for: an option or a precision of one that is always."""

    @property
    def distribution(self) -> str:
        """As pip knows it."""
        return self.requirements[0].partition("==")[0]

    @property
    def version(self) -> str | None:
        """The installed one, if it is installed."""
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return None


def known() -> Mapping[str, Package]:
    """Every known package by the name of its target."""
    from ddpm_spec.conform.packages import targets

    return targets()


def adapter_of(target: str) -> object:
    """The adapter that a target names.

    Raises:
        InputError: if there is none of that name, or it cannot be imported or made.
    """
    if ":" not in target:
        package = known().get(target)
        if package is None:
            raise InputError(
                f"{target} is not a known package; --list shows those, and your own is written module:object"
            )
        if package.version is None:
            raise InputError(
                f"{package.distribution} is not installed here; install it, or name a Python that has it: "
                "--python env/bin/python"
            )
        return package.make()
    module, _, name = target.partition(":")
    found = _imported(module, target)
    for part in name.split("."):
        if not hasattr(found, part):
            raise InputError(f"{target}: there is no {part} in {module}; write module:object")
        found = getattr(found, part)
    return _made(found, target)


def _imported(module: str, target: str) -> object:
    sys.path.insert(0, "")  # the folder that one stands in, as `python -m` does
    try:
        return importlib.import_module(module)
    except ImportError as error:
        hint = "; a file is named without .py" if module.endswith(".py") or Path(module).suffix else ""
        raise InputError(f"{target} cannot be imported: {error}{hint}") from None
    except Exception as error:  # their code runs when it is imported
        raise InputError(f"{target} cannot be imported: {type(error).__name__}: {error}") from None


def _made(found: object, target: str) -> object:
    """An adapter, or what a class or a function without arguments makes."""
    if not callable(found):
        return found
    try:
        return found()
    except Exception as error:  # their code
        raise InputError(
            f"{target}() raised {type(error).__name__}: {error}; the object must be an adapter, or make one "
            "without arguments"
        ) from None


def versions_of(*distributions: str) -> dict[str, str]:
    """The installed versions of these."""
    found = {}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
