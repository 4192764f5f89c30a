"""The images: uint8 grey levels, where they come from, and which of them stand in which batch."""

from ddpm_spec.data.batches import Batches, fetch, indices
from ddpm_spec.data.images import Images, Store, from_unit, to_unit
from ddpm_spec.data.sources import DataName, Source, load, refuse_unused

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
