"""Samples by Algorithm 2 and the bound on held-out images, in batches, from keyed noise."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ddpm_spec.diffusion import Diffusion, Network
from ddpm_spec.formulas.bound import bits_per_dim
from ddpm_spec.noise import normal, row_keys
from ddpm_spec.training.data import Images, from_unit, to_unit

__all__ = ["Bound", "draw", "held_out_bound", "histogram_bits", "spread"]

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


@dataclass(frozen=True)
class Bound:
    """The bound on held-out images, bits/dim, each term averaged over the images."""

    L_T: float
    L_steps: float
    """L_1 + … + L_{T−1}."""
    L_0: float
    total: float
    standard_error: float
    """Of `total`, from the spread between images."""
    images: int


def spread(count: int, of: int) -> Tensor:
    """`count` indices spread evenly over `of`: every writer of a file in order gets his share."""
    return torch.arange(count) * of // count


def held_out_bound(
    network: Network,
    diffusion: Diffusion,
    images: Tensor,
    levels: int,
    *,
    batch: int,
    seed: int,
    device: torch.device,
    progress: Progress = lambda rows: None,
) -> Bound:
    """Eq. 5 on these images (uint8, (N, C, H, W)), one draw of x_t for every t and image."""
    totals: list[tuple[Tensor, Tensor, Tensor]] = []
    for first in range(0, len(images), batch):
        x_0 = to_unit(images[first : first + batch].to(device), levels)
        rows = torch.arange(first, first + len(x_0), device=device)

        def noise(t: int, rows: Tensor = rows, x_0: Tensor = x_0) -> Tensor:
            progress(len(rows))
            return normal(row_keys(seed, "bound", t, rows), tuple(x_0.shape[1:]))

        with torch.inference_mode():
            terms = diffusion.bound(network, x_0, levels, noise)
        totals.append((terms.prior.cpu(), terms.steps.sum(dim=1).cpu(), terms.decoder.cpu()))
    dims = math.prod(images.shape[1:])
    prior, steps, decoder = (bits_per_dim(torch.cat(term), dims) for term in zip(*totals, strict=True))
    total = prior + steps + decoder
    return Bound(
        float(prior.mean()),
        float(steps.mean()),
        float(decoder.mean()),
        float(total.mean()),
        float(total.std() / math.sqrt(len(total))),
        len(total),
    )


def histogram_bits(images: Images, held_out: Tensor) -> float:
    """Bits/dim of independent pixels on the held-out images (uint8).

    Each pixel's law is its histogram over the training images, one image added to every level so that
    none has probability 0.
    """
    train = images.train.flatten(1).long()
    counts = torch.ones(train.shape[1], images.levels, dtype=torch.float64)
    counts.scatter_add_(1, train.T, torch.ones_like(train.T, dtype=torch.float64))
    probability = counts / counts.sum(dim=1, keepdim=True)
    nats = -probability.log().gather(1, held_out.flatten(1).long().T)
    return float(bits_per_dim(nats.sum(dim=0), train.shape[1]).mean())
