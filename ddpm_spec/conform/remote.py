"""An implementation in another process, in any language: lines of JSON over its standard input and output.

The other side says first what it has, in one line. Then each line is a request and is answered by one line.
In between, the other side may ask for the network's answer, any number of times:

    it:  {"hello": {"has": ["q_sample", "p_sample"], "betas": ["0x1.a36e2eb1c432dp-14", …], "T": 1000}}
    we:  {"call": "p_sample", "x_t": [["0x1.8p+0", …], …], "t": 7, "z": [["-0x1p-1", …], …]}
    it:  {"network": {"x_t": [["0x1.8p+0", …], …], "t": [7, 7]}}
    we:  {"answer": [["0x1.4p-2", …], …]}
    it:  {"result": [["0x1.7p+0", …], …]}        or {"error": "what went wrong"}

Numbers are hexadecimal floats in strings, so nothing is rounded on the way; times are integers. The names of
the calls and of what they take are those of `laws.protocol.Implementation`; what the other side states beside
`has` are the attributes of `laws.protocol.Stated`.
"""

import contextlib
import json
import queue
import shlex
import subprocess
import threading
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from ddpm_spec.errors import InputError

__all__ = ["CALLS", "Remote"]

CALLS = {
    "q_sample": ("x_0", "t", "eps"),
    "posterior": ("x_0", "x_t", "t"),
    "predict_x_0": ("x_t", "t", "eps"),
    "variance": ("t",),
    "p_sample": ("network", "x_t", "t", "z"),
    "loss": ("network", "x_0", "t", "eps"),
    "prior_term": ("x_0",),
    "bound_term": ("network", "x_0", "t", "eps"),
}
"""What may be called, and what each call takes."""


class Remote:
    """An adapter whose methods ask the other process.

    Raises:
        InputError: if the process cannot be started, or does not say what it has.
    """

    arrays = "numpy"

    def __init__(self, command: str, limit: float = 60.0) -> None:
        self.command, self.limit = command, limit
        self.gone = ""
        """Why the other side cannot be asked any more, if so."""
        words = shlex.split(command)
        try:
            self._process = subprocess.Popen(  # noqa: S603 # the user's own command
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="backslashreplace",
            )
        except (OSError, IndexError) as error:
            raise InputError(f"--command {command!r} cannot be started: {error}") from None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._last_words: list[str] = []
        self._readers: list[threading.Thread] = []
        self._follow(self._process.stdout, self._lines.put)
        self._follow(self._process.stderr, lambda line: self._last_words.append(line or ""))
        try:
            self._greet(self._read())
        except ConnectionError as error:
            raise InputError(str(error)) from None

    def _follow(self, stream: IO[str] | None, take: Callable[[str | None], object]) -> None:
        """Read a stream in the background, since reading it here could wait for ever."""

        def read() -> None:
            for line in stream or ():
                take(line)
            take(None)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        self._readers.append(thread)

    def _greet(self, told: dict[str, Any]) -> None:
        hello = told.get("hello")
        if not isinstance(hello, dict) or not isinstance(hello.get("has"), list):
            raise self._give_up(f'its first line must be {{"hello": {{"has": […], …}}}}, not {_short(told)}')
        for name in hello.pop("has"):
            if name not in CALLS:
                raise self._give_up(f"it says that it has {name!r}; known are {', '.join(CALLS)}")
            setattr(self, name, self._method(name))
        for name, value in hello.items():
            setattr(self, name, _array(value) if name in ("betas", "alpha_bars") else _stated(value))

    def _method(self, name: str) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            told = dict(zip(CALLS[name], given, strict=True))
            network = told.pop("network", None)
            answer = self._ask({"call": name} | {key: _told(value) for key, value in told.items()}, network)
            return (_array(answer[0]), _array(answer[1])) if name == "posterior" else _array(answer)

        return call

    def _ask(self, request: dict[str, Any], network: Callable[[Any, Any], Any] | None) -> Any:
        """Send a request, answer for the network meanwhile, and return the result."""
        self._write(request)
        while True:
            told = self._read()
            if "network" in told and network is not None:
                asked = told["network"]
                self._write({"answer": _told(network(_array(asked["x_t"]), np.array(asked["t"])))})
            elif "result" in told:
                return told["result"]
            elif "error" in told:
                raise RuntimeError(str(told["error"]))
            else:
                raise self._give_up(f"it answered {_short(told)}, which is neither a result nor an error")

    def _write(self, line: dict[str, Any]) -> None:
        if self.gone:
            raise ConnectionError(self.gone)
        try:
            print(json.dumps(line), file=self._process.stdin, flush=True)
        except OSError:
            raise self._give_up(self._ended()) from None

    def _read(self) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=self.limit)
        except queue.Empty:
            raise self._give_up(
                f"it did not answer within {self.limit:g} s; --limit gives it longer"
            ) from None
        if line is None:
            raise self._give_up(self._ended())
        try:
            told = json.loads(line)
        except ValueError:
            told = line
        if not isinstance(told, dict):
            raise self._give_up(f"it wrote {_short(line.strip())}, which is not a line of JSON with a name")
        return told

    def _ended(self) -> str:
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "it closed its output"
        last = next((line.strip() for line in reversed(self._last_words) if line.strip()), "")
        return f"it ended with status {status}" + (f": {last}" if last else "")

    def _give_up(self, why: str) -> ConnectionError:
        self.gone = f"--command {self.command!r}: {why}"
        self.close()
        return ConnectionError(self.gone)

    def close(self) -> None:
        """End the other process."""
        self._process.kill()
        self._process.wait()
        for thread in self._readers:
            thread.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):  # what could not be written is of no use now
                    stream.close()


def _told(value: Any) -> Any:
    """Integers as they are, floats in hexadecimal, arrays as lists of lists."""
    if isinstance(value, np.ndarray):
        return [_told(item) for item in value]
    return int(value) if isinstance(value, (int, np.integer)) else float(value).hex()


def _array(value: Any) -> Any:
    """Numbers in hexadecimal, or lists of them, as an array.

    Raises:
        ValueError: if it is neither.
    """
    if isinstance(value, list):
        return np.array([_array(item) for item in value])
    if isinstance(value, str):
        return np.float64(float.fromhex(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return np.float64(value)
    raise ValueError(f'{_short(value)} is no number; numbers are written like "0x1.8p+0"')


def _stated(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
