"""The terminal: progress, interruption, errors of one line."""

import io
import os
import platform
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from ddpm_spec.errors import InputError, StoppedElsewhere
from ddpm_spec.version import __version__

__all__ = [
    "LAUNCHED",
    "STARTED",
    "Bar",
    "Interrupt",
    "Interrupted",
    "console",
    "notice",
    "plain",
    "progress_bar",
    "run_command",
]

STARTED = time.monotonic()
"""When the command began, before torch was imported."""

LAUNCHED = "WORLD_SIZE" in os.environ
"""Whether a launcher has started this process; RANK is its number then."""


def plain(**options: Any) -> Console:
    """A console that prints what it is given: a path may hold [brackets], or :smile:."""
    return Console(highlight=False, markup=False, emoji=False, **options)


console = plain(stderr=True, soft_wrap=True, quiet=os.environ.get("RANK", "0") != "0" and LAUNCHED)
"""Progress and messages go to stderr, from the first process only; stdout carries the report."""

_errors = plain(stderr=True, soft_wrap=True)
"""What went wrong is said by the process where it went wrong."""


def notice(text: str) -> None:
    """Says something that does not stop the command."""
    console.print(Text.assemble(("note:", "bold yellow"), f" {_one_line(text)}"))


class Interrupted(Exception):
    """Stopped by a signal, with what to say about it."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.signal_number = signal_number


def run_command(command: Callable[[list[str]], int | None], args: list[str]) -> int:
    """Runs a command and returns its exit status; an error is one line, without traceback.

    What the command returns, or 0 when done, 2 for bad input, 128 + n when stopped by signal n, 1 for an
    error that nobody foresaw, whose traceback is saved. `--version` prints the version instead; `--debug`,
    which the command does not see, shows such a traceback.
    """
    _print_any_letter()
    try:
        if "--version" in args:
            print(f"ddpm_spec {__version__}")
            return 0
        return command([word for word in args if word != "--debug"]) or 0
    except InputError as error:
        _say_error(str(error))
        return 2
    except StoppedElsewhere:
        return 0
    except Interrupted as stop:
        console.print(_one_line(str(stop)))
        return 128 + stop.signal_number
    except KeyboardInterrupt:
        console.print("stopped")
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of stdout, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except Exception as error:
        # What the system refuses is rarely a fault of this package.
        refused = isinstance(error, OSError)
        if "--debug" in args:
            traceback.print_exc()
        else:
            _say_error(_refused(error) if isinstance(error, OSError) else _unforeseen(error))
        return 2 if refused else 1
    return 0


def _print_any_letter() -> None:
    """A terminal without α, or a name that is no text, gets an escape: it is no reason to stop."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _refused(error: OSError) -> str:
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return f"{what}; --debug shows where this came from"


def _unforeseen(error: Exception) -> str:
    """What to say of an error that is none of ours, or a fault of this package; its traceback is saved."""
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="backslashreplace", prefix="ddpm_spec-", suffix=".log", delete=False
        ) as log:
            log.write(f"ddpm_spec {__version__}, Python {platform.python_version()}, {platform.platform()}\n")
            log.write(f"{sys.argv}\n\n{traceback.format_exc()}")
    except OSError:
        return f"{said}; nobody foresaw this: repeat with --debug and report what it prints"
    return f"{said}; nobody foresaw this: please report it with {log.name}; --debug shows what is in it"


def _say_error(text: str) -> None:
    _errors.print(Text.assemble(("error:", "bold red"), f" {_one_line(text)}"))


def _one_line(text: str) -> str:
    return " ".join(text.split())


class Interrupt:
    """Turns the first SIGINT or SIGTERM into a request to stop at the next safe point.

    A second one stops at once: the saved checkpoints stay whole. Under a launcher it does not: the
    launcher passes on every signal that the terminal has sent already, and kills what does not end.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None

    def __enter__(self) -> "Interrupt":
        self._before = {s: signal.signal(s, self._note) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.signal_number is not None and not LAUNCHED:
            raise KeyboardInterrupt
        self.signal_number = number

    def check(self, message: str) -> None:
        """Raises `Interrupted` with this message if a stop has been asked for."""
        if self.signal_number is not None:
            raise Interrupted(self.signal_number, message)


class Bar:
    """One task of a progress bar; on a file or a pipe, a line for every tenth of the way."""

    def __init__(self, progress: Progress, title: str, total: int) -> None:
        self._progress, self._title, self._total = progress, title, total
        self._task = progress.add_task(title, total=total, note="")
        self._done, self._skipped, self._tenth, self._start = 0, 0, 0, time.monotonic()

    def skip(self, done: int) -> None:
        """What an earlier run has done already."""
        self._done = self._skipped = done
        self._progress.update(self._task, completed=done)

    def advance(self, images: float, note: str = "", calls: int = 1) -> float:
        """More network calls, each worth so many images; images per second so far."""
        self._done += calls
        rate = (self._done - self._skipped) * images / max(time.monotonic() - self._start, 1e-9)
        note = f"{note}{rate:,.{0 if rate >= 10 else 1}f} images/s"
        self._progress.update(self._task, advance=calls, note=note)
        tenth = 10 * self._done // self._total
        if tenth > self._tenth and not console.is_terminal:
            self._tenth = tenth
            console.print(f"{self._title}: {self._done:,} of {self._total:,}, {note}")
        return rate


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Bar]:
    """A bar with the network calls done, a note, images/s and the time left."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, expand=True) as progress:
        yield Bar(progress, title, total)
