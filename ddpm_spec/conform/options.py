"""The options of `ddpm_spec.conform`; they are read before anything of the target is imported."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ddpm_spec.errors import InputError
from ddpm_spec.terminal.options import Folder, parse

__all__ = ["ConformOptions", "parse_conform"]

File = Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")]


@dataclass(frozen=True)
class ConformOptions:
    """Judges an implementation of the paper by the laws, and says what a deviation costs.

    The exit status is 0 where every law that could be judged holds, 1 where one is broken, and 2 where
    nothing could be judged, or something was raised and no law is broken.
    """

    target: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TARGET", help_behavior_hint="")] = ""
    """A known package, see --list; or module:object, where the object is an adapter or makes one."""
    list: bool = False
    """Print the known packages, and which of them are installed."""
    json: File = None
    """Write what was found to this file, as JSON."""
    html: File = None
    """Write what was found to this file, as one page that needs nothing else."""
    python: File = None
    """Judge in another Python, which needs NumPy and the target, but not this package."""
    command: str = ""
    """Judge the program that this command starts, which speaks the protocol of lines of JSON."""
    limit: float = 60.0
    """Seconds to wait for an answer; --python may take sixty times as long for its whole verdict."""
    packages: Folder = None
    """Judge every known package, each in an environment in this folder; those that lack are made."""
    all: bool = False
    """With --packages: also options, states and precisions that are left out otherwise."""
    only: str = ""
    """With --packages: those whose name has this in it."""
    out: Path = Path("conform")
    """With --packages: the folder to keep what is found in, a file a package."""
    samplers: File = None
    """Write to this file what diffusers' samplers make of a perfect network, which takes minutes."""
    costs: bool = True
    """Whether to compute what deviations cost."""


def parse_conform(args: list[str]) -> ConformOptions:
    """The options, checked.

    Raises:
        InputError: for an unknown option, a target that is none, or a file that cannot be written.
    """
    options = parse(ConformOptions, args, None, "python -m ddpm_spec.conform")
    if not (options.list or options.packages or options.samplers or options.target or options.command):
        raise InputError("TARGET is missing; name a package of --list, or your own adapter as module:object")
    if options.command and (options.target or options.python):
        raise InputError("--command is judged instead of a TARGET; leave TARGET and --python away")
    if options.packages and (options.target or options.command or options.python):
        raise InputError("--packages judges every known package; leave TARGET, --command and --python away")
    if options.python and not os.access(options.python, os.X_OK):
        raise InputError(
            f"--python is {options.python}, which cannot be run; name a Python, such as env/bin/python"
        )
    if not 0 < options.limit < 86400:
        raise InputError(f"--limit is {options.limit:g}; give seconds, more than 0 and at most a day")
    for flag, file in (("json", options.json), ("html", options.html), ("samplers", options.samplers)):
        if file is None:
            continue
        if file.is_dir():
            raise InputError(f"--{flag} is {file}, which is a folder; name a file")
        if not os.access(file.absolute().parent, os.W_OK):
            raise InputError(f"--{flag} is {file}, which cannot be written; name a file in another folder")
    return options
