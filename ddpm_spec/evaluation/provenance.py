"""Where a number comes from."""

import subprocess
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from ddpm_spec.training import runs

__all__ = ["commit", "provenance"]


def commit() -> str | None:
    """The commit of this code, with `+` behind it where files differ from it; None outside a checkout."""
    here = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*here, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)  # noqa: S603
        changed = subprocess.run([*here, "diff", "--quiet", "HEAD", "--", ":/ddpm_spec"], check=False)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if changed.returncode else "")


def provenance(accelerator: Accelerator) -> dict[str, Any]:
    """The code, the hardware and the versions, as JSON."""
    return {"commit": commit(), **runs.environment(accelerator.device, accelerator.num_processes)}
