"""Ends of two processes, pair after pair: `python ends.py COUNT WAY...` prints how each of them ended.

Each process is forked from this one, which has imported torch, so that a pair takes a second. It ends like
one that was started by itself: by its interpreter's own end, not by `os._exit`. WORLD_SIZE is 2 all along.
"""

import gc
import json
import os
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from ddpm_spec.errors import InputError
from ddpm_spec.machine import processes
from ddpm_spec.terminal.console import Interrupt, Interrupted, run_command

__all__ = ["free_port", "gloo_threads"]

PATIENCE = 300
"""Seconds after which a process counts as one that does not end."""


class Training:
    """Gradients that two processes share, in two parts: the first is sent before the second is there."""

    def __init__(self) -> None:
        # As in a process that imports this when its group exists.
        import torch.distributed.nn.functional  # noqa: F401

        self.accelerator = Accelerator(cpu=True)
        self.network = nn.Sequential(nn.Linear(4, 600), nn.Linear(600, 600))
        self.model = self.accelerator.prepare(self.network)
        self.itself = self  # only the garbage collector can free it

    def step(self) -> None:
        with processes.all_alive("start again"):
            self.accelerator.backward(self.model(torch.ones(2, 4)).sum())
            processes.most(1.0)


def finished(training: Training, interrupt: Interrupt) -> None:
    """Through before gloo's threads have put away their last work: on a busy machine they come late."""
    cores = sorted(os.sched_getaffinity(0))
    for thread in tasks():
        os.sched_setaffinity(int(thread.name), {cores[int(os.environ["RANK"]) % len(cores)]})
        if "gloo" in (thread / "comm").read_text():
            os.sched_setscheduler(int(thread.name), os.SCHED_IDLE, os.sched_param(0))
    for _ in range(3):
        processes.most(1.0)


def refused(training: Training, interrupt: Interrupt) -> None:
    with processes.together():
        if not processes.is_first():
            raise InputError("there is no such thing")


def interrupted(training: Training, interrupt: Interrupt, number: int = signal.SIGTERM) -> None:
    if not processes.is_first():
        os.kill(os.getpid(), number)
    (agreed,) = processes.most(interrupt.signal_number or 0)
    raise processes.alike(Interrupted(int(agreed), "stopped and saved"))


def keyboard(training: Training, interrupt: Interrupt) -> None:
    interrupted(training, interrupt, signal.SIGINT)


def failed(training: Training, interrupt: Interrupt) -> None:
    if not processes.is_first():
        raise ArithmeticError("a mistake")
    training.step()


def failed_in_part(training: Training, interrupt: Interrupt) -> None:
    """The other's gradients are under way when this one fails."""

    def fails(_: torch.Tensor) -> None:
        raise ArithmeticError("a mistake")

    if not processes.is_first():
        training.network[0].weight.register_hook(fails)
    training.step()


def gone(training: Training, interrupt: Interrupt) -> None:
    if not processes.is_first():
        os.kill(os.getpid(), signal.SIGKILL)
    training.step()


WAYS = (finished, refused, interrupted, keyboard, failed, failed_in_part, gone)


def command(args: list[str]) -> None:
    (way,) = (way for way in WAYS if way.__name__ == args[0])

    def work() -> None:
        training = Training()
        training.step()
        way(training, interrupt)

    with Interrupt() as interrupt:
        processes.joined(work)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def tasks() -> list[Path]:
    """The threads of this process."""
    return list(Path("/proc/self/task").iterdir())


def gloo_threads() -> int:
    return sum("gloo" in (task / "comm").read_text() for task in tasks())


def one(rank: int, port: int, way: str, said: int) -> int:
    """What one process does; its exit status."""
    gc.disable()  # it comes round when it likes, or never
    for stream in (1, 2):
        os.dup2(said, stream)
    here = {"RANK": rank, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in here.items()})
    try:
        return run_command(command, [way])
    finally:
        print(f"{gloo_threads()} threads of gloo", file=sys.stderr, flush=True)


def status(pid: int, until: float) -> int | None:
    """The exit status; nothing for one that had to be killed."""
    while time.monotonic() < until:
        found, ended = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(ended)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def pair(way: str) -> list[tuple[int | None, str]]:
    """Status and words of both, by rank."""
    port = free_port()
    with tempfile.TemporaryFile("w+") as first, tempfile.TemporaryFile("w+") as second:
        pids = []
        for rank, file in enumerate((first, second)):
            pid = os.fork()
            if not pid:
                sys.exit(one(rank, port, way, file.fileno()))
            pids.append(pid)
        until = time.monotonic() + PATIENCE
        found = []
        for pid, file in zip(pids, (first, second), strict=True):
            ended = status(pid, until)
            file.seek(0)
            found.append((ended, file.read()))
        return found


if __name__ == "__main__":
    import torch._dynamo  # DDP does

    sys.modules.pop("torch.distributed.nn.functional", None)
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()  # what both share need not be looked through at their ends
    for way in sys.argv[2:]:
        for _ in range(int(sys.argv[1])):
            print(json.dumps([way, pair(way)]), flush=True)
