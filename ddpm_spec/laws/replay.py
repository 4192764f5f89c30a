"""Noise that is drawn inside a call: the generators are forked and seeded, and the noise is drawn once more.

Nothing of theirs is patched. A call is made under a seed, the same seed is set again, and what the generator
then gives is the noise that the call has used, if it drew an array of the shape of its result. How the result
depends on the noise is measured with several seeds. If it is not affine in what was drawn, that is an error.
"""

import contextlib
import random
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from ddpm_spec.laws.protocol import Array, Precision

__all__ = ["at_noise", "seeded"]

_SEEDS = (11, 12, 13, 14, 15, 16)
_DRAWS = ("numpy", "torch in its precision", "torch in float32")


def _torch() -> Any:
    """PyTorch, if they have imported it; the laws do without."""
    return sys.modules.get("torch")


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators of PyTorch (on the CPU), NumPy and Python, and put them back afterwards."""
    numpys, pythons = np.random.get_state(), random.getstate()  # noqa: NPY002 # theirs, not ours
    torch = _torch()
    with torch.random.fork_rng(devices=[]) if torch else contextlib.nullcontext():
        if torch:
            torch.default_generator.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpys)  # noqa: NPY002
            random.setstate(pythons)


@lru_cache(maxsize=256)
def _drawn(way: str, shape: tuple[int, ...], precision: Precision, seed: int) -> Array:
    """What a call under this seed gets if it draws first of all, and in this way; the examples flat."""
    with seeded(seed):
        if way == "numpy":
            noise = np.random.standard_normal(shape)  # noqa: NPY002
        else:
            torch = _torch()
            dtype = torch.float32 if way == "torch in float32" else getattr(torch, precision)
            noise = torch.randn(*shape, dtype=dtype).double().numpy()
    return noise.reshape(len(noise), -1)


def at_noise(
    call: Callable[[int], Array], z: Array, shape: tuple[int, ...], precision: Precision, unit: float
) -> Array:
    """What a call that draws its own noise would have returned for the noise z.

    Args:
        call: makes the call under the seed that it is given; the result has the shape of z.
        z: the noise, (B, D).
        shape: of one example.
        precision: of the arithmetic; noise is drawn in it, or in float32, or by NumPy.
        unit: the largest relative error of rounding once.

    Raises:
        ValueError: if the generator's replay does not explain what differs between two seeds.
    """
    first, second = call(_SEEDS[0]), call(_SEEDS[1])
    if np.array_equal(first, second, equal_nan=True) or not np.isfinite(first + second).all():
        return first
    for way in _DRAWS if _torch() else _DRAWS[:1]:
        low, high = (_drawn(way, (len(z), *shape), precision, seed) for seed in _SEEDS[:2])
        factor = float(((second - first) * (high - low)).sum() / ((high - low) ** 2).sum())
        missed = np.abs(second - first - factor * (high - low)).max()
        # A result is off by a rounding of its size, and by a few of the noise that is added last.
        if missed <= 16 * unit * max(np.abs(first).max(), np.abs(second).max()):
            return first + factor * (z - low)
    # Each number may have a factor of its own, as with a learned variance. It takes more seeds to tell.
    results = np.stack([first, second, *map(call, _SEEDS[2:])])
    for way in _DRAWS if _torch() else _DRAWS[:1]:
        noise = np.stack([_drawn(way, (len(z), *shape), precision, seed) for seed in _SEEDS])
        centred, moved = noise - noise.mean(axis=0), results - results.mean(axis=0)
        factors = (centred * moved).sum(axis=0) / (centred**2).sum(axis=0)
        if np.abs(moved - factors * centred).max() <= 32 * unit * np.abs(results).max():
            return results.mean(axis=0) + factors * (z - noise.mean(axis=0))
    raise ValueError(
        "it draws noise of its own that a replay of the global generators does not explain; "
        "let the adapter take the noise z, or make it draw one array of noise in the shape of x_t"
    )
