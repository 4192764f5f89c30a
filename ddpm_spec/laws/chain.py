"""A whole sampler as an affine map of its noise, and the moments of what it makes.

For Gaussian data the best denoiser is affine. Then the finished image is affine in x_T and in the noise of
each step, also where a step remembers the steps before it, and its mean and variance are exact sums.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ddpm_spec.laws.protocol import Array, Network

__all__ = ["Chain", "Response", "respond"]

_SIZE = 0.5
"""Of what is put in, so that x̂_0 stays within [−1, 1] and clipping plays no part."""


@dataclass(frozen=True)
class Chain:
    """A sampler as the laws see it, to be run once and in order: rows of float64, times from 1."""

    times: tuple[int, ...]
    """The times at which the network is asked."""
    step: Callable[[Network, Array, int, Array], Array]
    """step(network, x_t, k, z) goes from times[k] to times[k + 1], or to the image from the last."""

    def next(self, k: int) -> int:
        """The time to which step k goes; 0 is the image."""
        return self.times[k + 1] if k + 1 < len(self.times) else 0


@dataclass(frozen=True)
class Response:
    """How one coordinate of the finished image depends on what went into it."""

    mean: float
    """The image where x_T and all noise are 0: the mean of the samples."""
    factors: Array
    """Of x_T and of the noise of each step, in order."""
    residual: float
    """How far two runs with everything put in at once are from the sum of the parts: 0 if it is affine."""

    @property
    def variance(self) -> float:
        """Of the samples, where x_T and the noise are independent and have variance 1."""
        return float((self.factors**2).sum())


def respond(chain: Chain, network: Network, dim: int) -> Response:
    """Run a chain once, in one batch: each coordinate of each example gets one of the inputs alone.

    Coordinates do not see each other, so D of them are as good as D examples. For K steps it costs one chain
    of (K + 4)/D examples.

    Args:
        chain: the sampler.
        network: an affine denoiser, the same for all coordinates.
        dim: D, the numbers in an example.
    """
    steps = len(chain.times)
    count = steps + 4
    rows = -(-count // dim)
    # The last two get everything at once, in proportions that are all different.
    mixed = _SIZE * np.cos(np.outer([1.0, 2.0**0.5], 1 + np.arange(steps + 1)))

    def inputs(j: int) -> Array:
        numbers = np.zeros(rows * dim)
        numbers[1 + j] = _SIZE
        numbers[steps + 2 : count] = mixed[:, j]
        return numbers.reshape(rows, dim)

    x = inputs(0)
    for k in range(steps):
        x = chain.step(network, x, k, inputs(k + 1))
    images = x.ravel()
    factors = (images[1 : steps + 2] - images[0]) / _SIZE
    sums = images[0] + mixed @ factors
    return Response(float(images[0]), factors, float(np.abs(images[steps + 2 : count] - sums).max()))
