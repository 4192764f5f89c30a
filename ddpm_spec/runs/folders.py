"""The folder of a run, and files in it that are whole or absent."""

import contextlib
import errno
import itertools
import os
from pathlib import Path

from ddpm_spec.errors import InputError

__all__ = ["existing_or_new", "new_folder", "numbered_folder", "unwritable", "way_out", "write_atomically"]


def new_folder(path: Path) -> Path:
    """Makes this folder; one that holds something is refused.

    Raises:
        InputError: if it is not empty, or cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise InputError(f"{path} is not empty; name a new folder, or leave the option away")
    except OSError as error:
        raise unwritable(path, error) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise InputError(f"{path} cannot be written; name another folder")
    return path


def existing_or_new(path: Path, hint: str = "name another with --out") -> Path:
    """Makes this folder where it does not exist; one that exists may hold something, but must be writable.

    Raises:
        InputError: if it cannot be made or written, with this hint.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise unwritable(path, error, hint) from None
    return path


def numbered_folder(parent: Path, stem: str, hint: str = "name another folder") -> Path:
    """Makes `<stem>-<n>` under `parent` with the next n that is free.

    Raises:
        InputError: if it cannot be made, with this hint.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        taken = [path.name.removeprefix(f"{stem}-") for path in parent.glob(f"{stem}-*")]
        first = 1 + max((int(n) for n in taken if n.isdecimal()), default=0)
        for n in itertools.count(first):
            try:
                (parent / f"{stem}-{n}").mkdir()
            except FileExistsError:
                continue  # another run has just taken it
            return parent / f"{stem}-{n}"
    except OSError as error:
        raise unwritable(parent, error, hint) from None
    raise AssertionError("unreachable")


def unwritable(path: Path, error: OSError, hint: str = "name another folder") -> InputError:
    """What to say of a folder that cannot be made."""
    file = isinstance(error, FileExistsError)
    return InputError(f"{path} {'is a file' if file else f'cannot be written ({error.strerror})'}; {hint}")


def way_out(error: OSError) -> str:
    """What helps where a file cannot be written: room, if that is what is missing, or the right to write."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "free some disk" if full else "make its folder writable"


def write_atomically(path: Path, content: bytes) -> None:
    """Writes beside and renames: the file is the old one or the new one, never a part.

    Raises:
        InputError: if the disk is full or refuses.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise InputError(
            f"{path} could not be written ({error.strerror}); {way_out(error)} and repeat"
        ) from None
