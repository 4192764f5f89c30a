"""The bound on images the model has not seen, in batches, from keyed noise."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ddpm_spec.data import Images, to_unit
from ddpm_spec.diffusion import BoundTerms, Diffusion, Network
from ddpm_spec.evaluation.draw import Progress
from ddpm_spec.formulas.bound import bits_per_dim, variance_mismatch
from ddpm_spec.formulas.forward import q_step_variance
from ddpm_spec.formulas.posterior import posterior_variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.noise import normal, row_keys

__all__ = ["Bound", "held_out_bound", "histogram_bits", "spread"]


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
    half_at: int
    """Half of the bound lies at or below this t."""
    mismatch: float
    """What of it no prediction can save: C of Eq. 8, the divergence between β̃_t and σ_t², for t in 2..T."""


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
    parts: list[BoundTerms] = []
    for first in range(0, len(images), batch):
        x_0 = to_unit(images[first : first + batch].to(device), levels)
        rows = torch.arange(first, first + len(x_0), device=device)

        def noise(t: int, rows: Tensor = rows, x_0: Tensor = x_0) -> Tensor:
            progress(len(rows))
            return normal(row_keys(seed, "bound", t, rows), tuple(x_0.shape[1:]))

        with torch.inference_mode():
            terms = diffusion.bound(network, x_0, levels, noise)
        parts.append(BoundTerms(*(term.cpu() for term in terms)))
    dims = math.prod(images.shape[1:])
    prior, steps, decoder = (torch.cat(columns) for columns in zip(*parts, strict=True))
    total = bits_per_dim(BoundTerms(prior, steps, decoder).total, dims)
    by_t = torch.cat([decoder[:, None], steps], dim=1).mean(dim=0).cumsum(dim=0)
    return Bound(
        L_T=float(bits_per_dim(prior, dims).mean()),
        L_steps=float(bits_per_dim(steps.sum(dim=1), dims).mean()),
        L_0=float(bits_per_dim(decoder, dims).mean()),
        total=float(total.mean()),
        standard_error=float(total.std() / math.sqrt(len(total))),
        images=len(total),
        half_at=1 + int((by_t < by_t[-1] / 2).sum()),
        mismatch=_mismatch(diffusion),
    )


def _mismatch(diffusion: Diffusion) -> float:
    at = Step(*(table[2:] for table in diffusion.schedule.steps))
    tilde = posterior_variance(at)
    sigma_squared = q_step_variance(at) if diffusion.variance == "beta" else tilde
    return float(bits_per_dim(variance_mismatch(tilde, sigma_squared).sum(), 1))


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
