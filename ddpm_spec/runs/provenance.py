"""Where a number comes from: the code, the hardware, the versions."""

import contextlib
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator

from ddpm_spec.version import __version__

__all__ = ["commit", "environment", "peak_memory", "provenance"]


def commit() -> str | None:
    """The commit of this code, with `+` behind it where files differ from it; None outside a checkout."""
    here = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*here, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)  # noqa: S603
        changed = subprocess.run([*here, "diff", "--quiet", "HEAD", "--", ":/ddpm_spec"], check=False)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if changed.returncode else "")


def provenance(accelerator: "Accelerator") -> dict[str, Any]:
    """The code, the hardware and the versions, as JSON."""
    return {"commit": commit(), **environment(accelerator.device, accelerator.num_processes)}


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
        "ddpm_spec": __version__,
        **{name: version(name) for name in ("torch", "accelerate", "numpy", "scikit-learn")},
    }


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


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
