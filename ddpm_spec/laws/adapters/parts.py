"""Adapters made of functions, for packages that have neither a scheduler nor a `GaussianDiffusion`."""

import queue
import threading
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ddpm_spec.laws.adapters.partial import Partial
from ddpm_spec.laws.protocol import Array, Network
from ddpm_spec.laws.replay import at_noise, seeded

__all__ = ["Held", "Loop", "Steps", "parts_adapter", "trained_times"]

_LIMIT = 60.0
"""Seconds that a loop may take from one call of the network to the next."""


def parts_adapter(**stated: Any) -> Partial:
    """Make an adapter of its parts and of what it states, see `protocol`.

    What is not stated is as in the other adapters: times from 0, images (3, 2, 2) of PyTorch in float32.

    Raises:
        TypeError: if there is no such thing to state.
    """
    adapter = Partial()
    adapter.states(stated)
    return adapter


class Held(nn.Module):
    """A network as their objects hold one, with the attributes that they ask it for."""

    def __init__(self, answer: Callable[..., Any], **attributes: Any) -> None:
        super().__init__()
        # Some ask a network where its parameters are.
        self.place = nn.Parameter(torch.zeros(()))
        self.answer = answer
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x: Tensor, *given: Any, **options: Any) -> Any:
        """The answer."""
        return self.answer(x, *given, **options)


class Steps:
    """A sampler whose step is a function of x_t, t and the time s of the next; s is None in the last."""

    def __init__(self, times: Iterable[int], step: Callable[[Network, Any, int, int | None], Any]) -> None:
        self.times = [int(t) for t in times]
        self._step = step

    def step(self, network: Network, x_t: Any, k: int) -> Any:
        """From times[k]."""
        return self._step(network, x_t, self.times[k], self.times[k + 1] if k + 1 < len(self.times) else None)


class Loop:
    """A sampler that its package offers only as a whole loop, taken step by step.

    The loop runs in a thread of its own and waits where it asks the network. What it shows the network there
    is its own x_t. The network writes the x_t of the laws into it and answers, and the loop goes on to the
    next call. So the loop must show the network the tensor that it goes on with, and ask once in each step.

    Noise is found as in `replay`: two loops take each step, under two seeds.
    """

    def __init__(self, run: Callable[[Network, int], Any]) -> None:
        """Make a sampler of run(network, count), which returns images.

        It calls network(x, t, size) with the loop's own x, the integer time, and the size of their x_t where
        it is not that of the paper: x/size has variance 1 for data that have.
        """
        self._run = run
        self._running: dict[int, _Running] = {}
        self.times: list[int] = []

        def network(x: Any, t: Any, size: Any = 1.0) -> Any:
            self.times.append(int(torch.as_tensor(t).flatten()[0]))
            return torch.zeros_like(x)

        with seeded(0):
            run(network, 1)

    def step(self, network: Network, x_t: Tensor, k: int, z: Tensor) -> Array:
        """From times[k], with the noise z if it draws any."""
        shape = x_t.shape[1:]

        def under(seed: int) -> Array:
            if k == 0:
                self._running[seed] = _Running(self._run, len(x_t))
            with seeded(seed):
                found = self._running[seed].step(network, x_t)
            return found.double().numpy().reshape(len(x_t), -1)

        rows = z.double().numpy().reshape(len(z), -1)
        return at_noise(under, rows, tuple(shape), "float32", 2.0**-24).reshape(len(z), *shape)


class _Running:
    """A loop that waits for its network."""

    def __init__(self, run: Callable[[Network, int], Any], count: int) -> None:
        self._shown: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._given: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._loop, args=(run, count), daemon=True).start()
        self._next()

    def _loop(self, run: Callable[[Network, int], Any], count: int) -> None:
        try:
            self._shown.put(run(self._network, count))
        except BaseException as error:  # it is raised where the step is taken
            self._shown.put(error)

    def _network(self, x: Tensor, t: Any, size: Any = 1.0) -> Any:
        self._shown.put(x.detach() / size)
        network, x_t = self._given.get()
        x.copy_(x_t * size)
        return network(x_t, torch.as_tensor(t).expand(len(x_t)))

    def _next(self) -> Tensor:
        found = self._shown.get(timeout=_LIMIT)
        if isinstance(found, BaseException):
            raise found
        return torch.as_tensor(found)

    def step(self, network: Network, x_t: Tensor) -> Tensor:
        self._given.put((network, x_t))
        return self._next()


def trained_times(
    train: Callable[[Network, Tensor], Any], count: int, shape: tuple[int, ...] = (3, 2, 2)
) -> Tensor:
    """The times at which a network is asked while `train(network, x_0)` makes a step of training."""
    times: list[Tensor] = []

    def network(x: Tensor, t: Tensor, *_: Any, **__: Any) -> Tensor:
        times.append(t)
        return 0 * x

    for start in range(0, count, 256):
        train(network, torch.zeros(min(256, count - start), *shape))
    return torch.cat(times)
