"""Rate and distortion over the reverse process (§4.3, Fig. 5, Table 4), for any model."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ddpm_spec.diffusion import BoundTerms, Diffusion, Network
from ddpm_spec.formulas import bound

__all__ = ["RateDistortion", "distortion", "rate", "rate_distortion"]


class RateDistortion(NamedTuple):
    """The two curves over t, each of shape (T,); index t − 1 is the state after x_t was received."""

    rate: Tensor
    """Bits/dim received so far: L_T + … + L_t."""
    distortion: Tensor
    """Root mean square of x_0 − x̂_0 in grey values of [0, 255]."""


def rate(terms: BoundTerms, dims: int) -> Tensor:
    """L_T + L_{T−1} + … + L_t in bits/dim for t = 1..T, shape (B, T); column 0 is the rate of §4.3."""
    # L_t is column t − 1 of the steps: add them up from T − 1 down.
    later = terms.steps.flip(1).cumsum(dim=1).flip(1)
    received = terms.prior[:, None] + torch.cat([later, torch.zeros_like(terms.prior)[:, None]], dim=1)
    bits: Tensor = bound.bits_per_dim(received, dims)
    return bits


@torch.no_grad()
def distortion(model: Diffusion, network: Network, x_0: Tensor, noise: Callable[[int], Tensor]) -> Tensor:
    """Root mean square of x_0 − x̂_0 over coordinates and batch, on [0, 255], for t = 1..T: T network calls.

    `x_0`: (B, C, H, W) in [−1, 1]; `noise(t)` returns the ε of x_t ~ q(x_t | x_0). x̂_0 is what the
    prediction implies, Eq. 15 for predicted noise, clipped where the model clips.
    """
    x_0 = x_0.double()
    squares = []
    for t in range(1, model.schedule.T + 1):
        time = torch.full((len(x_0),), t, device=x_0.device)
        x_t = model.q_sample(x_0, time, noise(t).double())
        squares.append(((model.predict_x_0(network, x_t, time) - x_0) ** 2).mean())
    # [−1, 1] is 255 grey values wide.
    return torch.stack(squares).sqrt() * 255 / 2


def rate_distortion(
    model: Diffusion, network: Network, x_0: Tensor, levels: int, noise: Callable[[int], Tensor]
) -> RateDistortion:
    """Both curves on these examples, averaged over the batch; takes what `Diffusion.bound` takes."""
    terms = model.bound(network, x_0, levels, noise)
    return RateDistortion(rate(terms, x_0[0].numel()).mean(dim=0), distortion(model, network, x_0, noise))
