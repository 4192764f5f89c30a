"""Timing on a machine that others use too: pieces of work in turn, ratios round by round."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["Piece", "Spread", "forward_flops", "ratio", "take_turns"]

Piece = Callable[[], object]
"""Something to time."""


@dataclass(frozen=True)
class Spread:
    """Several measurements of one quantity."""

    median: float
    lower: float
    """The lower quartile."""
    upper: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """The quartiles of at least two values."""
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, lower, upper)


def take_turns(pieces: dict[str, Piece], rounds: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of each piece in each round, every piece once a round, in an order that turns.

    Each runs twice before: for what is compiled, or allocated once.
    """

    def timed(piece: Piece) -> float:
        start = time.perf_counter()
        piece()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    for piece in (*pieces.values(), *pieces.values()):
        timed(piece)
    seconds: dict[str, list[float]] = {name: [] for name in pieces}
    for turn in range(rounds):
        order = list(pieces)[:: -1 if turn % 2 else 1]
        for name in order:
            seconds[name].append(timed(pieces[name]))
    return seconds


def ratio(above: list[float], below: list[float]) -> Spread:
    """The ratios within the rounds: what slows a round down slows both."""
    return Spread.of([a / b for a, b in zip(above, below, strict=True)])


def forward_flops(network: nn.Module, image_shape: tuple[int, int, int]) -> float:
    """Floating-point operations of the network on one image; a training step has three times as many."""
    counter = FlopCounterMode(display=False)
    network = network.to("meta")
    with counter, torch.no_grad():
        network(torch.empty(1, *image_shape, device="meta"), torch.ones(1, dtype=torch.long, device="meta"))
    return float(counter.get_total_flops())
