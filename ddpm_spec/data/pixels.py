"""An image file as 8-bit levels, upright and opaque: one rule for every kind of file.

docs/train.md has it as a table. Whatever changes here changes images that somebody has trained on: count it
in `RULE`.
"""

import io

import numpy as np
from PIL import Image, ImageOps

__all__ = ["RULE", "Unfit", "plain", "read", "several"]

RULE = 2
"""Which rule this is; part of the name of decoded images in the cache. The first was Pillow's `convert`."""

GREY = {"1", "L", "LA"}
"""Modes of 8 bits or fewer without colour. A palette counts as coloured."""

SEVERAL = "several"
"""Key of what is known of an image that was read."""

BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262
"""Tags of a TIFF."""


class Unfit(ValueError):
    """The image can be read, but nothing says what its 8-bit levels are: why, and what to do."""


def read(content: bytes) -> Image.Image:
    """The image in this file, of mode L or RGB; of several frames or pages, the first, as `several` tells.

    It is turned as its EXIF orientation says, laid on white where it is transparent, and brought from 0 to
    the brightest level of its kind to 0..255.

    Raises:
        Unfit: if its kind has no brightest level.
        Exception: whatever Pillow's readers raise for a damaged file.
    """
    image = Image.open(io.BytesIO(content))
    image.load()
    found = _levels(image)
    found.info = {SEVERAL: _more(image)}
    return found


def several(image: Image.Image) -> bool:
    """Whether the file of this image, which `read` has read, has more frames or pages."""
    return bool(image.info.get(SEVERAL))


def _more(image: Image.Image) -> bool:
    try:
        animated = getattr(image, "is_animated", False)  # so Pillow calls pages too
    except Exception:  # there is more, and it is damaged
        return True
    return animated and image.format != "PSD"  # whose layers are all in its first frame


def _levels(image: Image.Image) -> Image.Image:
    black, white = _ends(image)
    upright = ImageOps.exif_transpose(image)
    if black != white:
        return _scaled(upright, black, white)
    if upright.has_transparency_data:
        return _on_white(upright)
    return upright.convert("L" if upright.mode in GREY else "RGB")


def plain(content: bytes) -> bool:
    """Whether the first rule, Pillow's `convert` alone, finds the same levels in this file."""
    try:
        before = Image.open(io.BytesIO(content)).convert("RGB")
        return read(content).convert("RGB").tobytes() == before.tobytes()
    except Exception:  # what cannot be read, could not be read before
        return True


def _ends(image: Image.Image) -> tuple[int, int]:
    """The levels of black and white in a grey image of more than 8 bits; 0 and 0 for all others."""
    if image.mode.startswith("I;16"):
        tags = getattr(image, "tag_v2", {})
        # A TIFF of 12 bits comes as it is; other formats are stretched to 16 by Pillow.
        end = 2 ** tags.get(BITS_PER_SAMPLE, (16,))[0] - 1
        return (end, 0) if tags.get(PHOTOMETRIC) == 0 else (0, end)
    if image.mode == "I" and image.format in ("PNG", "PPM"):  # Pillow stretches these to 16 bits too
        return 0, 2**16 - 1
    if image.mode in ("I", "F"):
        kind = "whole numbers with a sign or of 32 bits" if image.mode == "I" else "numbers with a fraction"
        raise Unfit(
            f"has {kind} as grey levels, and nothing says which of them is white; save it with 8 or 16 bits"
        )
    return 0, 0


def _scaled(image: Image.Image, black: int, white: int) -> Image.Image:
    """Grey levels from black to white as 0..255, to the nearest."""
    levels = np.asarray(image).astype(np.float64)
    scaled = ((levels - black) * (255 / (white - black))).round()
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        scaled[levels == clear] = 255
    return Image.fromarray(scaled.astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    """What is seen where the image lies on white paper."""
    paper = Image.new("RGBA", image.size, "white")
    seen = Image.alpha_composite(paper, image.convert("RGBA"))
    return seen.convert("L" if image.mode in GREY else "RGB")
