"""Randomness without state: every draw is a function of a key, and a key of what the draw is for.

A key is a 64-bit integer. `key(seed, stream, step, position)` names one example of one step; the
`n`-th number drawn from it is the n-th output of SplitMix64 (Steele, Lea and Flood 2014) started
there. So the numbers of row i do not depend on the other rows, on the device, on the number of
processes that share a batch, or on what was drawn before.
"""

import math
from typing import Any

import torch
from torch import Tensor

__all__ = ["bits", "fold", "normal", "row_keys", "uniform"]

Word = Any
"""64 bits: a tensor of int64, or a Python integer, for which one is as good as the other."""


def _signed(x: int) -> int:
    """A 64-bit constant as the signed integer with the same bits."""
    return x - (1 << 64) if x >> 63 else x


_GAMMA = _signed(0x9E3779B97F4A7C15)
_FIRST = _signed(0xBF58476D1CE4E5B9)
_SECOND = _signed(0x94D049BB133111EB)


def _wrapped(x: Word) -> Word:
    """The signed integer of 64 bits that is x modulo 2^64; a tensor wraps by itself."""
    return x if isinstance(x, Tensor) else _signed(x % (1 << 64))


def _shifted(x: Word, places: int) -> Word:
    """Logical right shift: signed integers are shifted arithmetically."""
    return (x >> places) & ((1 << (64 - places)) - 1)


def _mix(x: Word) -> Word:
    """The finaliser of SplitMix64, a bijection of 64-bit integers."""
    x = _wrapped((x ^ _shifted(x, 30)) * _FIRST)
    x = _wrapped((x ^ _shifted(x, 27)) * _SECOND)
    return x ^ _shifted(x, 31)


def fold(key: Word, number: Word) -> Word:
    """A key for `number` under `key`: int64 tensors, whose shapes broadcast, or integers that fit 64 bits."""
    return _mix(_wrapped(_mix(_wrapped(key + _GAMMA)) + number))


def row_keys(seed: int, stream: str, step: int, positions: Tensor) -> Tensor:
    """One key for each position of the global batch at this step.

    Args:
        seed: any integer that fits 64 bits.
        stream: what the numbers are for, so that two uses never share them.
        step: the training step, or the time t while sampling.
        positions: int64, shape (B,).
    """
    name = int.from_bytes(stream.encode()[:7].ljust(7, b"\0"), "big")
    # What all rows share is mixed as an integer: no kernel is launched for it.
    return fold(fold(fold(seed, name), step), positions)


def _multiples(count: int, device: torch.device) -> Tensor:
    """1, 2, …, `count` times γ, modulo 2^64: int64, shape (count,), for `count` < 2^26.

    It is added up from two parts of which no product overflows.

    `torch.compile` writes the loop in C++. There one product would overflow at each turn, which a compiler
    may take for the loop's end: GCC 12 then writes past the array. Both factors need more than 32 bits, since
    one that does not is multiplied as such.
    """
    high, low = divmod((_GAMMA % (1 << 64)) - (1 << 33), 1 << 28)
    index = torch.arange(1, count + 1, device=device)
    return ((index * high) << 28) + index * (low + (1 << 33))


def bits(keys: Tensor, count: int) -> Tensor:
    """`count` words of 64 random bits for each key: int64, shape (B, count)."""
    return _mix(keys[:, None] + _multiples(count, keys.device))


def uniform(keys: Tensor, count: int) -> Tensor:
    """Uniform numbers strictly between 0 and 1: float64, shape (B, count)."""
    return (_shifted(bits(keys, count), 11).double() + 0.5) * 2.0**-53


def normal(keys: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers by Box and Muller: float32, shape (B, *shape)."""
    count = math.prod(shape)
    half = -(-count // 2)
    first, second = uniform(keys, 2 * half).view(-1, 2, half).unbind(1)
    radius, angle = torch.sqrt(-2 * torch.log(first)), 2 * math.pi * second
    pair = torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)
    return pair[:, :count].reshape(-1, *shape).float()
