"""Every mistake of the catalogue is found at full size, where it shows, and every law finds some."""

from itertools import combinations

import numpy as np
import pytest
from laws.test_right import cosine, linear

from ddpm_spec.laws import LAWS, check
from ddpm_spec.laws.cause import WHOLE
from ddpm_spec.laws.mistakes import CATALOGUE
from ddpm_spec.laws.plain import Plain

SCHEDULES = {"paper": linear(1000), "cosine": cosine(1000), "short": np.linspace(0.02, 0.4, 8)}
TIMES = [1, 2, 3, 5, 300, 600, 1000]


# Groups that speak about the paper's equations one by one. Other laws look at several at once.
SINGLE = ("forward", "posterior", "reverse", "objective", "bound", "decoder")

# The mistakes that one law of these alone finds.
ALONE = {
    "forward/product": ("ᾱ is tabulated one step late",),
    "forward/mean": ("ᾱ for √ᾱ in noising",),
    "forward/variance": ("1 − ᾱ for its root in noising", "1 − √ᾱ for √(1 − ᾱ) in noising"),
    "forward/own-time": ("coefficients run along the row where the batch allows it",),
    "posterior/mean": ("ᾱ_t for ᾱ_{t−1} in Eq. 7",),
    "posterior/covariance": ("the deterministic member of the DDIM family for Eq. 7",),
    "posterior/variance": ("β_t for β̃_t in Eq. 7", "1 − ᾱ_t and 1 − ᾱ_{t−1} are exchanged in β̃_t"),
    "posterior/first": ("β̃_1 replaced by β̃_2 in Eq. 7", "ᾱ_0 is ᾱ_1 in Eq. 7"),
    "reverse/noise": ("σ² z for σ z", "the sampler adds no noise", "the last two steps are without noise"),
    "reverse/last-step": ("noise in the last step",),
    "reverse/variance-range": ("σ_t² above β_t", "σ_t² below β̃_t", "σ_t for σ_t²"),
    "objective/known-noise": ("the loss has a floor",),
    "objective/squared-error": ("the loss is a sum", "a Huber loss", "the loss has the weights of Eq. 12"),
    "bound/prior-blank": ("L_T with its arguments swapped",),
    "bound/prior-mean": ("L_T forgets the image", "L_T in bits", "L_T is left out"),
    "bound/own-step": ("the sampler clips x_{t−1} to [−1, 1]",),
    "decoder/bin": ("the official tanh for Φ",),
    "decoder/edges": ("the first and last bins trade places in the tails",),
}

# One of the mistakes that each of the others finds, together with some.
TOGETHER = {
    "forward/betas": "a negative β",
    "reverse/x-0": "Eq. 15 without the division",
    "reverse/asked": "the network is asked one step late",
    "reverse/mean": "half the noise is taken out in Eq. 11",
    "reverse/posterior-at-x-0": "√α_t is left out of Eq. 11",
    "reverse/unclipped": "the official clip, in sampler and bound",
    "reverse/rotation": "the sampler clips the predicted noise to [−1, 1]",
    "reverse/alone": "the sampler brings a batch that leaves the range back into it",
    "reverse/decoder-variance": "σ_1² is β̃_1, which is 0, under a decoder",
    "objective/asked": "the loss asks the network one step late",
    "bound/asked": "the bound asks the network one step late",
    "bound/constant": "the constant C is left out",
    "bound/weight": "σ² for 2σ² under the squared distance",
    "bound/weight-of-x-0": "Eq. 15 without the division",
    "bound/marginal-form": "log σ_t for log σ_t² in L_{t−1}",
    "bound/kraft": "the decoder sees x_0",
    "decoder/sum": "the first and last bins end like the others",
}


def broken(adapter: object, laws=None, times=TIMES) -> frozenset[str]:
    return frozenset(r.law.id for r in check(adapter, laws, times=times) if r.outcome in ("failed", "error"))


@pytest.fixture(scope="module")
def found() -> dict[str, frozenset[str]]:
    """The laws that each mistake breaks, in float32 on the schedule that it is about.

    Kraft's inequality asks for every level at every step, so it is judged in eight steps. Only mistakes about
    whole chains are judged by the laws that run them.
    """
    steps = [law for law in LAWS.values() if law.group not in WHOLE]
    kraft = [LAWS["bound/kraft"]]
    return {
        what: broken(
            mistake.on(SCHEDULES[mistake.about], precision="float32"), None if mistake.of_chains else steps
        )
        | broken(mistake.on(SCHEDULES["short"], levels=9), kraft, times=())
        for what, mistake in CATALOGUE.items()
    }


def test_there_are_many() -> None:
    assert len(CATALOGUE) >= 70
    # Those that show in no schedule of 1,000 steps say so where they stand.
    assert [what for what, mistake in CATALOGUE.items() if mistake.about == "short"] == [
        "L_T with its arguments swapped"
    ]


@pytest.mark.parametrize("about", SCHEDULES)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_nothing_is_broken_without_a_mistake(about, precision) -> None:
    assert not broken(Plain(SCHEDULES[about].astype(precision)))


@pytest.mark.parametrize("what", CATALOGUE)
def test_every_mistake_is_found_in_float32(found: dict[str, frozenset[str]], what: str) -> None:
    assert found[what]


def test_nine_of_ten_mistakes_are_found_in_bfloat16(found: dict[str, frozenset[str]]) -> None:
    """By the laws that find them in float32."""
    missed = []
    for what, mistake in CATALOGUE.items():
        laws = [law for law in LAWS.values() if law.id in found[what]]
        if not broken(mistake.on(SCHEDULES[mistake.about], precision="bfloat16"), laws):
            missed.append(what)
    assert len(missed) <= len(CATALOGUE) / 10, missed


@pytest.mark.parametrize("law", LAWS)
def test_every_law_finds_something(found, law: str) -> None:
    assert any(law in laws for laws in found.values())


def test_no_two_laws_are_the_same(found) -> None:
    """For every two laws some mistake breaks one and not the other."""
    same = [
        (a, b) for a, b in combinations(LAWS, 2) if all((a in laws) == (b in laws) for laws in found.values())
    ]
    assert not same


@pytest.mark.parametrize(("law", "whats"), ALONE.items(), ids=ALONE)
def test_found_by_one_law_alone(found, law: str, whats: tuple[str, ...]) -> None:
    for what in whats:
        assert {one for one in found[what] if one.startswith(SINGLE)} - {"bound/kraft"} == {law}


@pytest.mark.parametrize("law", TOGETHER)
def test_found_together_with_others(found, law: str) -> None:
    assert law in found[TOGETHER[law]]
    assert {one.id for one in LAWS.values() if one.id.startswith(SINGLE)} <= {*ALONE, *TOGETHER}
