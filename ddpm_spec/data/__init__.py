"""The images: uint8 grey levels, where they come from, and which of them stand in which batch."""

from ddpm_spec.data.images import Images, from_unit, indices, load, to_unit

__all__ = ["Images", "from_unit", "indices", "load", "to_unit"]
