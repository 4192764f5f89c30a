"""Decoded images kept in a file and mapped into memory.

One folder a set: `images.u8`, the bytes of the tensor, and `about.json`, its shape and SHA-256, which
images are not in it, and which have more frames. It is written under another name and renamed when it is
complete, so what has the right name is whole.
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
from typing import IO, Any, NamedTuple, Protocol

import torch
from filelock import FileLock
from torch import Tensor

from ddpm_spec.data.batches import answers
from ddpm_spec.data.images import Read, Unread
from ddpm_spec.errors import InputError

__all__ = ["Kept", "Progress", "kept", "silent"]

Progress = Callable[[int], AbstractContextManager[Callable[[int], object]]]
"""Opens a bar for so many images; what it gives is told of each that are done, and may raise to stop."""

PART = 256
"""Images a worker decodes at a time."""


def silent(images: int) -> AbstractContextManager[Callable[[int], object]]:
    """No bar."""
    return contextlib.nullcontext(lambda done: None)


class Kept(NamedTuple):
    """What a folder of the cache holds."""

    images: Tensor
    """uint8, (N, C, H, W), mapped."""
    digest: str
    """SHA-256 of their bytes."""
    left_out: dict[int, str]
    """Why the images with these numbers are not among them."""
    several: list[int]
    """Images that are the first of several in their file."""


class Readable(Protocol):
    """A store that says what there is to say of its images."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        ...

    def __len__(self) -> int: ...

    def read(self, indices: Tensor, /) -> Read:
        """The images with these numbers, int64 of shape (B,), so far as they can be read."""
        ...


class _About(NamedTuple):
    """The notes beside the images."""

    shape: list[int]
    sha256: str
    left_out: dict[int, str]
    several: list[int]


def kept(
    store: Readable, folder: Path, *, skip: bool = False, workers: int = 0, progress: Progress = silent
) -> Kept:
    """All images of the store, kept in `folder`; with `skip`, all that can be read.

    Decodes them into it where it is not there, cut short or of another shape. Processes that want the same
    folder wait for the first of them.

    Raises:
        InputError: if images cannot be read, naming them together, or the folder not be written.
    """
    about = _whole(folder, store.shape)  # which takes no lock: the disk may be read-only
    try:
        if about is None:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(folder.with_name(f"{folder.name}.lock")):
                about = _whole(folder, store.shape) or _decode(store, folder, skip, workers, progress)
    except OSError as error:
        raise InputError(
            f"the cache {folder} cannot be written ({error.strerror}); free some disk, name another folder "
            "with --cache, or decode as needed with --cache-gb 0"
        ) from None
    if about.left_out and not skip:
        raise _refusal(about.left_out)
    size = math.prod(about.shape)
    images = torch.from_file(str(folder / "images.u8"), shared=False, size=size, dtype=torch.uint8)
    return Kept(images.view(about.shape), *about[1:])


def _refusal(left_out: dict[int, str]) -> InputError:
    said = Unread(left_out)
    return InputError(f"{said}, or go on without {'it' if len(left_out) == 1 else 'them'}: --skip-unreadable")


def _whole(folder: Path, shape: tuple[int, ...]) -> _About | None:
    """What is noted in this folder, if it holds images of this shape, less those left out."""
    try:
        notes = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        left_out = {int(index): why for index, why in notes["left_out"].items()}
        size = (folder / "images.u8").stat().st_size
        there = [shape[0] - len(left_out), *shape[1:]]
        whole = notes["shape"] == there and size == math.prod(there)
        return _About(there, notes["sha256"], left_out, list(notes["several"])) if whole else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder.parent).free
    if free < needed:
        raise InputError(
            f"the cache {folder} takes {needed / 1e9:.1f} GB and its disk has {free / 1e9:.1f} GB free; "
            "free some, name another folder with --cache, or decode as needed with --cache-gb 0"
        )


def _decode(store: Readable, folder: Path, skip: bool, workers: int, progress: Progress) -> _About:
    """Writes the folder, all of it or nothing; what is noted in it."""
    draft = folder.with_name(f"{folder.name}.part")
    for left_over in (folder, draft):
        shutil.rmtree(left_over, ignore_errors=True)
    _check_room(folder, math.prod(store.shape))
    try:
        draft.mkdir()
        about = _write(store, draft, skip, workers, progress)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return about


def _write(store: Readable, draft: Path, skip: bool, workers: int, progress: Progress) -> _About:
    state, parts = hashlib.sha256(), torch.split(torch.arange(len(store)), PART)
    left_out: dict[int, str] = {}
    several: list[int] = []
    with (draft / "images.u8").open("wb") as file, progress(len(store)) as done:
        for asked, found in zip(parts, answers(store.read, parts, min(workers, len(parts) - 1)), strict=True):
            if isinstance(found, InputError):
                raise found
            left_out |= found.unread
            several += found.several
            content = found.images.numpy().data
            file.write(content)
            state.update(content)
            done(len(asked))
        _flush(file)
    if left_out and not skip:  # all of them are known only now
        raise _refusal(left_out)
    there = [len(store) - len(left_out), *store.shape[1:]]
    about = _About(there, state.hexdigest(), left_out, several)
    with (draft / "about.json").open("w", encoding="utf-8") as notes:
        notes.write(json.dumps(about._asdict()) + "\n")
        _flush(notes)
    return about


def _flush(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())
