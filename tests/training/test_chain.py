"""A chain too short for its β is told of, with the L_T that the data have and the β_T that mends it."""

import math
import re

import pytest
import torch
from small_run import SMALL, small

from ddpm_spec.data import Images
from ddpm_spec.runs.settings import Settings
from ddpm_spec.training.chain import LIMIT, too_short


def prior(betas: list[float], square: float) -> float:
    """L_T in bits/dim from its definition: KL(N(√ᾱ x_0, 1 − ᾱ) ‖ N(0, 1)), averaged over x_0."""
    bar = math.prod(1 - beta for beta in betas)
    return (bar * square - bar - math.log(1 - bar)) / 2 / math.log(2)


def process(**values) -> Settings:
    return small(process=values)


def linear(T: int, first: float, last: float) -> list[float]:
    return [first + (last - first) * t / (T - 1) for t in range(T)]


def square_of(images: Images) -> float:
    """Of the images that are looked at: 256, evenly spread."""
    chosen = torch.arange(256) * len(images.train) // 256
    return float((images.train[chosen].double() / 8 - 1).square().mean())


def test_the_papers_chain_is_long_enough(images):
    assert too_short(process(T=1000), images) == ""
    assert too_short(process(T=1000, schedule="cosine"), images) == ""


def test_twenty_steps_with_the_papers_beta(images):
    said = too_short(process(T=20), images)
    expected = prior(linear(20, 1e-4, 0.02), square_of(images))
    assert expected == pytest.approx(1.06, abs=0.02)
    assert said.startswith(f"L_T is {expected:.2g} bits/dim: after 20 steps")


@pytest.mark.parametrize("schedule", ["linear", "quadratic", "constant"])
@pytest.mark.parametrize("T", [8, 20, 300])
def test_the_beta_that_is_named_mends_it_and_a_smaller_one_does_not(images, schedule, T):
    values = {"T": T, "schedule": schedule} | (
        {"beta_1": 0.001, "beta_T": 0.001} if schedule == "constant" else {}
    )
    said = too_short(process(**values), images)
    beta = float(re.search(r"--beta-T (\S+) in the place", said)[1])

    def left(last: float) -> float:
        betas = {
            "linear": linear(T, 1e-4, last),
            "quadratic": [root**2 for root in linear(T, 1e-4**0.5, last**0.5)],
            "constant": [last] * T,
        }[schedule]
        return prior(betas, square_of(images))

    assert left(beta) <= LIMIT < left(beta - 10.0 ** (math.floor(math.log10(beta)) - 1) * 1.05)
    assert ("--beta-1" in said) is (schedule == "constant")
    mended = {"T": T, "schedule": schedule, "beta_T": beta} | (
        {"beta_1": beta} if schedule == "constant" else {}
    )
    assert too_short(process(**mended), images) == ""


def test_it_depends_on_the_data(images):
    """Data of mean square 1 leave more than digits; black ones leave nothing but the variance's part."""
    ones = Images("ones", 17, torch.full((300, 1, 8, 8), 16, dtype=torch.uint8), images.held_out)
    said = too_short(process(T=20), ones)
    assert said.startswith(f"L_T is {prior(linear(20, 1e-4, 0.02), 1.0):.2g} bits/dim")
    assert said != too_short(process(T=20), images)


def test_cosine_has_no_beta_to_name(images, monkeypatch):
    monkeypatch.setattr("ddpm_spec.training.chain.LIMIT", 0.0)
    said = too_short(process(T=4, schedule="cosine"), images)
    assert "noise; a larger --T than 4 brings it below 0" in said
    assert "beta" not in said
    assert SMALL.process.schedule == "linear"
