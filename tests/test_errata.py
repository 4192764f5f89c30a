"""Every erratum is shown by its check, and its check is able to say that it is not."""

import re
from dataclasses import replace

import pytest

from ddpm_spec.errata import entries as errata
from ddpm_spec.errata.entries import ERRATA, Erratum, Finding
from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import decoder, interpolation, objective, posterior, variance
from ddpm_spec.paper import Formula

EACH = pytest.mark.parametrize("erratum", ERRATA, ids=[erratum.id for erratum in ERRATA])


@EACH
def test_is_shown(erratum: Erratum) -> None:
    finding = erratum.check()
    assert finding.shown, finding.facts
    assert finding.facts, "it says what it measured"
    assert all(isinstance(value, int | float) for value in finding.facts.values())


@EACH
def test_is_not_shown_where_it_does_not_arise(erratum: Erratum) -> None:
    finding = erratum.control()
    assert not finding.shown, finding.facts


@EACH
def test_is_told_in_full(erratum: Erratum) -> None:
    assert re.fullmatch(r"[a-z0-9-]+", erratum.id)
    assert erratum.says.endswith(".")
    assert erratum.holds.endswith(".")
    assert erratum.where.startswith(("§", "App."))


def test_each_has_an_id_of_its_own() -> None:
    assert len({erratum.id for erratum in ERRATA}) == len(ERRATA)
    assert len(ERRATA) > 10


# Figures that an entry states, against what its check measures.
STATED = {
    "mixed-variance": ("share of the noise's variance", 0.5, 0),
    "weights": ("t of the least", 349, 0),
    "density-for-integral": ("error in bits/dim", 0.037, 0.002),
    "edge-bins": ("bits too many by density times width", 1.06, 0.005),
    "unit-variance": ("variance of the uniform law", 0.336, 5e-4),
    "variance-grows": ("V_T / V_0", 2.98, 0.01),
    "prior-term": ("L_T at E x_0² = 1.0", 2.9e-5, 5e-7),
    "constant-of-eq-8": ("ΣC in bits/dim", 0.49, 0.005),
    "sum-or-mean": ("‖ε − ε_θ‖² / loss", 3072, 1e-6),
    "official-sigma-1": ("floor of a pixel, paper, in bits", 1.71, 0.005),
    "tanh-cdf": ("largest error", 1.8e-4, 5e-6),
    "least-probability": ("largest cost in bits", 39.86, 0.01),
    "test-images": ("used", 9984, 0),
}


@pytest.mark.parametrize(("key", "stated"), STATED.items(), ids=STATED)
def test_figures(key: str, stated: tuple[str, float, float]) -> None:
    (erratum,) = (erratum for erratum in ERRATA if erratum.id == key)
    name, value, tolerance = stated
    assert erratum.check().facts[name] == pytest.approx(value, abs=tolerance)


def test_a_check_follows_the_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    """With another formula the entry is no longer shown: the checks run the code, not a record of it."""
    wrong: dict[str, tuple[Formula, Formula]] = {
        "sigma-1": (posterior.posterior_variance, lambda at: at.beta),
        "mixed-variance": (interpolation.mixed_noise, lambda weight: 1),
        "entropy-bounds": (variance.optimal_variance, lambda data_variance, at: at.beta),
        "weights": (objective.eps_weight, lambda variance, at: 1 / at.one_minus_alpha_bar),
        "tanh-cdf": (decoder.tanh_cdf, errata._normal_cdf),
    }
    for erratum in ERRATA:
        if erratum.id in wrong:
            formula, other = wrong[erratum.id]
            with monkeypatch.context() as patch:
                patch.setitem(formula.__globals__, "torch", errata.torch)
                patch.setattr(formula, "__code__", other.__code__)
                assert not erratum.check().shown, erratum.id


def test_formulas_run(recorder: Recorder) -> None:
    claim = "the errata of Eqs. 7, 12 and 13 are shown by the formulas"
    formulas = (posterior.posterior_variance, objective.eps_weight, decoder.log_bin_probability)
    with recorder.observe("property", claim, *formulas):
        for erratum in ERRATA:
            assert erratum.check().shown


def test_printing_says_what_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = replace(ERRATA[0], check=lambda: Finding(False, {"x": 1.0}))
    monkeypatch.setattr(errata, "ERRATA", (lost, ERRATA[1]))
    errata.show()
    printed = capsys.readouterr().out
    assert "NOT SHOWN" in printed
    assert "sigma-1 (slip, §3.2 and §3.3): shown" in printed
