"""The run folder, and what ran there."""

import contextlib
import itertools
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ddpm_spec.errors import InputError

__all__ = ["environment", "new_folder", "numbered_folder", "peak_memory", "unwritable", "write_atomically"]


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


def numbered_folder(parent: Path, stem: str) -> Path:
    """Makes `<stem>-<n>` under `parent` with the next n that is free.

    Raises:
        InputError: if it cannot be made.
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
        raise unwritable(parent, error) from None
    raise AssertionError("unreachable")


def unwritable(path: Path, error: OSError, way_out: str = "name another folder") -> InputError:
    """What to say of a folder that cannot be made."""
    file = isinstance(error, FileExistsError)
    return InputError(f"{path} {'is a file' if file else f'cannot be written ({error.strerror})'}; {way_out}")


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
        draft.unlink(missing_ok=True)
        raise InputError(
            f"{path} could not be written ({error.strerror}); free some disk and repeat"
        ) from None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def peak_memory() -> float:
    """Largest resident memory of this process so far, in GB."""
    with contextlib.suppress(OSError, StopIteration):
        # Linux counts in ru_maxrss what the process that started this one had.
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 2**20
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


def environment(device: torch.device, processes: int) -> dict[str, Any]:
    """Hardware and versions, for the report."""
    cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if cuda else "CPU",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processes": processes,
        "peak_memory_gb": round(peak_memory(), 2),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: version(name) for name in ("ddpm_spec", "torch", "accelerate", "numpy", "scikit-learn")},
    }
