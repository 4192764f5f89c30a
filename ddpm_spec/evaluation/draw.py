"""Samples in batches, from keyed noise."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ddpm_spec.data.images import from_unit
from ddpm_spec.diffusion import Diffusion, Network
from ddpm_spec.noise import normal, row_keys

__all__ = ["Progress", "draw", "keyed"]

Progress = Callable[[int], None]
"""Called with the number of network rows done since the last call."""


def keyed(
    seed: int, stream: str, rows: Tensor, shape: tuple[int, ...], progress: Progress = lambda rows: None
) -> Callable[[int], Tensor]:
    """The noise of these rows, a function of t: row i's is a function of (seed, stream, t, i)."""

    def noise(t: int) -> Tensor:
        progress(len(rows))
        return normal(row_keys(seed, stream, t, rows), shape)

    return noise


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
    start: int = 0,
    times: Sequence[int] = (),
    eta: float | None = None,
) -> Tensor:
    """Images `start` to `count` − 1, uint8 grey levels, (count − start, C, H, W).

    By Algorithm 2, or as `times` and `eta` say, which are those of `Diffusion.sample`.
    The noise of image i at time t is a function of (seed, t, i): the batch size does not enter, nor
    does `count`. What is left of it is the rounding of the network's sums, far below a grey level.
    """
    drawn = []
    for first in range(start, count, batch):
        rows = torch.arange(first, min(first + batch, count), device=device)
        with torch.inference_mode():
            noise = keyed(seed, "sample", rows, shape)
            for x in diffusion.sample(network, noise, times=times, eta=eta):  # noqa: B007
                progress(len(rows))
        drawn.append(from_unit(x, levels).cpu())
    return torch.cat(drawn)
