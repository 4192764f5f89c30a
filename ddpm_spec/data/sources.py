"""The images of each name, opened."""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from ddpm_spec.data import cache, idx, records
from ddpm_spec.data.decoding import Decoded
from ddpm_spec.data.images import Images
from ddpm_spec.data.source import DataName, Source
from ddpm_spec.errors import InputError

__all__ = ["load"]

UNSAID = Source()
"""Nothing is said of the place or the size."""

DIGITS_TRAIN = 1500
"""The first 1,500 digits train. The file is ordered by writer: a shuffle across the line would put
writers of the held-out digits into training."""


def load(
    name: DataName,
    source: Source = UNSAID,
    *,
    workers: int = 0,
    progress: cache.Progress = cache.silent,
) -> Images:
    """The data set of this name.

    Images of the hub, of folders and of LSUN are cropped to their central square, resized, and kept decoded
    in the cache; if they take more than `cache_gb`, the training images are decoded as needed and the
    held-out ones once, into memory. Decoding for the cache takes `workers` processes.

    Raises:
        InputError: if it cannot be found or read, with what would help.
        ValueError: if there is no such name.
    """
    if name == "digits":
        images = _digits()
    elif name == "fashion-mnist":
        images = idx.fashion_mnist(Path(source.path) if source.path else idx.DEBIAN)
    elif name in ("hub", "folder", "lsun"):
        return _decoded(name, source, workers, progress)
    else:
        raise ValueError(f"there is no data set {name!r}")
    if source.image_size not in (0, images.shape[-1]):
        raise InputError(
            f"--image-size is {source.image_size}, but {name} has side {images.shape[-1]} and is not "
            "resized; use --image-size 0"
        )
    return images


def _digits() -> Images:
    table = np.loadtxt(_digits_file(), delimiter=",", dtype=np.uint8)  # 64 grey levels and the class
    images = torch.from_numpy(table[:, :-1].reshape(-1, 1, 8, 8).copy())
    labels = table[:, -1].astype(np.int64)
    cut = DIGITS_TRAIN
    return Images("digits", 17, images[:cut], images[cut:], labels[:cut], labels[cut:])


def _digits_file() -> Path:
    """The file behind scikit-learn's `load_digits`; scikit-learn itself takes as long as torch to import.

    Raises:
        InputError: if it is not where this scikit-learn keeps its data.
    """
    package = find_spec("sklearn")
    places = package.submodule_search_locations if package else None
    for place in places or ():
        file = Path(place) / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            return file
    raise InputError("scikit-learn's file of digits is missing; install it: pip install scikit-learn")


def _decoded(name: DataName, source: Source, workers: int, progress: cache.Progress) -> Images:
    files = _open(name, source, source.train_part)
    if source.held_out_part:
        split = files, _open(name, source, source.held_out_part)
    else:
        cut = len(files) - min(-(-len(files) // 10), 10_000)
        if not cut:
            raise InputError(f"{source.path} holds one image; it takes two to hold one out")
        split = records.Part(files, 0, cut), records.Part(files, cut, len(files))
    train, held_out = (Decoded(part, source.image_size, source.grey) for part in split)
    if train.shape[1:] != held_out.shape[1:]:
        raise InputError(
            f"training images have side {train.side}, held-out ones {held_out.side}; give --image-size"
        )
    train_labels, held_out_labels = (part.labels for part in split)
    if (np.prod(train.shape) + np.prod(held_out.shape)) / 1e9 > source.cache_gb:
        everything = held_out[torch.arange(len(held_out))]
        fingerprint = f"{train.fingerprint} {held_out.fingerprint}"
        return Images(name, 256, train, everything, train_labels, held_out_labels, fingerprint)
    folder = Path(source.cache).expanduser() if source.cache else _user_cache()
    (train_tensor, train_digest), (held_out_tensor, held_out_digest) = (
        cache.kept(store, folder / f"{name}-{store.key()[:20]}", workers=workers, progress=progress)
        for store in (train, held_out)
    )
    digests = f"{train_digest} {held_out_digest}"
    return Images(name, 256, train_tensor, held_out_tensor, train_labels, held_out_labels, digests)


def _open(name: DataName, source: Source, part: str) -> records.Records:
    if not source.path:
        raise InputError(f"--data is {name}, which needs a place; name it with --path")
    if name == "hub":
        return records.Hub(source.path, part)
    place = Path(source.path).expanduser() / part
    return records.Folder(place) if name == "folder" else records.Lmdb(place)


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ddpm_spec"
