"""The bound and the distortion on given images, term by term, in batches, from keyed noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ddpm_spec.coding.rate import rate
from ddpm_spec.data.images import Images, to_unit
from ddpm_spec.diffusion import BoundTerms, Diffusion, Network
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.draw import Progress, keyed
from ddpm_spec.formulas.bound import bits_per_dim, prior_term, variance_mismatch
from ddpm_spec.formulas.forward import q_step_variance
from ddpm_spec.formulas.posterior import posterior_variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.runs.settings import SEEDS

__all__ = [
    "Bound",
    "Curves",
    "Terms",
    "curves",
    "held_out_bound",
    "histogram_bits",
    "spread",
    "summary",
    "terms",
]


class Terms(NamedTuple):
    """What is measured of each image, under one convention."""

    prior: Tensor
    """L_T in nats, shape (B,)."""
    terms: Tensor
    """L_0, …, L_{T−1} in nats, shape (B, T); column t − 1 is the term of step t."""
    squared_error: Tensor
    """Mean over coordinates of (x_0 − x̂_0)² at x_t, data in [−1, 1], shape (B, T)."""

    @property
    def bound(self) -> BoundTerms:
        """As the terms of Eq. 5."""
        return BoundTerms(self.prior, self.terms[:, 1:], self.terms[:, 0])


@torch.inference_mode()
def terms(
    network: Network,
    diffusions: Sequence[Diffusion],
    images: Tensor,
    levels: int,
    *,
    rows: Tensor,
    seed: int,
    progress: Progress = lambda rows: None,
) -> list[Terms]:
    """The terms of these images for each of the diffusions, which share a schedule: T network calls in all.

    `images`: uint8, (B, C, H, W), on the network's device. `rows`: their positions in the whole set, int64;
    the ε of image i at t is a function of (seed, t, rows[i]).
    """
    x_0 = to_unit(images, levels).double()
    noise = keyed(seed, "bound", rows, tuple(x_0.shape[1:]), progress)
    T = diffusions[0].schedule.T
    columns: list[tuple[list[Tensor], list[Tensor]]] = [([], []) for _ in diffusions]
    for t in range(1, T + 1):
        eps, times = noise(t).double(), torch.full((len(x_0),), t, device=x_0.device)
        x_t = diffusions[0].q_sample(x_0, times, eps)
        answer = network(x_t, times)

        def once(x_t: Tensor, t: Tensor, answer: Tensor = answer) -> Tensor:
            return answer  # every question below is about this x_t

        for diffusion, (nats, errors) in zip(diffusions, columns, strict=True):
            nats.append(diffusion.bound_term(once, x_0, times, eps, levels))
            errors.append((diffusion.predict_x_0(once, x_t, times) - x_0).square().flatten(1).mean(dim=1))
    last = diffusions[0].schedule.at(torch.full((len(x_0),), T, device=x_0.device), like=x_0)
    prior = prior_term(x_0, last).flatten(1).sum(dim=1)
    return [Terms(prior, torch.stack(nats, dim=1), torch.stack(errors, dim=1)) for nats, errors in columns]


@dataclass(frozen=True)
class Bound:
    """The bound on some images, bits/dim, each term averaged over the images."""

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
    """What of it no prediction can save: C of Eq. 8, the divergence between β̃_t and σ_t², for t in 2..T; 0
    for a learned σ_t², which may take any value."""


@dataclass(frozen=True)
class Curves:
    """Means over the images for t = 1..T."""

    bits: list[float]
    """L_{t−1} in bits/dim."""
    rate: list[float]
    """L_T + … + L_t in bits/dim: what has been received when x_t is known."""
    distortion: list[float]
    """Root mean square of x_0 − x̂_0 at x_t, in grey levels."""


def summary(measured: Terms, dims: int, diffusion: Diffusion) -> Bound:
    """The bound on all images together."""
    total = bits_per_dim(measured.bound.total, dims)
    by_t = measured.terms.mean(dim=0).cumsum(dim=0)
    return Bound(
        L_T=float(bits_per_dim(measured.prior, dims).mean()),
        L_steps=float(bits_per_dim(measured.bound.steps.sum(dim=1), dims).mean()),
        L_0=float(bits_per_dim(measured.bound.decoder, dims).mean()),
        total=float(total.mean()),
        standard_error=float(total.std() / math.sqrt(len(total))),
        images=len(total),
        half_at=1 + int((by_t < by_t[-1] / 2).sum()),
        mismatch=_mismatch(diffusion),
    )


def curves(measured: Terms, dims: int, levels: int) -> Curves:
    """The course over t; the distortion in grey levels 0..levels − 1."""
    return Curves(
        bits=bits_per_dim(measured.terms, dims).mean(dim=0).tolist(),
        rate=rate(measured.bound, dims).mean(dim=0).tolist(),
        distortion=(measured.squared_error.mean(dim=0).sqrt() * ((levels - 1) / 2)).tolist(),
    )


def held_out_bound(
    network: Network,
    diffusion: Diffusion,
    images: Tensor,
    levels: int,
    *,
    batch: int = 256,
    seed: int = 0,
    device: torch.device | None = None,
    progress: Progress = lambda rows: None,
) -> Bound:
    """The bound of Eq. 5 on these images in bits/dim, for any network: T network calls a batch.

    The expectation over x_t is estimated by one draw for every t and image, a function of (seed, t, i).

    Args:
        network: called as `network(x_t, t)` with x_t (B, C, H, W) in float64 and t (B,) in 1..T; it returns
            the prediction, in any dtype. Dropout must be off: `eval()` is not called here.
        diffusion: the process it was trained for.
        images: uint8 grey levels 0..levels − 1, shape (N, C, H, W), N at least 2.
        levels: how many grey levels the images can have: 256 for ordinary ones.
        batch: images in one call of the network.
        seed: an integer from 0 to 2³² − 1.
        device: where the network is; None: where the images are.
        progress: told the number of network rows done since its last call.

    Raises:
        InputError: for images of another kind, shape or range, or a value out of range.
    """
    _check(images, levels, batch, seed)
    device = device or images.device
    parts = []
    for first in range(0, len(images), batch):
        some = images[first : first + batch].to(device)
        rows = torch.arange(first, first + len(some), device=device)
        parts += terms(network, [diffusion], some, levels, rows=rows, seed=seed, progress=progress)
    whole = Terms(*(torch.cat(column).cpu() for column in zip(*parts, strict=True)))
    return summary(whole, math.prod(images.shape[1:]), diffusion)


def _check(images: Tensor, levels: int, batch: int, seed: int) -> None:
    if not 2 <= levels <= 256:
        raise InputError(f"levels is {levels}; it must be from 2 to 256")
    if not isinstance(images, Tensor) or images.dtype != torch.uint8:
        kind = f"a tensor of {images.dtype}" if isinstance(images, Tensor) else f"a {type(images).__name__}"
        raise InputError(
            f"images is {kind}; it must be a tensor of torch.uint8, grey levels from 0 to {levels - 1}"
        )
    if images.ndim != 4 or len(images) < 2:
        raise InputError(
            f"images have shape {tuple(images.shape)}; it must be (N, C, H, W) with N at least 2, "
            "since the standard error comes from the spread between images"
        )
    if int(images.max()) >= levels:  # torch would take 256 for a byte, 0
        raise InputError(
            f"images have a grey level {int(images.max())}, but levels is {levels}; "
            f"they must be from 0 to {levels - 1}, or levels larger"
        )
    if batch < 1:
        raise InputError(f"batch is {batch}; it must be at least 1")
    if not 0 <= seed < SEEDS:
        raise InputError(f"seed is {seed}; it must be from 0 to {SEEDS - 1}")


def spread(count: int, of: int) -> Tensor:
    """`count` indices spread evenly over `of`: every writer of a file in order gets his share."""
    return torch.arange(count) * of // count


def _mismatch(diffusion: Diffusion) -> float:
    if diffusion.learns_variance:
        return 0.0
    at = Step(*(table[2:] for table in diffusion.schedule.steps))
    tilde = posterior_variance(at)
    sigma_squared = q_step_variance(at) if diffusion.variance == "beta" else tilde
    return float(bits_per_dim(variance_mismatch(tilde, sigma_squared).sum(), 1))


def histogram_bits(images: Images, held_out: Tensor) -> float:
    """Bits/dim of independent pixels on the held-out images (uint8).

    Each pixel's law is its histogram over the training images, one image added to every level so that
    none has probability 0.
    """
    train = images.whole().flatten(1).long()
    counts = torch.ones(train.shape[1], images.levels, dtype=torch.float64)
    counts.scatter_add_(1, train.T, torch.ones_like(train.T, dtype=torch.float64))
    probability = counts / counts.sum(dim=1, keepdim=True)
    nats = -probability.log().gather(1, held_out.flatten(1).long().T)
    return float(bits_per_dim(nats.sum(dim=0), train.shape[1]).mean())
