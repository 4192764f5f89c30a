"""Whether the chain is long enough for its β: sampling starts from N(0, I), and q(x_T) must be near it."""

import dataclasses
import math

import torch

from ddpm_spec.data.images import Images, to_unit
from ddpm_spec.evaluation.bound import spread
from ddpm_spec.formulas.bound import bits_per_dim, prior_term
from ddpm_spec.runs.settings import Settings

__all__ = ["LIMIT", "too_short"]

LIMIT = 0.01
"""The largest L_T in bits/dim about which nothing is said. The paper's chain leaves 2e-5."""

LOOKED_AT = 256
"""Training images, evenly spread, whose mean square stands for that of all."""


def too_short(settings: Settings, images: Images) -> str:
    """What to say of a chain whose L_T is above the limit: how much that is, and what mends it; else nothing.

    L_T is that of the data at hand: it depends on them by their mean square alone.
    """
    chosen = spread(min(LOOKED_AT, len(images.train)), len(images.train))
    square = float(to_unit(images.train[chosen], images.levels).double().square().mean())
    now = _prior(settings, square)
    if now <= LIMIT:
        return ""
    p = settings.process
    remedy = f"a larger --T than {p.T}"
    if p.schedule != "cosine":
        beta = _enough(settings, square)
        both = f"--beta-1 {beta:g} and " if p.schedule == "constant" else ""
        remedy = f"{both}--beta-T {beta:g} in the place of {p.beta_T:g}, or {remedy}"
    return (
        f"L_T is {now:.2g} bits/dim: after {p.T} steps an image is not yet noise, but sampling starts from "
        f"noise; {remedy} brings it below {LIMIT:g}"
    )


def _with_beta(settings: Settings, beta: float) -> Settings:
    """The settings with this β_T, which a constant schedule has from the first step on."""
    p = settings.process
    first = beta if p.schedule == "constant" else p.beta_1
    return dataclasses.replace(settings, process=dataclasses.replace(p, beta_1=first, beta_T=beta))


def _prior(settings: Settings, square: float) -> float:
    """L_T in bits/dim of data with this mean square."""
    schedule = settings.diffusion().schedule
    x_0 = torch.tensor(math.sqrt(square), dtype=torch.float64)
    return float(bits_per_dim(prior_term(x_0, schedule.at(torch.tensor(schedule.T), like=x_0)), 1))


def _enough(settings: Settings, square: float) -> float:
    """The smallest β_T with an L_T within the limit, by bisection, rounded up to two digits."""
    low, high = settings.process.beta_T, 0.999
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if _prior(_with_beta(settings, middle), square) <= LIMIT else (middle, high)
    unit = 10.0 ** (math.floor(math.log10(high)) - 1)
    return min(round(math.ceil(high / unit) * unit, 6), 0.999)
