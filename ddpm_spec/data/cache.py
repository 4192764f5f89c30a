"""Decoded images kept in a file and mapped into memory.

One folder a set: `images.u8`, the bytes of the tensor, and `about.json`, its shape and SHA-256. It is
written under another name and renamed when it is complete, so what has the right name is whole.
"""

import contextlib
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

import torch
from filelock import FileLock
from torch import Tensor

from ddpm_spec.data.batches import fetch
from ddpm_spec.data.images import Store
from ddpm_spec.errors import InputError

__all__ = ["Progress", "kept", "silent"]

Progress = Callable[[int], AbstractContextManager[Callable[[int], object]]]
"""Opens a bar for so many images; what it gives is told of each that are done, and may raise to stop."""

PART = 256
"""Images a worker decodes at a time."""


def silent(images: int) -> AbstractContextManager[Callable[[int], object]]:
    """No bar."""
    return contextlib.nullcontext(lambda done: None)


def kept(store: Store, folder: Path, *, workers: int = 0, progress: Progress = silent) -> tuple[Tensor, str]:
    """All images of the store, uint8 (N, C, H, W), mapped from `folder`, and their SHA-256.

    Decodes them into it where it is not there, cut short or of another shape. Processes that want the same
    folder wait for the first of them.

    Raises:
        InputError: if an image cannot be read, or the folder not be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            digest = _whole(folder, store.shape)
            if digest is None:
                digest = _decode(store, folder, workers, progress)
    except OSError as error:
        raise InputError(
            f"the cache {folder} cannot be written ({error.strerror}); free some disk, name another folder "
            "with --cache, or decode as needed with --cache-gb 0"
        ) from None
    size = math.prod(store.shape)
    images = torch.from_file(str(folder / "images.u8"), shared=False, size=size, dtype=torch.uint8)
    return images.view(store.shape), digest


def _whole(folder: Path, shape: tuple[int, ...]) -> str | None:
    """The digest noted in this folder, if it holds images of this shape."""
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        size = (folder / "images.u8").stat().st_size
        return about["sha256"] if about["shape"] == list(shape) and size == math.prod(shape) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder.parent).free
    if free < needed:
        raise InputError(
            f"the cache {folder} takes {needed / 1e9:.1f} GB and its disk has {free / 1e9:.1f} GB free; "
            "free some, name another folder with --cache, or decode as needed with --cache-gb 0"
        )


def _decode(store: Store, folder: Path, workers: int, progress: Progress) -> str:
    """Writes the folder, all of it or nothing; the digest."""
    draft = folder.with_name(f"{folder.name}.part")
    for left_over in (folder, draft):
        shutil.rmtree(left_over, ignore_errors=True)
    _check_room(folder, math.prod(store.shape))
    try:
        draft.mkdir()
        digest = _write(store, draft, workers, progress)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return digest


def _write(store: Store, draft: Path, workers: int, progress: Progress) -> str:
    state, parts = hashlib.sha256(), torch.split(torch.arange(len(store)), PART)
    with (draft / "images.u8").open("wb") as file, progress(len(store)) as done:
        for images in fetch(store, parts, min(workers, len(parts) - 1)):
            content = images.numpy().data
            file.write(content)
            state.update(content)
            done(len(images))
        _flush(file)
    about = {"shape": list(store.shape), "sha256": state.hexdigest()}
    with (draft / "about.json").open("w", encoding="utf-8") as notes:
        notes.write(json.dumps(about) + "\n")
        _flush(notes)
    return state.hexdigest()


def _flush(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())
