"""Which sampler, in how many steps: what diffusers' schedulers make of a perfect network.

For somebody who has trained a DDPM and opens it in diffusers. The network is the exact denoiser of data that
are known, so whatever is wrong with the samples is the sampler's doing: for two Gaussians and for two points,
with each spacing of the times, in few steps and in many.

A sampler without noise of its own is a function of x_T, so its mean and deviation are integrals over N(0, 1).
A sampler that draws noise is run on many examples, and the standard error is stated.
"""

import copy
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from ddpm_spec.laws.protocol import Array

__all__ = ["COUNTS", "DATA", "SPACINGS", "Row", "rows", "write"]

COUNTS = (10, 20, 25, 50, 61, 100, 103, 250, 501, 999, 1000)
"""Numbers of steps: usual ones, those of the whole chain, and odd ones."""
SPACINGS = ("leading", "linspace", "trailing")

_SAMPLES = 2**15


@dataclass(frozen=True)
class Data:
    """A law of data whose best denoiser is known."""

    name: str
    mean: float
    deviation: float
    x_0: Callable[[Array, float, float], Array]
    """E[x_0 | x_t], from x_t, √ᾱ_t and √(1 − ᾱ_t)."""


def _normal(mean: float, deviation: float) -> Data:
    def x_0(x_t: Array, signal: float, noise: float) -> Array:
        gain = signal * deviation**2 / (signal**2 * deviation**2 + noise**2)
        return mean + gain * (x_t - signal * mean)

    return Data(f"N({mean:g}, {deviation:g}²)", mean, deviation, x_0)


def _two_points(place: float) -> Data:
    def x_0(x_t: Array, signal: float, noise: float) -> Array:
        answer: Array = place * np.tanh(signal * place * x_t / max(noise**2, 1e-12))
        return answer

    return Data(f"±{place:g}", 0.0, place, x_0)


DATA = (_normal(0.0, 0.5), _normal(0.3, 0.2), _two_points(0.5))


@dataclass(frozen=True)
class Row:
    """What one scheduler makes in so many steps."""

    scheduler: str
    spacing: str
    steps: int
    data: str
    mean: float | None = None
    deviation: float | None = None
    """Of the samples."""
    error: float = 0.0
    """The standard error of both, 0 where nothing is drawn."""
    why: str = ""
    """What was raised, or why there is no number."""


def rows(schedulers: tuple[str, ...], spacings: tuple[str, ...] = SPACINGS) -> Iterator[Row]:
    """Every scheduler with every spacing, in every number of steps, for every law of data."""
    import diffusers

    stored = diffusers.DDPMScheduler(clip_sample=False).config
    for name in schedulers:
        for spacing in spacings:
            for steps in COUNTS:
                for data in DATA:
                    try:
                        with warnings.catch_warnings():
                            warnings.simplefilter("ignore")  # about options that another class has
                            made = getattr(diffusers, name).from_config(stored, timestep_spacing=spacing)
                            mean, deviation, error = moments(made, steps, data)
                    except Exception as raised:  # what a user gets to see
                        why = f"{type(raised).__name__}: {str(raised).splitlines()[0] if str(raised) else ''}"
                        yield Row(name, spacing, steps, data.name, why=why)
                        continue
                    if np.isfinite(mean + deviation):
                        yield Row(name, spacing, steps, data.name, mean, deviation, error)
                    else:
                        yield Row(name, spacing, steps, data.name, why="not a number")


def moments(scheduler: Any, steps: int, data: Data) -> tuple[float, float, float]:
    """Mean and deviation of a scheduler's samples for the best network, and their standard error."""
    few = quantiles(64)
    first, second = (run(scheduler, steps, data, few, seed) for seed in (1, 2))
    drawn = not np.array_equal(first, second, equal_nan=True)
    x_T = quantiles(_SAMPLES if drawn else 2048)
    x_0 = run(scheduler, steps, data, x_T, 3)
    mean, deviation = float(x_0.mean()), float(x_0.std())
    return mean, deviation, deviation / np.sqrt(2 * len(x_0)) if drawn else 0.0


def quantiles(count: int) -> Array:
    """Numbers that stand for N(0, 1), one from the middle of each of so many equal parts, with variance 1."""
    normal = NormalDist()
    half = np.array([normal.inv_cdf((k + 0.5) / count) for k in range(count // 2)])
    numbers = np.concatenate([half, -half])
    return numbers / numbers.std()


def run(scheduler: Any, steps: int, data: Data, x_T: Array, seed: int) -> Array:
    """The samples that a fresh copy of a scheduler makes, from these x_T."""
    import torch

    scheduler = copy.deepcopy(scheduler)
    scheduler.set_timesteps(steps)
    bars = scheduler.alphas_cumprod.double().numpy()
    ratios = np.sqrt((1 - bars) / bars)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        x = torch.from_numpy(x_T).float()[:, None, None, None] * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            scaled = scheduler.scale_model_input(x, t)
            # Between two times the level of noise is interpolated, as these schedulers do.
            ratio = float(np.interp(float(t), np.arange(len(ratios)), ratios))
            signal, noise = 1 / np.sqrt(1 + ratio**2), ratio / np.sqrt(1 + ratio**2)
            x_t = scaled.double().numpy()
            eps = (x_t - signal * data.x_0(x_t, signal, noise)) / noise
            x = scheduler.step(torch.from_numpy(eps).float(), t, x).prev_sample
    answer: Array = x.double().numpy().ravel()
    return answer


def write(file: Path, found: list[Row], version: str) -> None:
    """Keep what was found, with the version of diffusers."""
    text = json.dumps({"diffusers": version, "rows": [asdict(row) for row in found]}, ensure_ascii=False)
    new = file.with_name(f".{file.name}.new")
    new.write_text(text.replace("}, {", "},\n{") + "\n", encoding="utf-8")
    new.replace(file)
