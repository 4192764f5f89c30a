"""Processes that train one model together, and what they tell each other besides gradients.

A launcher (`accelerate launch`, torchrun) starts them, on one machine or several, and says in the
environment who is who. What is said here goes from CPU to CPU by gloo and never waits for a GPU. Without
a launcher there is one process, and nothing to say.
"""

import gc
import os
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from ddpm_spec.errors import InputError, StoppedElsewhere

__all__ = [
    "alike",
    "all_alive",
    "count",
    "from_first",
    "gathered",
    "is_first",
    "joined",
    "most",
    "my_share",
    "one_a_machine",
    "share",
    "together",
]

T = TypeVar("T")

PATIENCE = timedelta(days=1)
"""How long processes wait for each other: the first may decode a data set or draw samples meanwhile. One
that dies is noticed at once, by its closed connection."""


def joined(work: Callable[[], T]) -> T:
    """Runs this together with the processes that a launcher has announced, and then leaves their groups.

    The groups end on every way out: finished, refused, interrupted or failed. A process group of gloo has
    threads, which stop when the last object that holds the group is freed. If they still run while the
    interpreter shuts down, they can abort a process that has done all its work: a thread that frees the
    tensors of the last collective needs the interpreter, and finds none. So everything that holds the group
    is freed here first. That is why `work` is one call: its variables are gone when it returns. What it
    returns must not hold a group.

    A process that leaves does not wait for the others. If it leaves early, because it has failed, its
    connections close, and the others find out at their next collective.

    Raises:
        InputError: if the other processes cannot be reached.
        BaseException: whatever `work` raises.
    """
    _join()
    try:
        result = work()
    except BaseException as error:
        if count() > 1:
            _empty_frames(error)
            _end(abort=True)
        raise
    if count() > 1:
        _end(abort=False)
    return result


def _join() -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        return
    # DDP imports this module, whose functions take the group that exists at that moment as a default
    # argument and so keep it for ever. Imported before there is a group, they keep none.
    import torch.distributed.nn.functional

    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE
        )
    except (RuntimeError, ValueError) as error:
        place = ":".join(os.environ.get(name, "?") for name in ("MASTER_ADDR", "MASTER_PORT"))
        raise InputError(
            f"the other processes cannot be reached at {place} ({str(error).splitlines()[0]}); "
            "give every launcher the same address and port, and each its own --machine_rank"
        ) from None


def _empty_frames(error: BaseException | None) -> None:
    """Frees the variables of the functions that an error came through; the traceback still prints."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def _end(*, abort: bool) -> None:
    # Before the group, so that torch's own table holds it last: that frees it without the GIL, which its
    # threads may be waiting for.
    gc.collect()
    if abort and dist.group.WORLD is not None:
        dist.group.WORLD.abort()  # NCCL would wait for processes that are gone; gloo has seen them go
    dist.destroy_process_group()


def count() -> int:
    """How many there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this is the one that writes files and talks to the person."""
    return _rank() == 0


def most(*numbers: float) -> tuple[float, ...]:
    """The largest of each of these numbers over all processes, on all of them."""
    if count() == 1:
        return numbers
    agreed = torch.tensor(numbers, dtype=torch.float64)
    dist.all_reduce(agreed, dist.ReduceOp.MAX)
    return tuple(agreed.tolist())


@contextmanager
def together() -> Iterator[None]:
    """What all processes enter together; if one fails inside, all of them stop here.

    Raises:
        StoppedElsewhere: where nothing failed, or where another process that has failed speaks for both.
            Else the error goes on.
    """
    failure: BaseException | None = None
    try:
        yield
    except BaseException as error:
        failure = error
    speaks = failure is not None and not isinstance(failure, StoppedElsewhere)
    # Counted from the last, so that the first of them has the largest.
    mine = count() - _rank() if speaks else 0
    speaker, failed = most(mine, failure is not None)
    if failure is not None and (mine == speaker or not speaks):
        raise failure
    if failed:
        raise StoppedElsewhere


def _rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def alike(stop: Exception) -> Exception:
    """What to raise for something that all processes have found: the first one speaks."""
    return stop if is_first() else StoppedElsewhere()


@contextmanager
def all_alive(way_out: str) -> Iterator[None]:
    """Where gradients are shared: the end of another process is told in one line.

    Raises:
        InputError: if another process is gone, with this way out.
    """
    try:
        yield
    except RuntimeError as error:
        if count() > 1 and (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise InputError(f"another process of this run has died; {way_out}") from None
        raise


def one_a_machine(work: Callable[[], T]) -> T:
    """Runs this on all processes, on one of each machine before the others, which find its files."""
    ahead = int(os.environ.get("LOCAL_RANK", "0")) == 0
    found: list[T] = []
    for turn in (True, False):
        with together():
            if ahead is turn:
                found.append(work())
    return found[0]


def from_first(work: Callable[[], T]) -> T:
    """What the first process gets from this, on all of them.

    Raises:
        StoppedElsewhere: if it fails; on the first process, as it fails.
    """
    found: list[Any] = [None]
    with together():
        if is_first():
            found = [work()]
    if count() > 1:
        dist.broadcast_object_list(found)
    return found[0]


def share(tensors: Iterable[Tensor]) -> None:
    """Gives every process the first one's values, in place."""
    if count() > 1:
        for tensor in tensors:
            dist.broadcast(tensor.detach(), 0)


def my_share(rows: int) -> tuple[int, int]:
    """First and one behind the last of the rows that this process takes, in the order of the processes."""
    share = -(-rows // count())
    first = min(_rank() * share, rows)
    return first, min(first + share, rows)


def gathered(tensor: Tensor) -> list[Tensor]:
    """Everyone's tensor, on the CPU, in the order of the processes."""
    if count() == 1:
        return [tensor]
    found: list[Tensor | None] = [None] * count()
    dist.all_gather_object(found, tensor)
    return [each for each in found if each is not None]
