"""From the words on the command line to options, with errors of one line."""

import contextlib
import dataclasses
import difflib
import functools
import io
import itertools
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from ddpm_spec.errors import InputError

__all__ = ["Count", "Folder", "Name", "Number", "given", "parse"]

Options = TypeVar("Options")

# What may be left away: else its help would show Python's None, as a choice and as the default.
Folder = Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")]
Name = Annotated[str | None, tyro.conf.arg(metavar="STR", help_behavior_hint="")]
Count = Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")]
Number = Annotated[float | None, tyro.conf.arg(metavar="FLOAT", help_behavior_hint="")]


def given(args: list[str], flag: str) -> str | None:
    """The word behind a flag: presets and saved settings decide the defaults of all other options."""
    for word, following in itertools.zip_longest(args, args[1:]):
        if word == flag:
            return following
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return None


def parse(kind: type[Options], args: list[str], default: Options | None, prog: str) -> Options:
    """The options of one command.

    Raises:
        InputError: in one line, where tyro prints a box or an option is unknown.
    """
    options: Options = _parsed(kind, tuple(args), default, prog)  # type: ignore[arg-type] # classes hash
    return options


@functools.lru_cache(maxsize=1)  # a command reads its words once to refuse them early, and once to run
def _parsed(kind: type[Any], args: tuple[str, ...], default: Any, prog: str) -> Any:
    said = io.StringIO()
    defaults: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(said):
            options, unknown = tyro.cli(kind, args=args, prog=prog, return_unknown_args=True, **defaults)
    except SystemExit as stop:
        if not stop.code:
            raise  # --help
        raise InputError(f"{_message(said.getvalue())}; see {prog} --help") from None
    if unknown:
        flags = _flags(kind)
        flag = args[args.index(unknown[0]) - 1] if unknown[0] in args[1:] else ""
        if flags.get(flag) is bool and not unknown[0].startswith("-"):
            raise InputError(f"{flag} takes no value; write {flag} or --no-{flag[2:]}, without {unknown[0]}")
        close = difflib.get_close_matches(unknown[0], flags, n=1)
        hint = f"did you mean {close[0]}?" if close else f"see {prog} --help"
        raise InputError(f"there is no option {unknown[0]}; {hint}")
    return options


def _message(printed: str) -> str:
    """The sentence inside the box that tyro prints: what stands between its title and the next rule.

    Drawn in ASCII, the box has a rule below its title too.
    """
    lines = [line.strip(" │|╭╮╰╯─-") for line in printed.strip().splitlines()]
    body = itertools.dropwhile(lambda line: not line, lines[1:])
    return " ".join(itertools.takewhile(bool, body)).rstrip(".")


def _flags(kind: Any) -> dict[str, Any]:
    """Every option with its type."""
    flags: dict[str, Any] = {}
    for part in dataclasses.fields(kind):
        inner = getattr(part.type, "__origin__", part.type)
        inner = next((a for a in getattr(part.type, "__args__", ()) if dataclasses.is_dataclass(a)), inner)
        flag = f"--{part.name.replace('_', '-')}"
        flags |= _flags(inner) if dataclasses.is_dataclass(inner) else {flag: inner}
    return flags
