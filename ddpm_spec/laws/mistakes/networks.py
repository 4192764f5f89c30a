# ruff: noqa: D102 # what a method does is its line
"""Networks with one thing broken. They are apart from the other mistakes, since they import torch."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddpm_spec.laws.plain_network import Small

__all__ = [
    "AllSides",
    "Detached",
    "Halved",
    "Idle",
    "Loud",
    "OneTime",
    "OverTheBatch",
    "Timeless",
    "TorchNorm",
    "Unbiased",
]


class OverTheBatch(Small):
    """With batch norm."""

    def norm(self, width: int) -> nn.Module:
        return nn.BatchNorm2d(width)


class Loud(Small):
    """With a usual initialisation at the end."""

    def quieten(self) -> None:
        pass


class Idle(Small):
    """With a layer that is not called."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = nn.Linear(8, 8)


class Detached(Small):
    """With a time that no gradient reaches."""

    def embedded(self, t: Tensor) -> Tensor:
        return super().embedded(t).detach()


class Timeless(Small):
    """Without the time, though its layer is there and gets its gradient."""

    def embedded(self, t: Tensor) -> Tensor:
        return super().embedded(torch.zeros_like(t))


class OneTime(Small):
    """With one time for the whole batch."""

    def embedded(self, t: Tensor) -> Tensor:
        return super().embedded(t[:1])


class Halved(Small):
    """Without the way back to the full size."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return F.avg_pool2d(super().forward(x, t), 2)


class Unbiased(Small):
    """Without a bias at the end."""

    def quieten(self) -> None:
        super().quieten()
        self.out.bias = None


class TorchNorm(Small):
    """With torch's ε in its norms."""

    def norm(self, width: int) -> nn.Module:
        return nn.GroupNorm(4, width)


class AllSides(Small):
    """With a symmetric padding where it halves."""

    def __init__(self) -> None:
        super().__init__()
        self.down.padding = (1, 1)

    def padded(self, x: Tensor) -> Tensor:
        return x
