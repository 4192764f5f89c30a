"""The numbers that stand in the prose, each computed anew and set into its sentence as it is printed."""

import json
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from ddpm_spec.coding.commands import coding as print_lengths
from ddpm_spec.data import load
from ddpm_spec.evaluation.quality import Judge
from ddpm_spec.floors import table as floor_table
from ddpm_spec.floors.table import PAPER_DISTORTION, PAPER_RATE, Floors
from ddpm_spec.followups.diffusion_limit import limit_alpha_bar
from ddpm_spec.formulas import bound, floors, forward, interpolation, objective, posterior, variance
from ddpm_spec.oracles.gaussian import GaussianData
from ddpm_spec.proofs.decoder import LOWER
from ddpm_spec.runs.presets import preset
from ddpm_spec.schedule import Schedule, cosine_schedule, evenly, linear_schedule

ROOT = Path(__file__).parents[1]
PAPER = linear_schedule()
AT = floor_table.steps(PAPER)
T = PAPER.T


def power(x: float, digits: int = 1) -> str:
    r"""A number as 5.9\cdot10^{-10}."""
    mantissa, exponent = f"{x:.{digits}e}".split("e")
    return rf"{mantissa}\cdot10^{{{int(exponent)}}}"


def prior(second_moment: float) -> float:
    """L_T in bits/dim for this mean of x_0²."""
    return bound.bits_per_dim(bound.prior_term(math.sqrt(second_moment), AT[T]), 1)


def ratio(t: int) -> float:
    """β̃_t / β_t."""
    return posterior.posterior_variance(AT[t]) / AT[t].beta


@cache
def weights(choice: str) -> dict[int, float]:
    """The weight of Eq. 12 for each t that has one."""
    sigmas = {"beta": forward.q_step_variance, "beta_tilde": posterior.posterior_variance}
    first = 1 if choice == "beta" else 2
    return {t: objective.eps_weight(sigmas[choice](AT[t]), AT[t]) for t in range(first, T + 1)}


@cache
def table() -> dict[tuple[str, str], Floors]:
    return {(row.convention, row.variance): row for row in floor_table.of_schedule(PAPER)}


def early_share() -> float:
    """The part of ΣC for σ² = β that the steps up to t = 50 make."""
    parts = [floors.step_floor(AT[t].beta, AT[t]) for t in range(2, T + 1)]
    return sum(parts[: 50 - 1]) / sum(parts)


def relative_width(levels: int) -> float:
    """r²/6 of claim C6, by its derivation."""
    (r,) = LOWER.end.term.value.free_symbols
    return -float(LOWER.end.term.value.subs(r, 1 / (levels - 1) / math.sqrt(AT[1].beta)))


def least_loss(v: float) -> float:
    return sum(floors.loss_floor(v, AT[t]) for t in range(1, T + 1)) / T


def growth() -> float:
    """What the variance gains where nothing scales it."""
    spread = 0.0
    for t in range(1, T + 1):
        spread = variance.unscaled_variance(spread, AT[t])
    return spread


def sampled_variance(v: float, choice: str, schedule: Schedule = PAPER) -> float:
    """Of what Algorithm 2 ends with, for N(0, v) and the exact mean."""
    oracle, spread, at = GaussianData(schedule, 0.0, v), 1.0, floor_table.steps(schedule)
    for t in range(schedule.T, 0, -1):
        _, slope, _ = oracle.reverse_coefficients(t)
        sigma_squared = at[t].beta if choice == "beta" else posterior.posterior_variance(at[t])
        spread = slope**2 * spread + (sigma_squared if t > 1 else 0.0)
    return spread


def snr(at: floor_table.Step) -> float:
    return at.alpha_bar / at.one_minus_alpha_bar


def low_signal(steps: list[floor_table.Step]) -> list[int]:
    """The t with a signal-to-noise ratio below 0.01."""
    return [t for t in range(1, len(steps)) if snr(steps[t]) < 0.01]


def parameters(name: str, channels: int, side: int) -> str:
    """Of a preset's network, in millions."""
    with torch.device("meta"):
        network = preset(name).unet(channels, side)
    return f"{sum(p.numel() for p in network.parameters()) / 1e6:.1f} M"


def updates(name: str) -> int:
    return preset(name).training.steps


def stored_run() -> tuple[dict[str, Any], dict[str, Any], float]:
    """Quality and bound of the default run as stored, and the pixel distance of the held-out digits."""
    result = json.loads((ROOT / "docs/results/table1-digits.json").read_text(encoding="utf-8"))
    run = result["numbers"]["DDPM (L_simple)"]
    digits = load("digits")
    return run["quality"], run["bound"], Judge(digits).distance(digits.held_out)["train"]


def sentences() -> dict[str, list[str]]:
    """What each page has to say, line breaks aside."""
    w, w_tilde = weights("beta"), weights("beta_tilde")
    least, least_tilde = (min(x, key=x.__getitem__) for x in (w, w_tilde))
    beta, tilde = table()["paper", "beta"], table()["paper", "beta_tilde"]
    sigma_1 = table()["official", "beta"].variance_1
    about = (1e-5 - prior(0)) / (prior(1) - prior(0))
    low, noise = low_signal(AT), AT[500].one_minus_alpha_bar
    early = f"{100 * early_share():.0f} %"
    half = interpolation.mixed_noise(0.5) * noise
    quality, found, held_out = stored_run()
    fifty = PAPER.visiting(evenly(T, 50))
    cifar10, large = 3 * 32**2, 3 * 256**2
    seconds = {cifar10: 17 / 256, large: 300 / 128}
    return {
        "docs/loss/bound.md": [
            rf"${power(prior(0))}$, ${power(prior(0.25))}$ and ${power(prior(1))}$ bits/dim for "
            r"$\mathbb{E}[x_0^2] = 0$, $0.25$ and $1$",
            rf"that of data with $\mathbb{{E}}[x_0^2]$ about {about:.2f}",
            rf"add up to {beta.rate:.3f} bits/dim, {early} of it from $t \le 50$",
            f"beside the rate of {PAPER_RATE} that the paper reports",
        ],
        "docs/loss/coding.md": [
            "with a bound of 9.75 bits take 21.8 bits, in five messages each",
            f"{floor_table.rate_of_unit_normal(PAPER):.2f} bits a coordinate with the paper's schedule",
        ],
        "docs/loss/decoder.md": [
            rf"{beta.inside:.2f} bits for $\sigma_1^2 = \beta_1$ and {tilde.inside:.2f} for $\tilde\beta_2$",
            f"beside the distortion of {PAPER_DISTORTION} bits/dim that the paper reports",
        ],
        "docs/loss/forward.md": [f"by {growth():.2f} in all with the paper's schedule"],
        "docs/loss/objective.md": [
            rf"is {w[1]:.3f} at $t = 1$, falls to {w[least]:.5f} at $t = {least}$ and rises again to "
            rf"{w[T]:.4f} at $t = {T}$",
            f"it is {least_loss(0.25):.3f} a coordinate for $v = 0.25$ and {least_loss(1.0):.3f} for $v = 1$",
        ],
        "docs/loss/simple.md": [
            rf"256 levels $r^2/6 = {relative_width(256):.3f}$, so the error lies between "
            rf"$-{relative_width(256):.3f}$ and ${relative_width(256):.3f}\,\zeta^2$ nats a pixel",
            rf"For 17 levels and the same $\sigma_1$ it is {relative_width(17):.1f} in place of "
            rf"{relative_width(256):.3f}",
            f"by a factor of up to {w[1] / w[least]:.0f}, at $t = 1$; but beyond $t = {least}$",
            f"it is large $t$ that gets less, by up to {w[T] / w[least]:.2f}",
        ],
        "docs/loss/sampling.md": [
            rf"half at $\lambda = \tfrac12$. At $t = 500$ that is {half:.3f}",
            f"where the network was trained on {noise:.3f}",
        ],
        "docs/loss/variance.md": [
            rf"is {ratio(2):.2f} at $t = 2$, {ratio(10):.2f} at $t = 10$ and {ratio(100):.2f} at $t = 100$",
            rf"tends to $\beta_t/\alpha_t$ as $v$ grows, which is {100 / AT[T].alpha - 100:.0f} % more at",
        ],
        "notes/ddpm.md": [
            rf"$\bar\alpha_{{1000}}={power(AT[T].alpha_bar, 2)}$",
            rf"is {ratio(2):.2f} at $t=2$, {ratio(10):.2f} at $t=10$ and {ratio(100):.2f} at $t=100$",
            rf"It is ${power(prior(0))}$, ${power(prior(0.25))}$ or ${power(prior(1))}$ bits/dim",
            rf"add up to {beta.rate:.3f} bits/dim, {early_share():.0%} of it from $t\le50$".replace(
                "%", " %"
            ),
            rf"starts at {w[1]:.3f}, falls to {w[least]:.5f} at $t={least}$, and then **rises** again, to "
            rf"{w[T]:.4f} at $t={T}$",
            f"by a factor of {w[1] / w[least]:.0f} to $t=1$, and of {w[T] / w[least]:.2f} to $t=1000$",
            rf"the lowest value is {w_tilde[least_tilde]:.5f} at $t={least_tilde}$",
            rf"$\sigma_1^2=\tilde\beta_2={power(sigma_1, 2)}$",
            rf"For $\lambda=\tfrac12$ and $t=500$ that is {half:.3f} in place of {noise:.3f}",
            rf"between ${power(prior(0))}$ and ${power(prior(1))}$ for",
            rf"$\sigma_1={math.sqrt(AT[1].beta):.2f}$ against a half bin of {1 / 255:.4f}",
            rf"is {ratio(2):.2f} at $t=2$ and {ratio(100):.2f} at $t=100$",
            f"From $t={low[0]}$ on the SNR is below 0.01: {len(low)} of 1000 steps",
            f"With the cosine schedule it is {len(low_signal(floor_table.steps(cosine_schedule())))}.",
            rf"$\sqrt{{\bar\alpha_T}}={math.sqrt(AT[T].alpha_bar):.5f}$",
            "of variance 0.25 and the exact denoiser. Algorithm 2 "
            rf"ends with variance {sampled_variance(0.25, 'beta'):.4f} ($\sigma_t^2=\beta_t$) or "
            rf"{sampled_variance(0.25, 'beta_tilde'):.4f} ($\tilde\beta_t$) after 1000 steps; after 50 steps "
            f"evenly spread over the same schedule, {sampled_variance(0.25, 'beta', fifty):.3f} or "
            f"{sampled_variance(0.25, 'beta_tilde', fifty):.3f}.",
            f"runs from {w[1]:.3f} down to {w[least]:.5f} and up again to {w[T]:.4f}",
            f"3.75 bits/dim against 2.80 of the Sparse Transformer: {3.75 - 2.80:.2f} bits/dim, or "
            f"{(3.75 - 2.80) * cifar10 / 8:.0f} bytes",
            "256 CIFAR10 images take 17 s and 128 images of 256×256 take 300 s",
            f"goes from {seconds[cifar10]:.3f} s to {seconds[large]:.1f} s, "
            f"{seconds[large] / seconds[cifar10]:.0f} "
            f"times as much; it has {large / cifar10:.0f} times as many values",
            "score 3.17 against the training set and 5.24 against the test set. The difference is "
            f"{(5.24 - 3.17) / 0.09:.0f} times the lead over StyleGAN2+ADA (0.09)",
            f"serves {cifar10:,} dimensions (32×32) and {large:,} (256×256) alike, a factor of "
            f"{large / cifar10:.0f};",
        ],
        "docs/gaps/discretisation.md": [
            rf"$\bar\alpha_T$ is {AT[T].alpha_bar / limit_alpha_bar(1.0, 0.1, 20.0):.4f} of its limit"
        ],
        "docs/gaps/sampling.md": [
            rf"$1-\bar\alpha_1-\beta_2 = {power(AT[1].one_minus_alpha_bar - AT[2].beta)}$ has no root"
        ],
        "docs/gaps/weighting.md": [
            rf"with $\gamma = 5$ acts for $t \le {max(t for t in w if snr(AT[t]) > 5)}$",
        ],
        "README.md": [
            f"is {quality['confidence']:.3f} times as sure of them",
            f"to the training digits is {quality['frechet']:.0f} (held-out digits: {held_out:.0f})",
            f"on the held-out digits is {found['test']['paper']['total']:.2f} bits/dim",
        ],
        "docs/train.md": [
            f"| {parameters('digits', 1, 8)} | {updates('digits'):,} |",
            f"| {parameters('fashion-mnist', 1, 28)} | {updates('fashion-mnist'):,} |",
            f"| {parameters('cifar10', 3, 32)} | {updates('cifar10'):,} |",
            f"| {parameters('celeba-hq-256', 3, 256)} | {updates('celeba-hq-256'):,} |",
            f"| {parameters('lsun-church', 3, 256)} | {updates('lsun-bedroom') / 1e6} M, "
            f"{updates('lsun-church') / 1e6} M, {updates('lsun-cat') / 1e6} M |",
            f"| {parameters('lsun-bedroom-large', 3, 256)} | {updates('lsun-bedroom-large') / 1e6} M |",
        ],
    }


STATED = sentences()


def text_of(page: str) -> str:
    return " ".join((ROOT / page).read_text(encoding="utf-8").split())


@pytest.mark.parametrize(("page", "sentence"), [(page, s) for page in STATED for s in STATED[page]])
def test_the_page_says_what_is_computed(page: str, sentence: str) -> None:
    assert sentence in text_of(page)


def test_the_lengths_are_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    print_lengths()
    row = re.search(r"sum +([\d.]+) +([\d.]+)", capsys.readouterr().out)
    assert row is not None
    bits, sent = map(float, row.groups())
    assert f"with a bound of {bits:.2f} bits take {sent:.1f} bits," in STATED["docs/loss/coding.md"][0]


def unchecked(page: str, text: str) -> list[str]:
    """The decimals and percentages that no sentence of the page holds."""
    text = re.sub(r"§\d\.\d", "", text)
    for sentence in STATED.get(page, ()):
        text = text.replace(sentence, "")
    return re.findall(r"\d+\.\d+|\d+ %", text)


PAGES = sorted(
    str(path.relative_to(ROOT)) for room in ("loss", "gaps") for path in ROOT.glob(f"docs/{room}/*.md")
)


@pytest.mark.parametrize("page", PAGES)
def test_no_number_on_a_page_of_the_loss_or_of_a_gap_goes_unchecked(page: str) -> None:
    assert unchecked(page, text_of(page)) == []


QUOTED = {
    "3.17", "13.51", "3.75", "3.70", "3.72", "12.1", "3.2",  # the paper, and its released weights
    "3.26", "2.67", "10.94", "4.59",  # Table 1 of the paper; Dhariwal and Nichol 2021
    "3.435", "7.34",  # Austin et al. 2021
}  # fmt: skip
"""What the gaps of the note quote."""


def test_a_number_of_a_gap_is_computed_or_quoted() -> None:
    lines = [
        line
        for line in (ROOT / "notes/ddpm.md").read_text("utf-8").splitlines()
        if "**In a number.**" in line
    ]
    assert len(lines) == 13
    assert {number for line in lines for number in unchecked("notes/ddpm.md", line)} == QUOTED
