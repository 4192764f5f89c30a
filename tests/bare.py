"""A machine with nothing but torch, numpy and safetensors, and the package as it comes out of git."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

__all__ = ["bare"]

ROOT = Path(__file__).parents[1]
NEEDED = ("torch", "numpy", "safetensors")


def _with_what_they_need(names: tuple[str, ...]) -> set[str]:
    """Everything that pip would install for these."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        wanted = map(Requirement, distribution(name).requires or [])
        left += [r.name for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    return found


def bare(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Makes it there; how Python is started, and its environment.

    Links to these distributions and to no other stand in the only folder that is searched for packages.
    """
    site, checkout = folder / "site", folder / "checkout"
    site.mkdir(parents=True)
    for name in _with_what_they_need(NEEDED):
        home = Path(str(distribution(name).locate_file("")))
        for top in {file.parts[0] for file in distribution(name).files or []} - {"..", "__pycache__"}:
            if not (site / top).is_symlink():
                (site / top).symlink_to(home / top)
    # `git ls-files` rather than `git archive`: what is not committed yet is tried too.
    tracked = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "ddpm_spec"], capture_output=True, text=True, check=True
    )
    for file in tracked.stdout.splitlines():
        if (ROOT / file).exists():
            (checkout / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, checkout / file)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return [sys.executable, "-S"], environment | {"PYTHONPATH": os.pathsep.join([str(checkout), str(site)])}
