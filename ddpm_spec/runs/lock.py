"""One writer for a run: two that train in one folder would mix their histories."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ddpm_spec.errors import InputError
from ddpm_spec.runs.folders import unwritable
from ddpm_spec.terminal.console import notice

__all__ = ["writing"]

LOCK = ".lock"
"""The kernel holds it for a process and lets it go when that ends, however it ends."""
WRITER = ".writer.json"
"""Who holds the lock; after a kill it stays behind and means nothing."""


@contextmanager
def writing(run: Path) -> Iterator[None]:
    """Trains in this folder, which exists, alone: reading it needs no lock.

    Raises:
        InputError: if another process trains in it, with its number; or if it cannot be written.
    """
    lock = FileLock(run / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(
            f"{run} is being trained by {_writer(run)}; wait for its end, or stop it with Ctrl-C there"
        ) from None
    except NotImplementedError:
        notice(f"the disk of {run} knows no locks; make sure that nothing else trains there")
    except OSError as error:
        raise unwritable(run, error, "make it writable, or start a new run") from None
    try:
        note = {"pid": os.getpid(), "host": socket.gethostname()}
        with contextlib.suppress(OSError):  # a full disk: what is saved there says so itself
            (run / WRITER).write_text(json.dumps(note) + "\n", encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            (run / WRITER).unlink(missing_ok=True)
        lock.release()


def _writer(run: Path) -> str:
    """The process that holds the lock, as it has said itself."""
    try:
        note = json.loads((run / WRITER).read_text(encoding="utf-8"))
        pid, host = int(note["pid"]), str(note["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    return f"process {pid}" + (f" on {host}" if host != socket.gethostname() else "")
