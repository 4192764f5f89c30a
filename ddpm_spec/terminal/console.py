"""The terminal: progress, interruption, errors of one line."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ddpm_spec.errors import InputError, StoppedElsewhere

__all__ = [
    "STARTED",
    "Bar",
    "Interrupt",
    "Interrupted",
    "console",
    "notice",
    "progress_bar",
    "run_command",
]

STARTED = time.monotonic()
"""When the command began, before torch was imported."""

_LAUNCHED = "WORLD_SIZE" in os.environ
"""Whether a launcher has started this process; RANK is its number then."""

console = Console(
    stderr=True, highlight=False, soft_wrap=True, quiet=os.environ.get("RANK", "0") != "0" and _LAUNCHED
)
"""Progress and messages go to stderr, from the first process only; stdout carries the report."""

_errors = Console(stderr=True, highlight=False, soft_wrap=True)
"""What went wrong is said by the process where it went wrong."""


def notice(text: str) -> None:
    """Says something that does not stop the command."""
    console.print(f"[bold yellow]note:[/] {_escaped(text)}")


class Interrupted(Exception):
    """Stopped by a signal, with what to say about it."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.signal_number = signal_number


def run_command(command: Callable[[list[str]], None], args: list[str]) -> int:
    """Runs a command and returns its exit status; a person's error is one line, without traceback.

    0 when done, 2 for bad input, 128 + n when stopped by signal n.
    """
    try:
        command(args)
    except InputError as error:
        _errors.print(f"[bold red]error:[/] {_escaped(str(error))}")
        return 2
    except StoppedElsewhere:
        return 0
    except Interrupted as stop:
        console.print(_escaped(str(stop)))
        return 128 + stop.signal_number
    except KeyboardInterrupt:
        console.print("stopped")
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of stdout, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("[", r"\[")


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
        if self.signal_number is not None and not _LAUNCHED:
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
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, expand=True) as progress:
        yield Bar(progress, title, total)
