"""Fashion-MNIST from its four IDX files."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ddpm_spec.data.images import Images
from ddpm_spec.errors import InputError

__all__ = ["DEBIAN", "fashion_mnist", "read_idx"]

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts the files."""


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array in an IDX file of bytes, compressed by gzip.

    Raises:
        InputError: if it is missing or not one.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise InputError(
            f"there is no {path}; install Debian's package dataset-fashion-mnist, or name the folder of its "
            "four files with --path"
        ) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path} is damaged ({error}); fetch it again") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); name the folder of its four files with --path"
        ) from None
    # Two zeros, the type (8: bytes), the number of dimensions, then each as a big-endian integer.
    dimensions = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    start = 4 + 4 * dimensions
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4)]
    if not dimensions or len(content) - start != math.prod(shape):
        raise InputError(f"{path} is no complete IDX file of bytes; fetch it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def fashion_mnist(folder: Path = DEBIAN) -> Images:
    """70,000 grey images of clothes, 28×28, 10,000 of them held out.

    Raises:
        InputError: if a file is missing or damaged.
    """
    parts = []
    for part in ("train", "t10k"):
        images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
        labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz").astype(np.int64)
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise InputError(
                f"the images and the labels of {part} in {folder} do not match; fetch them again"
            )
        parts.append((torch.tensor(images)[:, None], labels))
    (train, train_labels), (held_out, held_out_labels) = parts
    return Images("fashion-mnist", 256, train, held_out, train_labels, held_out_labels)
