"""The images: uint8 grey levels, where they come from, and which of them stand in which batch.

The names are fetched when they are asked for: options are read before torch is imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddpm_spec.data.batches import Batches, fetch, indices
    from ddpm_spec.data.images import Images, Store, from_unit, to_unit
    from ddpm_spec.data.source import DataName, Source, refuse_unused
    from ddpm_spec.data.sources import load

__all__ = [
    "Batches",
    "DataName",
    "Images",
    "Source",
    "Store",
    "fetch",
    "from_unit",
    "indices",
    "load",
    "refuse_unused",
    "to_unit",
]

_MODULES = ("source", "images", "batches", "sources")
"""In the order of what they import: one that needs no torch comes first."""


def __getattr__(name: str) -> Any:
    for module in _MODULES if name in __all__ else ():
        found = vars(import_module(f"{__name__}.{module}"))
        if name in found["__all__"]:
            return found[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
