"""From image files to uint8 tensors of one size, when asked for."""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ddpm_spec.data import pixels
from ddpm_spec.data.images import Read, Unread
from ddpm_spec.data.records import Records
from ddpm_spec.errors import InputError

__all__ = ["Decoded"]


class Decoded:
    """Records cropped to their central square, resized, and put into uint8: a `Store`.

    Args:
        records: the files.
        side: of the result, by Lanczos' filter where the square is larger or smaller. 0: the images are
            square and of one size, that of the first.
        grey: one channel (Rec. 601 luma) instead of red, green and blue.

    Raises:
        InputError: if no image can be read; if side is 0 and the first that can is not square, or, when asked
            for, another differs.
    """

    def __init__(self, records: Records, side: int, grey: bool) -> None:
        self.records, self.mode = records, "L" if grey else "RGB"
        self.resized = side > 0
        first = _first(records).size
        if not self.resized and first[0] != first[1]:
            raise InputError(
                f"the first image is {first[0]}×{first[1]}; crop and resize by --image-size, say "
                f"--image-size {min(first)}"
            )
        self.side = side or first[0]
        self.fingerprint = hashlib.sha256(repr((records.fingerprint, self.shape)).encode()).hexdigest()
        """Of the files and of what is made of them."""

    def key(self) -> str:
        """Names the decoded images in the cache: another one when a file, or how it is read, has changed."""
        made_of = self.records.stamp(), self.shape, pixels.RULE
        return hashlib.sha256(repr(made_of).encode()).hexdigest()

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        return len(self.records), len(self.mode), self.side, self.side

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, indices: Tensor) -> Tensor:
        """As `Store` says."""
        images, unread, _ = self.read(indices)
        if unread:
            raise Unread(unread)
        return images

    def read(self, indices: Tensor) -> Read:
        """The same for those that can be read, and what is to be said of the others."""
        found, unread, several = [np.empty((0, self.side, self.side, len(self.mode)), np.uint8)], {}, []
        for index in indices.tolist():
            try:
                image = self.records.open(index)
            except InputError as error:
                unread[index] = str(error)
                continue
            found.append(self._cut(image, index)[None])
            if pixels.several(image):
                several.append(index)
        images = torch.from_numpy(np.concatenate(found)).permute(0, 3, 1, 2).contiguous()
        return Read(images, unread, several)

    def _cut(self, image: Image.Image, index: int) -> NDArray[np.uint8]:
        """(H, W, C)."""
        if not self.resized and image.size != (self.side, self.side):
            raise InputError(
                f"image {index} is {image.width}×{image.height}, the first is {self.side}×{self.side}; "
                "crop and resize by --image-size"
            )
        image = image.convert(self.mode)
        square = min(image.size)
        left, top = (image.width - square) // 2, (image.height - square) // 2
        # Cut first: a resize of the part alone would look across its border.
        image = image.crop((left, top, left + square, top + square))
        image = image.resize((self.side, self.side), Image.Resampling.LANCZOS)
        return np.asarray(image, np.uint8).reshape(self.side, self.side, -1)


def _first(records: Records) -> Image.Image:
    """The first image that can be read: the others are named later, all together."""
    refusal: InputError | None = None
    for index in range(len(records)):
        try:
            return records.open(index)
        except InputError as error:
            refusal = refusal or error
    raise refusal or InputError("the set holds no image")
