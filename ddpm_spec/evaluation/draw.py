"""Samples by Algorithm 2, in batches, from keyed noise."""

from collections.abc import Callable

import torch
from torch import Tensor

from ddpm_spec.data import from_unit
from ddpm_spec.diffusion import Diffusion, Network
from ddpm_spec.noise import normal, row_keys

__all__ = ["Progress", "draw"]

Progress = Callable[[int], None]
"""Called with the number of network rows done since the last call."""


def draw(
    network: Network,
    diffusion: Diffusion,
    shape: tuple[int, int, int],
    levels: int,
    *,
    count: int,
    batch: int,
    seed: int,
    device: torch.device,
    progress: Progress = lambda rows: None,
) -> Tensor:
    """`count` images of Algorithm 2, uint8 grey levels, (count, C, H, W).

    The noise of image i at time t is a function of (seed, t, i): the batch size does not enter, nor
    does `count`. What is left of it is the rounding of the network's sums, far below a grey level.
    """
    drawn = []
    for first in range(0, count, batch):
        rows = torch.arange(first, min(first + batch, count), device=device)

        def noise(t: int, rows: Tensor = rows) -> Tensor:
            return normal(row_keys(seed, "sample", t, rows), shape)

        with torch.inference_mode():
            for x in diffusion.sample(network, noise):  # noqa: B007
                progress(len(rows))
        drawn.append(from_unit(x, levels).cpu())
    return torch.cat(drawn)
