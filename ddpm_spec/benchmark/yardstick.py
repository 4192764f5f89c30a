"""The fastest products and convolutions of a machine: what the speed of a network is a share of.

A network's floating-point operations are those of its products and convolutions, and it does other things
besides. So it takes at least the time of these alone, and its rate is at most the rate of the fastest of
them. A square matrix product is not always the fastest: on a processor with AVX-512 a library may do 98
GFLOP/s in a product and 261 in a 3×3 convolution, and a network made of convolutions passes the product.

The candidates are therefore the network's own layers, forward and backward, in both memory layouts, and
square products of several sizes. The limit is the largest rate that any of them reached in any round of the
race, where each took its turn beside the network. A share of it above 100 % can only be noise: a round in
which the machine was free for the network and for none of the candidates.
"""

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ddpm_spec.benchmark.timing import Piece, take_turns

__all__ = ["Candidate", "Layer", "candidates", "contenders", "fastest", "layers"]

SIDES = {"cpu": (1024, 2048), "cuda": (2048, 4096, 8192)}
"""Of the square products."""
WORK = {"cpu": 2e9, "cuda": 2e12}
"""Operations of one timed piece, at most about this many: a layer that does less is repeated."""
NUMBERS = 2**26
"""Most numbers in the input or output of a candidate; it takes a smaller batch else."""
SMALLEST = 0.01
"""Layers with a smaller part of the operations are too short to be fast."""
LAYOUTS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


class Candidate(NamedTuple):
    """Something fast to time."""

    name: str
    piece: Piece
    operations: float
    """Floating-point operations of one call of `piece`."""


@dataclass(frozen=True)
class Layer:
    """A layer of a network and the shape of what it is given, for one image."""

    weight: tuple[int, ...]
    """(out, in) of a product, (out, in, height, width) of a convolution."""
    given: tuple[int, ...]
    """(rows, in) or (in, height, width)."""
    stride: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] = (0, 0)

    def call(self, x: Tensor, weight: Tensor) -> Tensor:
        """The layer."""
        if len(self.weight) == 2:
            return F.linear(x, weight)
        return F.conv2d(x, weight, None, self.stride, self.padding)

    @functools.cached_property
    def made(self) -> tuple[int, ...]:
        """The shape of what it makes of one image."""
        x, weight = (torch.empty(shape, device="meta") for shape in ((1, *self.given), self.weight))
        return tuple(self.call(x, weight).shape)

    @property
    def operations(self) -> int:
        """Floating-point operations for one image."""
        return 2 * math.prod(self.made) * math.prod(self.weight[1:])

    def __str__(self) -> str:
        out, width = self.weight[:2]
        if len(self.weight) == 2:
            return f"product {width}→{out} of {self.given[0]} rows an image"
        size = "×".join(map(str, self.weight[2:]))
        return f"{size} convolution {width}→{out} to {'×'.join(map(str, self.made[2:]))}"


class _Seen(TorchFunctionMode):
    """Counts the layers that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[Layer] = Counter()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Looks at the arguments and calls the function."""
        if func is F.conv2d:
            x, weight, _, stride, padding = args[:5]
            self.calls[Layer(tuple(weight.shape), tuple(x.shape[1:]), tuple(stride), tuple(padding))] += 1
        elif func is F.linear:
            x, weight = args[:2]
            self.calls[Layer(tuple(weight.shape), (x[0, ..., 0].numel(), x.shape[-1]))] += 1
        return func(*args, **kwargs or {})


def layers(network: nn.Module, image_shape: tuple[int, int, int]) -> dict[Layer, int]:
    """The different products and convolutions of a network on the meta device, and how often each is called.

    Without those inside its attention.
    """
    with _Seen() as seen, torch.no_grad():
        network(torch.empty(1, *image_shape, device="meta"), torch.ones(1, dtype=torch.long, device="meta"))
    return dict(seen.calls)


def candidates(
    network: nn.Module,
    image_shape: tuple[int, int, int],
    batch: int,
    device: torch.device,
    dtype: torch.dtype,
) -> Iterator[Candidate]:
    """Square products, and the layers of this network on the meta device, forward and backward.

    One at a time: what is not kept is freed.
    """
    for side in SIDES[device.type]:
        a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        yield Candidate(f"product of {side}×{side}", functools.partial(torch.mm, a, b), 2.0 * side**3)
    called = layers(network, image_shape)
    whole = sum(count * layer.operations for layer, count in called.items())
    work = min(WORK[device.type], batch * whole)
    for layer, count in called.items():
        if count * layer.operations < SMALLEST * whole:
            continue
        rows = max(1, min(batch, NUMBERS // math.prod(max(layer.given, layer.made, key=math.prod))))
        operations = float(rows * layer.operations)
        times = math.ceil(work / operations)
        for name, layout in LAYOUTS.items() if len(layer.weight) == 4 else [("", torch.contiguous_format)]:
            forward, backward = _passes(layer, rows, layout, device, dtype)
            full = f"{layer}, {name}" if name else f"{layer}"
            yield Candidate(full, functools.partial(_repeat, forward, times), times * operations)
            some = math.ceil(times / 2)
            yield Candidate(
                f"{full}, backward", functools.partial(_repeat, backward, some), some * 2 * operations
            )


def _passes(
    layer: Layer, rows: int, layout: torch.memory_format, device: torch.device, dtype: torch.dtype
) -> tuple[Piece, Piece]:
    """A layer's forward pass, and its backward pass to both weight and input."""
    x, weight = (
        torch.randn(shape, device=device).to(dtype).contiguous(memory_format=layout).requires_grad_()
        for shape in ((rows, *layer.given), layer.weight)
    )
    y = layer.call(x, weight)
    gradient = torch.randn_like(y)

    @torch.no_grad()
    def forward() -> Tensor:
        return layer.call(x, weight)

    def backward() -> tuple[Tensor, ...]:
        return torch.autograd.grad(y, (x, weight), gradient, retain_graph=True)

    return forward, backward


def contenders(every: Iterator[Candidate], device: torch.device, keep: int = 4) -> list[Candidate]:
    """The candidates that were fastest at a first look: these take part in the race."""
    found: list[tuple[float, Candidate]] = []
    for candidate in every:
        (seconds,) = take_turns({candidate.name: candidate.piece}, 1, device)[candidate.name]
        found.append((candidate.operations / seconds, candidate))
        found = sorted(found, key=lambda pair: pair[0], reverse=True)[:keep]
    return [candidate for _, candidate in found]


def fastest(contending: list[Candidate], seconds: dict[str, list[float]]) -> tuple[str, float]:
    """Which was fastest in any round, and its rate there: floating-point operations a second."""
    rates = {each.name: each.operations / min(seconds[each.name]) for each in contending}
    return max(rates.items(), key=lambda pair: pair[1])


def _repeat(piece: Piece, times: int) -> None:
    for _ in range(times):
        piece()
