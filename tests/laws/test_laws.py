"""The laws hold for our implementation and for a plain one; every wrong one breaks some."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from laws.ours import Ours
from laws.plain import Plain
from laws.wrong import WRONG

from ddpm_spec.choices import Variance
from ddpm_spec.diffusion import Diffusion
from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import bound, decoder, forward, objective, posterior, reverse, sampling
from ddpm_spec.laws import LAWS, check, report
from ddpm_spec.laws import bound as bound_laws
from ddpm_spec.laws import reverse as reverse_laws
from ddpm_spec.schedule import linear_schedule

SHORT = linear_schedule(8, 0.02, 0.4)
PAPER = linear_schedule()
UNIT = {"float64": 2.0**-53, "float32": 2.0**-24}

# What runs while a law of each room looks at the implementation.
SPEAKS_OF = {
    "forward": (forward.q_sample,),
    "posterior": (posterior.posterior_mean, posterior.posterior_variance),
    "reverse": (reverse.mean_from_eps, sampling.p_sample),
    "objective": (objective.simple_loss, forward.q_sample),
    "bound": (bound.step_term, bound.decoder_term, decoder.log_bin_probability),
}
RUNS = {
    reverse_laws.predicted_x_0: (reverse.predict_x_0,),
    reverse_laws.mean_by_x_0: (reverse.predict_x_0, reverse.mean_from_eps, posterior.posterior_mean),
    reverse_laws.last_step: (reverse.mean_from_eps,),
    bound_laws.prior_of_a_blank_image: (bound.prior_term,),
    bound_laws.prior_of_the_mean: (bound.prior_term,),
    bound_laws.path_form: (bound.prior_term, bound.step_term, reverse.mean_from_eps),
    bound_laws.marginal_form: (bound.prior_term, bound.step_term),
    bound_laws.kraft: (bound.prior_term, bound.step_term, bound.decoder_term, decoder.log_bin_probability),
}

VARIANCES = {"beta": forward.q_step_variance, "beta_tilde": posterior.posterior_variance}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
@pytest.mark.parametrize("variance", VARIANCES)
def test_ours(recorder: Recorder, law, variance: Variance) -> None:
    room = law.cases.__module__.rpartition(".")[2]
    claim, formulas = law.name, RUNS.get(law.cases, SPEAKS_OF[room])
    if law.name.startswith(("Eq. 2", "Eq. 4: ᾱ_t")):
        formulas = (forward.alpha, forward.alpha_bar)
    elif law.cases is reverse_laws.variance_range:
        claim, formulas = f"{law.name} (σ² {variance})", (VARIANCES[variance],)
    with recorder.observe("property", claim, *formulas):
        schedule = linear_schedule(8, 0.02, 0.4)
        (result,) = check(Ours(Diffusion(schedule, variance), levels=9), laws=(law,))
        assert result.passed, result


def test_plain() -> None:
    assert all(result.passed for result in check(Plain()))


def broken(what: str) -> frozenset[str]:
    with np.errstate(all="ignore"):
        return frozenset(result.law.name for result in check(WRONG[what]()) if not result.passed)


@pytest.fixture(scope="module")
def found() -> dict[str, frozenset[str]]:
    return {what: broken(what) for what in WRONG}


@pytest.mark.parametrize("what", WRONG)
def test_every_wrong_implementation_is_caught(found: dict[str, frozenset[str]], what: str) -> None:
    assert found[what]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_every_law_catches_something(found: dict[str, frozenset[str]], law) -> None:
    assert any(law.name in names for names in found.values())


def test_no_two_laws_are_the_same(found: dict[str, frozenset[str]]) -> None:
    """For every two laws some wrong implementation breaks one and not the other."""
    for a, b in combinations(LAWS, 2):
        assert any((a.name in names) != (b.name in names) for names in found.values()), (a.name, b.name)


# The wrong implementations that one law catches and no other.
ALONE = {
    "ᾱ is tabulated one step late": "Eq. 4: ᾱ_t is the product",
    "ᾱ for √ᾱ in noising": "Eq. 4: without noise",
    "1 − ᾱ for its root in noising": "Eq. 4: without data",
    "coefficients run along the row where the batch allows it": "Eq. 4: every example has its own t",
    "β_t for β̃_t in Eq. 7": "Eq. 7: variance of the mean",
    "β̃_1 replaced by β̃_2 in Eq. 7": "Eq. 7: at t = 1",
    "σ² z for σ z": "Algorithm 2: the noise",
    "noise in the last step": "Algorithm 2: at t = 1",
    "σ_t² above β_t": "C3",
    "σ_t² below β̃_t": "C3",
    "the loss is a sum": "Eq. 14: an error in the noise",
    "the loss has a floor": "Eq. 14: a network that knows x_0",
    "the first and last bins trade places in the tails": "Eq. 13: the first and the last level",
}


@pytest.mark.parametrize("what", ALONE)
def test_caught_by_one_law_alone(found: dict[str, frozenset[str]], what: str) -> None:
    (name,) = found[what]
    assert name.startswith(ALONE[what])


def test_the_official_code_is_reported_by_what_it_changes() -> None:
    """Clipping, and a tanh for Φ with a floor."""
    results = check(Ours(Diffusion(SHORT, convention="official"), levels=9))
    names = {result.law.name.partition(":")[0] for result in results if not result.passed}
    assert {"Eq. 11", "Eq. 13"} <= names
    assert not names & {"Eq. 2", "Eq. 4", "Eq. 7", "Eq. 14", "Eq. 15"}


class InFloat32(Ours):
    """Rounds what goes in; the model then computes in float32."""

    def q_sample(self, x_0, t, eps):
        return super().q_sample(np.float32(x_0), t, np.float32(eps)).astype(float)

    def loss(self, network, x_0, t, eps):
        single = np.float32(x_0)
        return super().loss(lambda x, t: np.float32(network(x, t)), single, t, np.float32(eps))


def test_float32_is_within_float32_rounding_and_not_within_float64() -> None:
    model = InFloat32(Diffusion(SHORT), levels=9)
    assert all(result.passed for result in check(model, UNIT["float32"]))
    assert not all(result.passed for result in check(model, UNIT["float64"]))


@pytest.mark.slow
@pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
def test_ours_at_full_size(variance: Variance) -> None:
    for result in check(Ours(Diffusion(PAPER, variance), levels=256)):
        assert result.passed, result


def test_what_an_implementation_raises_is_reported() -> None:
    class Raises(Plain):
        def prior_term(self, x_0):
            raise RuntimeError("not implemented")

    results = [result for result in check(Raises()) if not result.passed]
    assert len(results) == 5  # both laws of L_T, both other forms of the bound, and Kraft's inequality
    assert all(result.error == "RuntimeError: not implemented" for result in results)


def test_not_a_number_does_not_pass() -> None:
    class Blank(Plain):
        def prior_term(self, x_0):
            return np.full(len(x_0), np.nan)

    failed = {result.law.name.partition(":")[0] for result in check(Blank()) if not result.passed}
    assert failed == {"Eq. 5, L_T", "Eq. 5", "Eq. 16", "C5"}


def test_bad_tables_are_refused() -> None:
    short, coarse = Plain(), Plain()
    short.betas = short.betas[:3]
    coarse.levels = 2
    with pytest.raises(ValueError, match=r"betas \(3,\) and alpha_bars \(8,\)"):
        check(short)
    with pytest.raises(ValueError, match="at least 3 grey levels"):
        check(coarse)


def test_report_names_the_equation_and_the_deviation(capsys: pytest.CaptureFixture[str]) -> None:
    results = check(Plain())
    report((replace(results[0], deviation=0.25), *results[1:]))
    printed = capsys.readouterr().out
    assert "Eq. 2" in printed
    assert "2.5e-01" in printed
    assert f"{len(LAWS) - 1} of {len(LAWS)} laws hold" in printed
