"""Judge in another Python: the laws need NumPy alone, so any environment that runs a package can judge it."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import ddpm_spec
from ddpm_spec.conform.verdict import Verdict
from ddpm_spec.errors import InputError

__all__ = ["judge_elsewhere"]


def judge_elsewhere(
    python: Path, targets: Sequence[str], *, costs: bool = True, limit: float | None = None
) -> list[Verdict | str]:
    """The verdict on each target, or why there is none, found by that Python in a process of its own.

    This package is shown to it alone, in a folder that holds nothing else: what is installed beside it here
    must not get in the way there.

    Raises:
        InputError: if that Python ends before it has judged, with its last line; or needs longer than `limit`
            seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "ddpm_spec").symlink_to(Path(ddpm_spec.__file__).parent, target_is_directory=True)
        paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
        words = [str(python), "-m", "ddpm_spec.conform.alone", folder, "costs" if costs else "laws", *targets]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(  # noqa: S603 # the user names the Python
                words,
                env=environment,
                timeout=limit,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="backslashreplace",
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"{python} did not end within {limit:g} s; --limit gives it longer") from None
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            said = lines[-1].strip() if lines else "and said nothing"
            raise InputError(f"{python} ended with status {done.returncode}: {said}")
        return [_read(Path(folder), k) for k in range(len(targets))]


def _read(folder: Path, k: int) -> Verdict | str:
    refused = folder / f"{k}.txt"
    if refused.exists():
        return refused.read_text(encoding="utf-8")
    return Verdict.from_json((folder / f"{k}.json").read_text(encoding="utf-8"))
