"""Algorithms 3 and 4 on a finite diffusion: a block of symbols to bits, and back from the bits alone."""

from typing import NamedTuple

import numpy as np

from ddpm_spec.coding.draws import Array, choose, look_up, read_index, write_index
from ddpm_spec.coding.finite import FiniteDiffusion

__all__ = ["Message", "measure", "receive", "send"]


class Message(NamedTuple):
    """What goes over the line."""

    bits: str
    """Zeros and ones; the receiver sees nothing else."""
    lengths: tuple[int, ...]
    """How many of them x_T, x_{T−1}, …, x_1 and x_0 took, for the sender's books."""


def send(chain: FiniteDiffusion, x_0: Array, seed: int) -> Message:
    """Algorithm 3: sends x_T ~ q(x_T | x_0), then each x_{t−1} ~ q(x_{t−1} | x_t, x_0), then x_0.

    `x_0`: a block of n grey levels as integers, shape (n,), sent together. What is sent last is not a draw
    but x_0 itself, by the same scheme with a q that is certain.
    """
    certain = np.eye(chain.decoder.shape[1])
    T = chain.T
    codes = []
    k, x_t = choose(chain.marginals[T][x_0], _prior(chain, len(x_0)), (seed, T + 1))
    codes.append(write_index(k))
    for t in range(T, 1, -1):
        k, x_t = choose(chain.posteriors[t][x_0, x_t], chain.reverse[t][x_t], (seed, t))
        codes.append(write_index(k))
    k, _ = choose(certain[x_0], chain.decoder[x_t], (seed, 1))
    codes.append(write_index(k))
    return Message("".join(codes), tuple(len(code) for code in codes))


def receive(chain: FiniteDiffusion, bits: str, n: int, seed: int) -> Array:
    """Algorithm 4: the block x_0, shape (n,), from the bits, p_θ and the shared seed.

    Raises:
        ValueError: if the bits end too early or go on after x_0.
    """
    T = chain.T
    k, at = read_index(bits, 0)
    x_t = look_up(k, _prior(chain, n), (seed, T + 1))
    for t in range(T, 1, -1):
        k, at = read_index(bits, at)
        x_t = look_up(k, chain.reverse[t][x_t], (seed, t))
    k, at = read_index(bits, at)
    if at != len(bits):
        raise ValueError(f"{len(bits) - at} bits are left after x_0")
    return look_up(k, chain.decoder[x_t], (seed, 1))


def measure(chain: FiniteDiffusion, n: int, blocks: int, seed: int) -> Array:
    """Sends blocks of n uniform grey levels and receives them: the lengths in bits, shape (blocks, T + 1).

    Raises:
        RuntimeError: if what was received is not what was sent.
    """
    data = np.random.default_rng(seed).integers(chain.decoder.shape[1], size=(blocks, n))
    lengths = []
    for number, x_0 in enumerate(data):
        message = send(chain, x_0, seed + 1 + number)
        if (receive(chain, message.bits, n, seed + 1 + number) != x_0).any():
            raise RuntimeError(f"block {number} did not arrive as it was sent")
        lengths.append(message.lengths)
    return np.array(lengths)


def _prior(chain: FiniteDiffusion, n: int) -> Array:
    return np.broadcast_to(chain.prior, (n, len(chain.prior)))
