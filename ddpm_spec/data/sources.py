"""The images of each name, opened."""

import os
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from ddpm_spec.data import cache, idx, records, split
from ddpm_spec.data.decoding import Decoded
from ddpm_spec.data.images import Images
from ddpm_spec.data.records import Labels
from ddpm_spec.data.source import DataName, Source
from ddpm_spec.data.taken import Taken, few
from ddpm_spec.errors import InputError

__all__ = ["load"]

Check = Callable[[int, int], object]

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
    check: Check = lambda channels, side: None,
) -> Images:
    """The data set of this name.

    Images of the hub, of folders and of LSUN are cropped to their central square, resized, and kept decoded
    in the cache; if they take more than `cache_gb`, the training images are decoded as needed and the
    held-out ones once, into memory. Decoding for the cache takes `workers` processes. `check` is told the
    channels and the side before that, and may refuse them.

    Raises:
        InputError: if it cannot be found or read, with what would help.
        ValueError: if there is no such name.
    """
    if name == "digits":
        images = _digits()
    elif name == "fashion-mnist":
        images = idx.fashion_mnist(Path(source.path) if source.path else idx.DEBIAN)
    elif name in ("hub", "folder", "lsun"):
        return _decoded(name, source, workers, progress, check)
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


def _decoded(name: DataName, source: Source, workers: int, progress: cache.Progress, check: Check) -> Images:
    parts = _parts(name, source)
    train, held_out = (Decoded(part, source.image_size, source.grey) for part in parts)
    if train.shape[1:] != held_out.shape[1:]:
        raise InputError(
            f"training images have side {train.side}, held-out ones {held_out.side}; give --image-size"
        )
    check(train.shape[1], train.side)
    gb = (np.prod(train.shape) + np.prod(held_out.shape)) / 1e9
    if gb > source.cache_gb:
        if source.skip_unreadable:
            raise InputError(
                f"--skip-unreadable takes images that are decoded once, and these take {gb:.2g} GB; raise "
                f"--cache-gb, now {source.cache_gb:g}, or leave it away"
            )
        everything = held_out[torch.arange(len(held_out))]
        return Images(
            name, 256, train, everything, *_labels(parts, ({}, {})),
            f"{train.fingerprint} {held_out.fingerprint}", _taken(parts, ({}, {}), ([], [])),
        )  # fmt: skip
    folder = Path(source.cache).expanduser() if source.cache else _user_cache()
    kept = [
        cache.kept(
            store, folder / f"{name}-{store.key()[:20]}",
            skip=source.skip_unreadable, workers=workers, progress=progress,
        )
        for store in (train, held_out)
    ]  # fmt: skip
    unread, several = [k.left_out for k in kept], [k.several for k in kept]
    return Images(
        name, 256, kept[0].images, kept[1].images, *_labels(parts, unread),
        " ".join(k.digest for k in kept), _taken(parts, unread, several),
    )  # fmt: skip


def _parts(name: DataName, source: Source) -> tuple[records.Records, records.Records]:
    """The files of the training and of the held-out images.

    Raises:
        InputError: if the two share images, or one of them cannot be had.
    """
    train, held_out = source.train_part, source.held_out_part
    if not held_out:
        return split.cut(_open(name, source, train))
    if train == held_out or (
        name != "hub" and _place(source, train).resolve() == _place(source, held_out).resolve()
    ):
        raise split.shared(f"--train-part {train}", f"--held-out-part {held_out}")
    parts = _open(name, source, train), _open(name, source, held_out)
    one, other = parts
    if isinstance(one, records.Folder) and isinstance(other, records.Folder) and one.places & other.places:
        raise split.shared(one.where, other.where)
    return parts


def _labels(parts: Iterable[records.Records], unread: Iterable[dict[int, str]]) -> tuple[Labels, Labels]:
    """The labels of the training and the held-out images, one number a name in both."""
    one, other = parts
    names = one.classes if one.classes == other.classes else sorted({*one.classes, *other.classes})
    numbers = {name: number for number, name in enumerate(names)}
    train, held_out = (
        np.delete(np.array([numbers[name] for name in part.classes], np.int64)[part.labels], list(without))
        if len(part.labels)
        else part.labels
        for part, without in zip((one, other), unread, strict=True)
    )
    return train, held_out


def _taken(
    parts: Iterable[records.Records], unread: Iterable[dict[int, str]], several: Iterable[list[int]]
) -> tuple[Taken, ...]:
    """What became of the files of each part."""
    return tuple(
        Taken(
            part.where,
            part.found,
            len(part) - len(without),
            (
                *part.passed_over,
                *([_unread(without)] if without else []),
                *([_frames(part, firsts)] if firsts else []),
            ),
        )
        for part, without, firsts in zip(parts, unread, several, strict=True)
    )


def _unread(reasons: dict[int, str]) -> str:
    return f"{len(reasons):,} that cannot be read ({few(why.partition(';')[0] for why in reasons.values())})"


def _frames(part: records.Records, firsts: list[int]) -> str:
    shown = few(part.name(index) for index in firsts)
    return f"of {len(firsts):,} all frames or pages but the first ({shown})"


def _open(name: DataName, source: Source, part: str) -> records.Records:
    if not source.path:
        raise InputError(f"--data is {name}, which needs a place; name it with --path")
    if name == "hub":
        return records.Hub(source.path, part)
    place = _place(source, part)
    return records.Folder(place) if name == "folder" else records.Lmdb(place)


def _place(source: Source, part: str) -> Path:
    return Path(source.path).expanduser() / part


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ddpm_spec"
