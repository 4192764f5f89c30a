"""The floors of the bound for a schedule, beside what the paper reports.

A floor is a lower bound that holds for every network (`formulas.floors`). It is not an overhead: the
exact denoiser of unit normal data pays the mutual information of x_0 and x_1, floor included.
"""

from dataclasses import dataclass

import torch

from ddpm_spec.formulas import bound, decoder, floors, posterior, variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.schedule import Schedule, linear_schedule

__all__ = ["Floors", "information", "of_schedule", "rate_of_unit_normal", "steps"]

PAPER_RATE, PAPER_DISTORTION = 1.78, 1.97
"""What §4.3 reports for CIFAR10, in bits/dim."""


@dataclass(frozen=True)
class Floors:
    """The least cost of a coordinate under one choice of variance and convention, in bits."""

    convention: str
    variance: str
    """Of the steps t = 2..T."""
    variance_1: float
    """σ_1², which the decoder uses."""
    rate: float
    """Σ L_{t−1} over t = 2..T."""
    prior: float
    """L_T, at x_0 = 0."""
    inside: float
    """L_0 of a pixel that is neither the smallest nor the largest level."""
    edge: float
    """L_0 of a pixel at the smallest or largest level."""


def steps(schedule: Schedule) -> list[Step]:
    """The float64 quantities of t = 0..T as plain numbers; index 0 is a placeholder."""
    return [Step(*row) for row in torch.stack(list(schedule.steps), dim=1).tolist()]


def of_schedule(schedule: Schedule, levels: int = 256) -> list[Floors]:
    """The floors under both conventions and both of the paper's variances.

    `levels` grey levels, at least 3. At t = 1, where β̃_1 = 0, β̃_2 stands in; by the official
    convention it does so for σ² = β too.
    """
    _, first, second, *_ = at = steps(schedule)
    tilde_2 = posterior.posterior_variance(second)
    sums = {
        "beta": sum(floors.step_floor(step.beta, step) for step in at[2:]),
        "beta_tilde": sum(floors.step_floor(posterior.posterior_variance(step), step) for step in at[2:]),
    }
    prior = _bits(bound.prior_term(0.0, at[-1]))
    found = []
    for name, rate in sums.items():
        variance_1 = first.beta if name == "beta" else tilde_2
        inside = _bits(floors.interior_floor(variance_1, levels))
        found.append(Floors("paper", name, variance_1, _bits(rate), prior, inside, 0.0))
        inside = _bits(-decoder.log_bin_probability_tanh(0.0, 0.0, tilde_2, levels))
        edge = _bits(-decoder.log_bin_probability_tanh(1.0, 1.0, tilde_2, levels))
        found.append(Floors("official", name, tilde_2, _bits(rate), prior, inside, edge))
    return found


def rate_of_unit_normal(schedule: Schedule) -> float:
    """L_1 + … + L_T of N(0, I) under the exact denoiser with σ_t² = β_t, in bits a coordinate."""
    at = steps(schedule)
    terms = (variance.best_step_term(variance.optimal_variance(1.0, step), step) for step in at[2:])
    return _bits(sum(terms) + bound.prior_term(1.0, at[-1]))


def information(schedule: Schedule) -> float:
    """I(x_0; x_1) of x_0 ~ N(0, I), in bits a coordinate: half the logarithm of 1/β_1."""
    first = schedule.steps.one_minus_alpha_bar[1]
    return _bits(-torch.log(first).item() / 2)


def _bits(nats: float) -> float:
    value: float = bound.bits_per_dim(nats, 1)
    return value


def show() -> None:
    """Print the floors of the paper's schedule."""
    schedule = linear_schedule()
    print("Floors in bits/dim: T = 1000, β linear from 1e-4 to 0.02, 256 levels\n")
    print("convention  variance    σ_1²        rate    pixel inside  pixel at an edge")
    for floor in of_schedule(schedule):
        print(
            f"{floor.convention:<10}  {floor.variance:<10}  {floor.variance_1:.3e}  "
            f"{floor.rate:6.4f}  {floor.inside:12.4f}  {floor.edge:16.4f}"
        )
    print(f"\nL_T is at least {of_schedule(schedule)[0].prior:.1e}.")
    print(f"The paper reports a rate of {PAPER_RATE} and a distortion of {PAPER_DISTORTION} (CIFAR10, §4.3).")
    print(
        f"N(0, I) under the exact denoiser pays a rate of {rate_of_unit_normal(schedule):.4f}; "
        f"I(x_0; x_1) is {information(schedule):.4f}."
    )
