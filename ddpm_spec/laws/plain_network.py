# ruff: noqa: D102 # what a method does is its line
"""A small network in torch with what the laws look for, to be broken on purpose.

It is apart from `plain_parts`, since it imports torch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddpm_spec.laws.protocol import Stated

__all__ = ["Networks", "Small"]


class Small(nn.Module):
    """To half the size and back; every method is a place where something can be wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.inward = nn.Conv2d(3, 8, 3, padding=1)
        self.time = nn.Linear(8, 8)
        self.before = self.norm(8)
        self.down = nn.Conv2d(8, 16, 3, stride=2)
        self.middle = self.norm(16)
        self.up = nn.Conv2d(16, 8, 1)
        self.after = self.norm(8)
        self.out = nn.Conv2d(8, 3, 3, padding=1)
        self.quieten()

    def norm(self, width: int) -> nn.Module:
        return nn.GroupNorm(4, width, eps=1e-6)

    def quieten(self) -> None:
        for weights in self.out.parameters():
            nn.init.zeros_(weights)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = self.inward(x) + self.embedded(t)[:, :, None, None]
        small = self.down(self.padded(F.silu(self.before(h))))
        large = F.interpolate(self.up(F.silu(self.middle(small))), scale_factor=2.0)
        return self.out(F.silu(self.after(h + large)))

    def padded(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, 1, 0, 1))

    def embedded(self, t: Tensor) -> Tensor:
        angles = t.float()[:, None] * torch.tensor([1.0, 0.1, 0.01, 0.001])
        return self.time(torch.cat([angles.sin(), angles.cos()], dim=1))


class Networks(Stated):
    """An adapter that has a network and nothing else."""

    shape = (3, 8, 8)
    arrays = "torch"
    parameters = 224 + 72 + 16 + 1168 + 32 + 136 + 16 + 219
    """In; time; a norm; down; a norm; up; a norm; out."""

    def __init__(self, network: type[Small] = Small) -> None:
        self.make_network = network
