"""Every known package in an environment of its own: make the environments, judge, and keep what was found."""

import datetime
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ddpm_spec.conform.elsewhere import judge_elsewhere
from ddpm_spec.conform.targets import Package, known
from ddpm_spec.conform.verdict import Verdict
from ddpm_spec.errors import InputError

__all__ = ["Found", "judge_everything", "make_environment", "store"]

Found = dict[str, Verdict | str]
"""By target: a verdict, or why there is none."""


def make_environment(requirements: Sequence[str], folder: Path) -> Path:
    """The Python of an environment with these packages in this folder; one that is there is taken as it is.

    By uv where it is installed, which keeps one copy of what several environments share; else by pip.

    Raises:
        InputError: if the packages cannot be installed, with the last line of the installer.
    """
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if python.exists():
        return python
    uv = shutil.which("uv")
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    inside = new / python.relative_to(folder)
    steps = (
        (
            [uv, "venv", "-q", "--relocatable", str(new)],
            [uv, "pip", "install", "-q", "--python", str(inside), *requirements],
        )
        if uv
        else (
            [sys.executable, "-m", "venv", str(new)],
            [str(inside), "-m", "pip", "install", "-q", *requirements],
        )
    )
    for words in steps:
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 # pinned packages
        if done.returncode:
            shutil.rmtree(new, ignore_errors=True)
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            raise InputError(
                f"{requirements[0]} cannot be installed: {lines[-1] if lines else done.returncode}"
            )
    new.rename(folder)
    return python


def judge_everything(
    environments: Path, *, everything: bool = False, only: str = ""
) -> Iterator[tuple[str, Found]]:
    """What is found of each package, in the order in which they end; two are judged at a time.

    Args:
        environments: the folder of the environments; those that lack are made.
        everything: also options, states and precisions that are left out otherwise.
        only: the packages whose target has this in its name.
    """
    packages: dict[str, list[Package]] = {}
    for package in known().values():
        if (everything or not package.also) and only in package.name:
            packages.setdefault(package.distribution, []).append(package)

    def judged(distribution: str) -> tuple[str, Found]:
        mine = packages[distribution]
        names = [package.name for package in mine]
        try:
            python = make_environment(mine[0].requirements, environments / distribution)
            return distribution, dict(zip(names, judge_elsewhere(python, names), strict=True))
        except InputError as error:
            return distribution, dict.fromkeys(names, str(error))

    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(judged, packages)


def store(folder: Path, distribution: str, found: Found) -> None:
    """Keep what was found of a package: one file, which is replaced as a whole."""
    text = json.dumps(
        {
            "package": distribution,
            "date": datetime.date.today().isoformat(),
            "verdicts": [
                json.loads(verdict.to_json()) for verdict in found.values() if isinstance(verdict, Verdict)
            ],
            "skipped": {target: why for target, why in found.items() if isinstance(why, str)},
        },
        ensure_ascii=False,
        indent=1,
    )
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f".{distribution}.new"
    new.write_text(text + "\n", encoding="utf-8")
    new.replace(folder / f"{distribution}.json")
