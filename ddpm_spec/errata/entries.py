"""What the paper says and does not hold as printed, what it takes for granted, what its code does besides.

Each entry has a check that runs the formulas and measures what is said of it, and a control: the same
check where the matter does not arise. An entry counts only while its check shows it and its control
does not.

The paper is arXiv:2006.11239v2, the code its TensorFlow repository as of June 2020; of that code only
what it computes is stated here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from ddpm_spec.diffusion import Diffusion
from ddpm_spec.floors import table as floor_table
from ddpm_spec.formulas import (
    bound,
    decoder,
    floors,
    forward,
    gaussian,
    interpolation,
    objective,
    posterior,
    variance,
)
from ddpm_spec.formulas.step import Step
from ddpm_spec.schedule import Schedule, constant_schedule, linear_schedule
from ddpm_spec.unet import time_embedding

__all__ = ["ERRATA", "Erratum", "Finding"]

PAPER = linear_schedule()
AT = floor_table.steps(PAPER)
LEVELS = 256


@dataclass(frozen=True)
class Finding:
    """What a check measured."""

    shown: bool
    """The measurement is as the entry says."""
    facts: dict[str, float]
    """What was measured, by name."""


@dataclass(frozen=True)
class Erratum:
    """One slip, assumption or difference."""

    id: str
    kind: Literal["slip", "assumption", "difference"]
    """A slip of the paper's text, an assumption it does not state, or what the official code does besides."""
    where: str
    says: str
    """What is printed, or done."""
    holds: str
    """What is so."""
    check: Callable[[], Finding]
    control: Callable[[], Finding]
    """The same check where the matter does not arise; it must not show it."""


# ------------------------------------------------------------------------------------- slips, by section


def _first_posterior(alpha_bar_0: float) -> Finding:
    """Whether Eq. 7 at t = 1 gives the point x_0 with this ᾱ_0."""
    alpha_bar = forward.alpha_bar(AT[1].alpha, alpha_bar_0)
    at = Step(AT[1].beta, AT[1].alpha, alpha_bar, alpha_bar_0, 1 - alpha_bar, 1 - alpha_bar_0)
    mean, spread = posterior.posterior_mean(0.5, -2.0, at), posterior.posterior_variance(at)
    facts = {"mean of q(x_0 | x_1, x_0) at x_0 = 0.5": mean, "its variance": spread}
    return Finding(abs(mean - 0.5) < 1e-9 and spread == 0, facts)


def _first_variance(choice: Callable[[Step], float]) -> Finding:
    """Whether σ_1² of this choice leaves Eq. 13 and the weight of Eq. 12 undefined."""
    sigma_squared = choice(AT[1])
    undefined = 0
    for evaluate in (
        partial(objective.eps_weight, sigma_squared, AT[1]),
        partial(decoder.log_bin_probability, 0.1, 0.1, sigma_squared, LEVELS),
    ):
        try:
            evaluate()
        except ZeroDivisionError:
            undefined += 1
    return Finding(undefined == 2, {"σ_1²": sigma_squared, "formulas undefined": undefined})


def _mixed_latent(of: Callable[[float, Step], float]) -> Finding:
    """Whether the mix of these two is off the law of x_t already at λ = 0, where it should be x_t."""
    at, eps, x_0 = AT[500], 1.0, 0.5
    mixed = interpolation.mix(of(x_0, at), of(-x_0, at), 0.0)
    x_t = forward.q_sample(x_0, eps, at)
    return Finding(abs(mixed - x_t) > 1e-9, {"mix at λ = 0, t = 500": mixed, "x_t": x_t})


def _mixed_variance(weight: float) -> Finding:
    share = interpolation.mixed_noise(weight)
    return Finding(share < 1, {"λ": weight, "share of the noise's variance": share})


def _entropy_bound(data_variance: float) -> Finding:
    """Whether the best variance, and with it the entropy, lies above the “upper bound” β_t."""
    best = variance.optimal_variance(data_variance, AT[2])
    facts = {"data variance": data_variance, "σ*²/β at t = 2": best / AT[2].beta}
    return Finding(best > AT[2].beta * (1 + 1e-9), facts)


def _weights(schedule: Schedule) -> Finding:
    """Whether Eq. 12's weights rise again towards t = T."""
    weights = [objective.eps_weight(at.beta, at) for at in floor_table.steps(schedule)[2:]]
    least = min(range(len(weights)), key=weights.__getitem__)
    facts = {
        "t of the least": least + 2,
        "least": weights[least],
        "at t = 2": weights[0],
        "at T": weights[-1],
    }
    return Finding(weights[-1] > 1.5 * weights[least], facts)


def _density_error(levels: int) -> Finding:
    """What density times bin width leaves out with the paper's σ_1, in the middle of a bin, in bits."""
    width, x_0 = 2 / (levels - 1), 1 - 2 / (levels - 1) * (levels // 3)
    approximate = math.log(width) + gaussian.log_density(x_0, x_0, AT[1].beta)
    error = (approximate - decoder.log_bin_probability(x_0, x_0, AT[1].beta, levels)) / math.log(2)
    facts = {"δ/σ_1": width / 2 / math.sqrt(AT[1].beta), "error in bits/dim": error}
    return Finding(error > 0.01, facts)


def _edge_error(x_0: float) -> Finding:
    """The same at this level, with the mean on it; at an edge the bin is far larger than that."""
    width = 2 / (LEVELS - 1)
    approximate = math.log(width) + gaussian.log_density(x_0, x_0, AT[1].beta)
    error = (decoder.log_bin_probability(x_0, x_0, AT[1].beta, LEVELS) - approximate) / math.log(2)
    return Finding(error > 0.5, {"x_0": x_0, "bits too many by density times width": error})


# ------------------------------------------------------------------------------ what is taken for granted


def _data_variance(levels: int) -> Finding:
    """The variance of a uniform grey level scaled to [−1, 1]."""
    values = [2 * k / (levels - 1) - 1 for k in range(levels)]
    spread = sum(x * x for x in values) / levels
    return Finding(spread < 1 - 1e-9, {"levels": levels, "variance of the uniform law": spread})


def _growth(data_variance: float) -> Finding:
    """How the variance of x_t grows on the way to T in spite of the scaling."""
    ratio = variance.marginal_variance(data_variance, AT[1000]) / data_variance
    unscaled = data_variance
    for at in AT[1:]:
        unscaled = variance.unscaled_variance(unscaled, at)
    facts = {"data variance": data_variance, "V_T / V_0": ratio, "unscaled": unscaled / data_variance}
    return Finding(ratio > 1 + 1e-9, facts)


def _prior_range(moments: tuple[float, float]) -> Finding:
    """L_T in bits/dim at two second moments of the data."""
    bits = [bound.bits_per_dim(bound.prior_term(math.sqrt(m), AT[1000]), 1) for m in moments]
    facts = {f"L_T at E x_0² = {m}": b for m, b in zip(moments, bits, strict=True)}
    return Finding(max(bits) > 10 * min(bits), facts)


def _constant(sigma_squared: Callable[[Step], float]) -> Finding:
    """C of Eq. 8 over t = 2..T against that of σ_t² = β̃_t, which is 0."""
    total = sum(floors.step_floor(sigma_squared(at), at) for at in AT[2:])
    return Finding(total > 0.01, {"ΣC in bits/dim": total / math.log(2)})


def _shown_image(t: int) -> Finding:
    """Whether a step of Algorithm 2 ignores its noise, so that what it gives is no draw of p_θ."""
    x, model = torch.zeros(1, 1, 1, 1, dtype=torch.float64), Diffusion(PAPER)
    moved = model.p_sample(_zero, x, t, x + 1) - model.p_sample(_zero, x, t, x)
    return Finding(moved.item() == 0, {"t": t, "effect of z = 1": moved.item()})


def _sum_or_mean(dims: int) -> Finding:
    """Eq. 14's norm against the loss that is trained, a mean over coordinates."""
    x_0 = torch.zeros(1, 1, 1, dims, dtype=torch.float64)
    eps = torch.ones_like(x_0)
    mean = Diffusion(PAPER).loss(_zero, x_0, torch.tensor([1]), eps).item()
    norm = objective.simple_loss(eps, torch.zeros_like(eps)).sum().item()
    return Finding(norm != mean, {"D": dims, "‖ε − ε_θ‖² / loss": norm / mean})


# ------------------------------------------------------------------ what the official code does besides


def _clip(x_0: float) -> Finding:
    """The mean of Algorithm 2 against the official one, for a prediction x̂_0."""
    x_t, t = torch.full((1, 1, 1, 1), 0.3, dtype=torch.float64), torch.tensor([500])
    at = AT[500]
    eps = (x_t - math.sqrt(at.alpha_bar) * x_0) / math.sqrt(at.one_minus_alpha_bar)
    means = {
        convention: Diffusion(PAPER, convention=convention).reverse_law(lambda x, t: eps, x_t, t)[0].item()
        for convention in ("paper", "official")
    }
    facts = {"x̂_0": x_0, "mean of Algorithm 2": means["paper"], "with the clip": means["official"]}
    return Finding(abs(means["paper"] - means["official"]) > 1e-9, facts)


def _official_variance(choice: Literal["beta", "beta_tilde"]) -> Finding:
    """The floor of a pixel inside under the paper's σ_1² and the official one."""
    found = {f.convention: f for f in floor_table.of_schedule(PAPER) if f.variance == choice}
    facts = {f"floor of a pixel, {name}, in bits": f.inside for name, f in found.items()}
    facts |= {f"σ_1², {name}": f.variance_1 for name, f in found.items()}
    return Finding(found["paper"].inside - found["official"].inside > 0.1, facts)


def _cdf_error(cdf: Callable[[float], float]) -> Finding:
    """The largest distance of this cdf from the normal one on a fine grid."""
    grid = [k / 1000 for k in range(-5000, 5001)]
    worst = max(abs(cdf(x) - math.erfc(-x / math.sqrt(2)) / 2) for x in grid)
    return Finding(worst > 1e-6, {"largest error": worst})


def _normal_cdf(x: float) -> float:
    return torch.special.ndtr(torch.tensor(x, dtype=torch.float64)).item()


def _total_probability(log_probability: Callable[..., Tensor]) -> Finding:
    """By how much the probabilities of all 256 levels exceed one."""
    grid = torch.arange(LEVELS, dtype=torch.float64) * 2 / (LEVELS - 1) - 1
    tilde_2 = posterior.posterior_variance(AT[2])
    logs = log_probability(grid, torch.zeros_like(grid), torch.full_like(grid, tilde_2), LEVELS)
    excess = logs.exp().sum().item() - 1
    return Finding(
        excess > 1e-12, {"Σp − 1": excess, "largest cost in bits": -logs.min().item() / math.log(2)}
    )


def _images(images: int, batch: int) -> Finding:
    """How many images are left when a last batch that is not full is dropped."""
    used = len([k for k in range(0, images, batch) if k + batch <= images]) * batch
    return Finding(used != images, {"images": images, "used": used})


def _first_update(lr: float) -> Finding:
    """Whether Adam's first step at this rate leaves the parameter where it was."""
    moved = _adam([1.0], lr)
    return Finding(moved == 0, {"lr": lr, "moved by": moved})


def _clipped_gradients(gradients: list[float]) -> Finding:
    """Adam's path with and without a clip of the gradient's norm to 1."""
    plain, clipped = _adam(gradients, 2e-4), _adam([max(-1.0, min(1.0, g)) for g in gradients], 2e-4)
    return Finding(plain != clipped, {"moved by": plain, "with the clip": clipped})


def _adam(gradients: list[float], lr: float) -> float:
    parameter = torch.zeros(1, dtype=torch.float64)
    optimizer = torch.optim.Adam([parameter], lr=lr)
    for gradient in gradients:
        parameter.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
    return parameter.item()


def _embedding(t: int) -> Finding:
    """Whether the network's embedding of t is that of zero: every sine 0."""
    sines = time_embedding(torch.tensor([t]), 8)[0, :4].abs().max().item()
    return Finding(sines == 0, {"t": t, "largest sine": sines})


def _zero(x: Tensor, t: Tensor) -> Tensor:
    return torch.zeros_like(x)


def _beta(at: Step) -> float:
    value: float = forward.q_step_variance(at)
    return value


def _beta_tilde(at: Step) -> float:
    value: float = posterior.posterior_variance(at)
    return value


ERRATA: tuple[Erratum, ...] = (
    Erratum(
        "alpha-bar-0",
        "slip",
        "§2, Eq. 7",
        "ᾱ_t is defined for t = 1..T, and Eq. 7 at t = 1 uses ᾱ_0.",
        "ᾱ_0 = 1, the empty product: then q(x_0 | x_1, x_0) is the point x_0. Any other value is wrong.",
        partial(_first_posterior, 1.0),
        partial(_first_posterior, 0.99),
    ),
    Erratum(
        "sigma-1",
        "slip",
        "§3.2 and §3.3",
        "σ_t² = β̃_t is offered for all t.",
        "β̃_1 = 0: Eq. 13 divides by 0 and the weight of Eq. 12 is infinite at t = 1. Another σ_1² is needed.",
        partial(_first_variance, _beta_tilde),
        partial(_first_variance, _beta),
    ),
    Erratum(
        "mixed-latent",
        "slip",
        "§4.4",
        "The interpolated latent is printed as (1 − λ) x_0 + λ x_0′.",
        "The latents x_t and x_t′ are mixed; with x_0 the mix is no x_t, not even at λ = 0.",
        partial(_mixed_latent, lambda x_0, at: x_0),
        partial(_mixed_latent, lambda x_0, at: forward.q_sample(x_0, 1.0, at)),
    ),
    Erratum(
        "mixed-variance",
        "assumption",
        "§4.4",
        "The mixed latent is decoded like an x_t.",
        "The noise of a mix of independent latents has (1 − λ)² + λ² of its variance: half at λ = ½.",
        partial(_mixed_variance, 0.5),
        partial(_mixed_variance, 0.0),
    ),
    Erratum(
        "entropy-bounds",
        "assumption",
        "§3.2",
        "β_t and β̃_t bound the entropy of the reverse process for data of unit variance.",
        "They do for variance up to 1, of any law. Above 1 the upper one fails: N(0, v) needs "
        "β_t V_{t−1}/V_t, up to β_t/α_t.",
        partial(_entropy_bound, 2.0),
        partial(_entropy_bound, 0.5),
    ),
    Erratum(
        "weights",
        "assumption",
        "§3.4",
        "Eq. 14 down-weights the terms of small t.",
        "The weights it drops fall until t = 349 and then double again, so beside those around it the terms "
        "of the largest t are down-weighted too.",
        partial(_weights, PAPER),
        partial(_weights, constant_schedule()),
    ),
    Erratum(
        "density-for-integral",
        "assumption",
        "§3.4",
        "At t = 1 the integral of Eq. 13 is taken as density times bin width.",
        "δ/σ_1 is 0.39, not small: up to r²/6 = 0.037 bits/dim are lost in the middle of a bin.",
        partial(_density_error, LEVELS),
        partial(_density_error, 10 * LEVELS),
    ),
    Erratum(
        "edge-bins",
        "assumption",
        "§3.4",
        "Edge effects are ignored in that step.",
        "At ±1 the bin is a half-line; density times width charges 1.06 bits too many with the mean there.",
        partial(_edge_error, 1.0),
        partial(_edge_error, 2 * 100 / 255 - 1),
    ),
    Erratum(
        "unit-variance",
        "assumption",
        "§3.2",
        "The bounds on the entropy are for data with coordinatewise unit variance.",
        "Data scaled to [−1, 1] have at most that, and only if they are all at ±1; uniform grey levels "
        "have 0.34. The bounds hold all the same.",
        partial(_data_variance, LEVELS),
        partial(_data_variance, 2),
    ),
    Erratum(
        "variance-grows",
        "assumption",
        "App. C",
        "Scaling by √(1−β_t) keeps the variance from growing.",
        "It keeps unit variance. Image data have less, and theirs grows to 1, threefold for uniform grey "
        "levels; without the scaling it would grow by Σβ_t = 10.05.",
        partial(_growth, (LEVELS + 1) / (3 * (LEVELS - 1))),
        partial(_growth, 1.0),
    ),
    Erratum(
        "prior-term",
        "assumption",
        "§4",
        "L_T is about 10⁻⁵ bits/dim.",
        "It is linear in E x_0²: 5.9e-10 at 0, 2.9e-5 at 1.",
        partial(_prior_range, (0.0, 1.0)),
        partial(_prior_range, (0.25, 0.5)),
    ),
    Erratum(
        "constant-of-eq-8",
        "assumption",
        "§3.2, Eq. 8",
        "C is a constant that does not depend on θ.",
        "It depends on σ_t²: for β_t it is 0.49 bits/dim in all, for β̃_t 0. Two choices of σ_t² cannot be "
        "compared without it.",
        partial(_constant, _beta),
        partial(_constant, _beta_tilde),
    ),
    Erratum(
        "shown-image",
        "assumption",
        "§3.2, Algorithm 2",
        "Samples are shown without the noise of the last step.",
        "So they are no draws of the p_θ(x_0) whose codelength is reported.",
        partial(_shown_image, 1),
        partial(_shown_image, 2),
    ),
    Erratum(
        "sum-or-mean",
        "difference",
        "§3.4, Eq. 14",
        "The loss is a norm, a sum over the D coordinates.",
        "The code trains the mean: Eq. 14 divided by D = 3072.",
        partial(_sum_or_mean, 3072),
        partial(_sum_or_mean, 1),
    ),
    Erratum(
        "clip",
        "difference",
        "§3.2, Algorithm 2",
        "Algorithm 2 and Eq. 11 have no clip.",
        "The code clips the implied x̂_0 to [−1, 1] in sampling and in the bound.",
        partial(_clip, 3.0),
        partial(_clip, 0.5),
    ),
    Erratum(
        "official-sigma-1",
        "difference",
        "§3.3",
        "σ_1² = β_1 = 1e-4 where σ_t² = β_t.",
        "The code uses β̃_2 = 5.45e-5 in the decoder, whose least cost a pixel inside falls from 1.71 to 1.31 "
        "bits.",
        partial(_official_variance, "beta"),
        partial(_official_variance, "beta_tilde"),
    ),
    Erratum(
        "tanh-cdf",
        "difference",
        "§3.3, Eq. 13",
        "Each bin is the integral of a normal density.",
        "The code takes a tanh for the normal cdf, off by up to 1.8e-4.",
        partial(_cdf_error, decoder.tanh_cdf),
        partial(_cdf_error, _normal_cdf),
    ),
    Erratum(
        "least-probability",
        "difference",
        "§3.3",
        "The bound is a codelength.",
        "The code raises every probability to 1e-12 at least, so that they sum to more than one and no pixel "
        "costs more than 39.9 bits: its number is not strictly a bound.",
        partial(_total_probability, decoder.log_bin_probability_tanh),
        partial(_total_probability, decoder.log_bin_probability),
    ),
    Erratum(
        "test-images",
        "difference",
        "§4, Table 1",
        "Codelengths are of the CIFAR10 test set.",
        "Batches of 256 with the rest dropped are 9,984 of its 10,000 images.",
        partial(_images, 10_000, 256),
        partial(_images, 10_000, 250),
    ),
    Erratum(
        "warm-up",
        "difference",
        "App. B",
        "The learning rate is 2e-4.",
        "The code raises it linearly over 5,000 steps, from 0: the first update moves nothing.",
        partial(_first_update, 0.0),
        partial(_first_update, 2e-4),
    ),
    Erratum(
        "gradient-clip",
        "difference",
        "App. B",
        "Adam with its standard values.",
        "The code clips the gradient's norm to 1 first, which changes Adam's path wherever one is larger.",
        partial(_clipped_gradients, [10.0, 0.1]),
        partial(_clipped_gradients, [0.9, 0.1]),
    ),
    Erratum(
        "time-from-0",
        "difference",
        "§3.2, Algorithm 1",
        "t runs from 1 to T.",
        "The code's network sees t − 1, so that its first step is embedded as 0.",
        partial(_embedding, 1),
        partial(_embedding, 2),
    ),
)
"""Every entry: slips and assumptions of the paper by section, then what the code does besides."""


def show() -> None:
    """Print every entry with what its check measures now."""
    for erratum in ERRATA:
        finding = erratum.check()
        print(f"{erratum.id} ({erratum.kind}, {erratum.where}): {'shown' if finding.shown else 'NOT SHOWN'}")
        print(f"  says   {erratum.says}\n  holds  {erratum.holds}")
        print(
            "  found  " + "; ".join(f"{name} = {value:.6g}" for name, value in finding.facts.items()) + "\n"
        )
