"""Sending one draw from q to a receiver who knows p, with shared randomness.

Both sides know a sequence x_1, x_2, … of draws from p and a Poisson process T_1 < T_2 < …; the sender
picks K, the index that minimises T_k / r(x_k) with r = q/p, and sends K; the receiver reads off x_K.

*Exact.* The points (x, T/r(x)) form a Poisson process of intensity q × Lebesgue, so its lowest point has
x_K ~ q, and its height Θ is Exp(1), independent of x_K.

*Length of the index.* Given x_K = x and Θ, the earlier points with T/r > Θ number Poisson(Θ m(x)),
m(x) = Σ_y p(y) (r(x) − r(y))₊ ≤ r(x), so K is geometric with mean 1 + m(x). From there on it is a derivation,
`proofs.coding.INDEX`: E log₂ K ≤ D + 1, with D = D_KL(q ‖ p) in bits.

*Length of the message.* Elias' δ code takes ⌊log₂ K⌋ + 2⌊log₂(⌊log₂ K⌋ + 1)⌋ + 1 bits and says where it
ends, so D ≤ E length ≤ `formulas.coding.message_length`(D); the two ends are `proofs.coding.AT_LEAST`, which
holds for every scheme, and `LENGTH`.
"""

import math
from typing import Any

import numpy as np

__all__ = [
    "Array",
    "bits_of",
    "choose",
    "divergence",
    "expected_length",
    "look_up",
    "read_index",
    "write_index",
]

Array = np.ndarray[Any, np.dtype[Any]]

_CHUNK = 256


def choose(q: Array, p: Array, seed: tuple[int, ...]) -> tuple[int, Array]:
    """The sender: the index K ≥ 1 and the block x_K ~ q.

    Args:
        q: the law to draw from, a row of probabilities for each of the n symbols, shape (n, S); the
            symbols are independent.
        p: the law that the receiver knows, same shape.
        seed: what both sides know; not to be used twice.

    Raises:
        ValueError: if q gives probability to a symbol that p excludes.
    """
    if (q[p == 0] > 0).any():
        raise ValueError("q gives probability to a symbol that p excludes, so no index may show it")
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.where(q > 0, np.log(q) - np.log(p), -np.inf)
    ceiling = log_ratio.max(axis=1).sum()
    symbols, times = _generators(seed)
    arrival, seen = 0.0, 0
    k, block, lowest = 0, np.empty(0, dtype=int), np.inf
    to_come = -np.inf  # no point that is still to come scores less
    while to_come < lowest:
        arrivals = arrival + np.cumsum(times.exponential(size=_CHUNK))
        blocks = _blocks(p, symbols.random((_CHUNK, len(p))))
        scores = np.log(arrivals) - log_ratio[np.arange(len(p)), blocks].sum(axis=1)
        best = int(scores.argmin())
        if scores[best] < lowest:
            k, block, lowest = seen + best + 1, blocks[best], float(scores[best])
        arrival, seen = float(arrivals[-1]), seen + _CHUNK
        to_come = math.log(arrival) - ceiling
    return k, block


def look_up(k: int, p: Array, seed: tuple[int, ...]) -> Array:
    """The receiver: x_K from K, p and the seed, shape (n,)."""
    symbols, _ = _generators(seed)
    return _blocks(p, symbols.random((k, len(p)))[-1:])[0]


def _generators(seed: tuple[int, ...]) -> tuple[np.random.Generator, np.random.Generator]:
    """One stream for the symbols, one for the arrival times."""
    return np.random.default_rng([*seed, 0]), np.random.default_rng([*seed, 1])


def _blocks(p: Array, uniform: Array) -> Array:
    """Blocks of symbols from uniform numbers (m, n), by the inverse of each row's cdf."""
    edges = np.cumsum(p, axis=1)
    edges[:, -1] = np.inf  # the sum of a row may be a rounding below 1
    return (uniform[:, :, None] >= edges).sum(axis=2)


def bits_of(k: int) -> int:
    """The length of `write_index(k)`."""
    digits = k.bit_length()
    return digits + 2 * digits.bit_length() - 2


def write_index(k: int) -> str:
    """Elias' δ code of k ≥ 1: the number of digits of the number of digits, in zeros, then both."""
    digits = k.bit_length()
    return "0" * (digits.bit_length() - 1) + f"{digits:b}" + f"{k:b}"[1:]


def read_index(bits: str, start: int) -> tuple[int, int]:
    """The index whose code begins at `start`, and where the next one begins.

    Raises:
        ValueError: if the bits end before the code does.
    """
    one = bits.find("1", start)
    end = 2 * one - start + 1
    if one < 0 or end > len(bits):
        raise ValueError(f"the message ends within the index that begins at bit {start}")
    stop = end + int(bits[one:end], 2) - 1
    if stop > len(bits):
        raise ValueError(f"the message ends within the index that begins at bit {start}")
    return int("1" + bits[end:stop], 2), stop


def divergence(q: Array, p: Array) -> Array:
    """D_KL(q ‖ p) in bits over the last axis."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms: Array = np.where(q > 0, q * (np.log2(q) - np.log2(p)), 0.0)
    return terms.sum(axis=-1)


def expected_length(q: Array, p: Array) -> float:
    """E length of the message for a single symbol, from the geometric law of K. `q`, `p`: (S,)."""
    shown = q > 0
    ratio = np.divide(q, p, out=np.zeros_like(q), where=shown)
    m = np.maximum(ratio[shown, None] - ratio, 0) @ p
    # P(K ≥ k) = (m/(1+m))^{k−1}; the length is constant between powers of two.
    with np.errstate(divide="ignore"):
        log_tail = -np.log1p(1 / m)
    total, j, tail = 0.0, 0, np.ones_like(m)
    while tail.max() > 1e-18:
        rest = np.exp(log_tail * (2 ** (j + 1) - 1))
        total += float(q[shown] @ (tail - rest)) * bits_of(2**j)
        j, tail = j + 1, rest
    return total
