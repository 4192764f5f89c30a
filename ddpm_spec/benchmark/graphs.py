"""CUDA graphs: a network's kernels recorded once and launched together, where launching one takes longer."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from ddpm_spec.diffusion import Network
from ddpm_spec.training.loop import Trainer

__all__ = ["Forward", "training"]

WARM_UP = 3
"""Calls before the recording: libraries choose their kernels and allocate in the first ones."""


def training(trainer: Trainer, reduced: bool) -> Callable[..., Tensor]:
    """The network, not compiled, its forward and backward pass recorded: what `trainer.model` is to be.

    For batches of the shape that the trainer has. The masks of dropout are functions of the keys, which are
    an input, so they are new in each replay. `reduced`: in bfloat16.
    """
    x_0, t, eps, keys = trainer.batch(0, trainer.positions)
    inputs = trainer.diffusion.q_sample(x_0, t, eps), t, keys
    # A cast that is remembered would be freed when autocast ends, and the graph read what is there then.
    with torch.autocast(x_0.device.type, torch.bfloat16, reduced, cache_enabled=False):
        recorded = torch.cuda.make_graphed_callables(trainer.network, inputs, num_warmup_iters=WARM_UP)

    def call(x_t: Tensor, t: Tensor, keys: Tensor) -> Tensor:
        return cast(Tensor, recorded(x_t, t, keys))

    return call


class Forward:
    """A network's forward pass without gradients, recorded at the first call with inputs of a shape."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.recorded: tuple[torch.cuda.CUDAGraph, Tensor, Tensor, Tensor] | None = None

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        """What the network answers; the next call writes over it."""
        if self.recorded is None or self.recorded[1].shape != x_t.shape:
            self.recorded = self._record(x_t.clone(), t.clone())
        graph, x, times, answer = self.recorded
        x.copy_(x_t)
        times.copy_(t)
        graph.replay()
        return answer

    @torch.no_grad()
    def _record(self, x: Tensor, t: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, Tensor, Tensor]:
        side = torch.cuda.Stream(x.device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self.network(x, t)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            answer = self.network(x, t)
        return graph, x, t, answer
