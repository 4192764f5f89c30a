"""The exponential moving average of the weights (§4 and App. B), with which the model is sampled."""

import copy

import torch
from torch import Tensor, nn

__all__ = ["shadow", "update"]


def shadow(network: nn.Module) -> nn.Module:
    """A copy of the network that no gradient reaches, to hold the average."""
    return copy.deepcopy(network).requires_grad_(False).eval()


@torch.no_grad()
def update(averages: tuple[Tensor, ...], parameters: tuple[Tensor, ...], decay: float) -> None:
    """average ← decay · average + (1 − decay) · parameter, in place, for every parameter."""
    torch._foreach_lerp_(averages, parameters, 1 - decay)
