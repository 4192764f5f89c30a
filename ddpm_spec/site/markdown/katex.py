"""Mathematics rendered at build time: KaTeX in one Node process, asked one formula a line."""

import json
import re
import subprocess
from pathlib import Path
from subprocess import DEVNULL, PIPE

from ddpm_spec.site import SiteError
from ddpm_spec.site.cache.kept import Kept
from ddpm_spec.site.markdown.npm import NODE

__all__ = ["Katex", "MathError", "stylesheet"]


class MathError(SiteError):
    """KaTeX refused a formula."""


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
