"""What a report says is true of the run that it speaks about, not of the paper's run only."""

import dataclasses

import pytest

from ddpm_spec.data.source import Source
from ddpm_spec.diffusion import Diffusion
from ddpm_spec.evaluation.bound import Bound
from ddpm_spec.evaluation.quality import Figures
from ddpm_spec.runs.settings import Evaluation, Process, Settings, Training
from ddpm_spec.schedule import cosine_schedule, linear_schedule
from ddpm_spec.training.commands import _bin_in_sigmas
from ddpm_spec.training.report import OURS, Report, _headline, sections

BOUND = Bound(2e-5, 3.3, 1e-5, 3.32, 0.04, 64, 12, 0.49)


GOOD = Figures(1.0, 0.05, 40.0, 1.0)


def report_of(settings: Settings, bin_in_sigmas: float | None = 12.5, **more) -> Report:
    report = Report(
        "runs/x", settings.data, 17, 10, 100, 0.1, {}, BOUND, None, bin_in_sigmas, {"all": 1.0}, {}, settings
    )
    return dataclasses.replace(report, **more)


def said(settings: Settings, bin_in_sigmas: float | None = 12.5, **more) -> str:
    report = report_of(settings, bin_in_sigmas, **more)
    return " ".join(note for section in sections(report) for note in section.notes)


def process(**values) -> Settings:
    return dataclasses.replace(Settings(), process=Process(**values))


def test_the_loss_is_named_as_it_was_trained():
    assert "L_simple (Eq. 14) divided by the number of pixels" in said(Settings())
    assert "The squared error of μ̃_t divided" in said(process(prediction="mu"))
    assert "The squared error of x_0 divided" in said(process(prediction="x_0"))
    assert "The squared error of v divided by the number of pixels." in said(process(prediction="v"))
    hybrid = dataclasses.replace(process(variance="learned_range"), training=Training(objective="hybrid"))
    assert "L_simple (Eq. 14) divided by the number of pixels, plus 0.001 of the bound" in said(hybrid)
    bound = dataclasses.replace(Settings(), training=Training(objective="bound"))
    assert "L_{t−1} of Eq. 5 in bits/dim" in said(bound)


def test_l_simple_is_blamed_only_where_it_was_trained():
    assert "L_simple drops the weights of Eq. 12" in said(Settings())
    bound = dataclasses.replace(Settings(), training=Training(objective="bound"))
    for other in (bound, process(prediction="mu")):
        assert "L_simple" not in said(other)
        assert "Half of the bound lies at t ≤ 12." in said(other)


def test_the_price_of_the_variance_is_named_where_it_is_paid():
    assert "σ_t² = β_t costs 0.49 bits/dim" in said(Settings())
    assert "costs" not in said(process(variance="beta_tilde"))


def test_a_bin_is_compared_with_the_decoder_that_there_is():
    assert "a bin is 12.5 σ_1 wide, so x_1 all but names" in said(Settings())
    assert "a bin is 0.8 σ_1 wide." in said(Settings(), 0.8)
    assert "σ_1 wide" not in said(Settings(), None)


def test_the_width_of_a_bin_follows_the_variance_of_the_last_step():
    """σ_1² is β_1; β̃_2 = 5.4531877e-5 where that is 0, or where the official code takes it."""
    schedule = linear_schedule()
    small = 2 / 16 / 5.4531877e-5**0.5
    assert _bin_in_sigmas(Diffusion(schedule), 17) == pytest.approx(12.5, rel=1e-12)
    assert _bin_in_sigmas(Diffusion(schedule, "beta_tilde"), 17) == pytest.approx(small, rel=1e-7)
    official = Diffusion(schedule, convention="official")
    assert _bin_in_sigmas(official, 17) == pytest.approx(small, rel=1e-7)
    assert _bin_in_sigmas(Diffusion(schedule, "learned"), 17) is None
    assert _bin_in_sigmas(Diffusion(schedule, "learned_range"), 17) is None
    cosine = cosine_schedule(1000)
    beta_1 = cosine.steps.beta[1].item()
    assert _bin_in_sigmas(Diffusion(cosine), 256) == pytest.approx(2 / 255 / beta_1**0.5, rel=1e-12)


def test_a_chain_too_short_is_told_of():
    assert "The chain is too short: L_T is 1.1 bits/dim." in said(
        Settings(), short_chain="L_T is 1.1 bits/dim"
    )
    assert "too short" not in said(Settings())


def test_histograms_are_spoken_of_only_where_they_are_shown():
    assert "histograms do not pay" in said(Settings(), histogram=3.5)
    assert "histogram" not in said(Settings())


def test_targets_are_held_against_enough_samples_only():
    poor = dataclasses.replace(GOOD, frechet=720.0)
    few = dataclasses.replace(Settings(), evaluation=Evaluation(samples=16))
    text = said(few, figures={OURS: poor})
    assert "16 samples are too few to hold against targets" in text
    assert "Missed" not in text
    assert "Missed: Fréchet. Train longer" in said(Settings(), figures={OURS: poor})
    assert "All four targets are reached." in said(Settings(), figures={OURS: GOOD})


def test_a_report_says_which_images():
    """Their place is in its head and with every option of theirs among the settings; digits have none."""
    source = Source(path="my/[pics]", image_size=16, grey=True)
    folder = report_of(dataclasses.replace(Settings(), data="folder", source=source))
    rows = dict(next(s for s in sections(folder) if s.title == "Settings").rows)
    assert _headline(folder).startswith("folder my/[pics]: 10 steps")
    assert (rows["--path"], rows["--grey"], rows["--image-size"]) == ("my/[pics]", "True", "16")
    digits = dict(next(s for s in sections(report_of(Settings())) if s.title == "Settings").rows)
    assert "--path" not in digits
    assert _headline(report_of(Settings())).startswith("digits: 10 steps")
