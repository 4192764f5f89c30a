"""Whole chains: which times, from where to where, and the exact moments of what they make."""

from itertools import combinations

import numpy as np
import pytest

from ddpm_spec.laws import LAWS, check
from ddpm_spec.laws.chain import Chain, respond
from ddpm_spec.laws.mistakes import CATALOGUE, sampler
from ddpm_spec.laws.plain import Plain
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.sampler import step_counts
from ddpm_spec.laws.subject import Subject

GROUPS = ("training", "loop", "chain", "few-step", "state")
OURS = [law for law in LAWS.values() if law.group in GROUPS]
SCHEDULES = {
    4: np.linspace(0.05, 0.5, 4),
    10: np.linspace(0.02, 0.35, 10),
    1000: np.linspace(1e-4, 0.02, 1000),
}


def broken(adapter, laws=OURS) -> frozenset[str]:
    return frozenset(r.law.id for r in check(adapter, laws) if r.outcome in ("failed", "error"))


@pytest.mark.parametrize("T", SCHEDULES)
def test_no_law_fails_on_what_is_right(T):
    results = check(Plain(SCHEDULES[T]), OURS)
    assert {result.law.id: result.outcome for result in results} == {law.id: "passed" for law in OURS}


# Each mistake, and the laws of whole chains and of state that find it in ten steps.
FOUND = {
    "the last time is never trained": {"training/times"},
    "training counts times from 0": {"training/times"},
    "late times are trained more often": {"training/times"},
    "the chain starts from noise of half the size": {"loop/start"},
    "the chain starts from uniform noise": {"loop/start"},
    "all images of a batch start from the same noise": {"loop/start"},
    "the loop begins at T − 1": {"loop/times"},
    "the loop leaves the last step out": {"loop/times", "loop/end"},
    "one draw of noise for all steps": {"loop/steps"},
    "the noise of the steps is uniform on [0, 1]": {"loop/steps"},
    "the loop adds no noise": {"loop/steps"},
    "the finished image is brought to [0, 1]": {"loop/end"},
    "a step goes on with the mean of this and the last prediction": {
        "loop/end", "loop/steps", "chain/moments",
    },
    "few steps do not begin at T": {"few-step/times"},
    "few steps visit a time twice": {"few-step/times"},
    "a few-step sampler goes to t − T // steps, whatever comes next": {"few-step/next"},
    "few steps with the noise of one step in T": {"few-step/noise"},
    "noise after the last of few steps": {"few-step/end"},
    "few steps end at the noise level of t = 1": {"few-step/next", "few-step/end"},
    "few steps with an average of the last two x̂_0": {"few-step/moments"},
    "a step scales a table in place": {
        "loop/end", "chain/moments", "few-step/next", "few-step/end",
        "state/repeat", "state/order", "state/used", "state/tables", "state/precision",
    },
    "coefficients are kept for the first time that is asked": {"state/order", "state/used"},
    "the loss warms up with its first call": {"state/repeat", "state/order", "state/used", "state/precision"},
    "a scheduler counts its calls": {"chain/moments", "state/used"},
    "noising writes into the image": {"state/arguments"},
    "a table takes the type of the first data, for good": {"state/precision"},
}  # fmt: skip


def test_every_mistake_about_chains_is_listed():
    assert set(FOUND) == {
        what for what, mistake in CATALOGUE.items() if mistake.build.__module__ == sampler.__name__
    }


@pytest.mark.parametrize("what", FOUND)
def test_a_mistake_is_found_by_the_laws_that_speak_of_it(what):
    assert broken(CATALOGUE[what].build(SCHEDULES[10], 9)) == FOUND[what]


def test_every_law_finds_something_and_no_two_find_the_same():
    found = {law.id: frozenset(what for what, ids in FOUND.items() if law.id in ids) for law in OURS}
    assert all(found.values())
    for one, other in combinations(found, 2):
        assert found[one] != found[other], (one, other)


@pytest.mark.slow
def test_every_mistake_is_found_in_a_thousand_steps_of_float32():
    for what, names in FOUND.items():
        adapter = CATALOGUE[what].build(SCHEDULES[1000], 256)
        adapter.precision = "float32"
        groups = {name.partition("/")[0] for name in names}
        assert broken(adapter, [law for law in OURS if law.group in groups]), what


# ------------------------------------------------------------------------------------------ moments


def test_moments_are_those_of_many_samples():
    """Against a plain simulation of 200,000 samples."""
    model = Subject(Plain(SCHEDULES[4]))
    reference = Reference(model)
    network = reference.normal_denoiser(0.3, 0.37)
    ours = respond(model.ancestral(), network, model.dim)
    rng = np.random.default_rng(3)
    x = rng.standard_normal((200_000, 3))
    for t in (4, 3, 2, 1):
        x = model.p_sample(network, x, t, rng.standard_normal(x.shape))
    count = x.size
    assert abs(x.mean() - ours.mean) < 6 * np.sqrt(ours.variance / count)
    assert abs(x.var() - ours.variance) < 6 * ours.variance * np.sqrt(2 / count)
    assert ours.residual < 1e-14


def test_a_chain_that_remembers_is_summed_up_exactly():
    """x_k + z + x_{k−1} by a sampler with a memory: a Fibonacci sequence of factors."""
    memory = [np.zeros((1, 1))]

    def step(network, x, k, z):
        before = memory[-1] if k else 0 * x
        memory.append(x)
        return x + before + z

    ours = respond(Chain((4, 3, 2, 1), step), lambda x, t: x, dim=3)
    # From x_T: 1, 1, 2, 3, 5. From the noise of step k: what is left of the sequence.
    assert ours.factors == pytest.approx([5, 3, 2, 1, 1])
    assert ours.mean == pytest.approx(0)


def test_a_step_that_is_not_affine_is_seen():
    ours = respond(Chain((2, 1), lambda network, x, k, z: np.clip(x + z, -0.6, 0.6)), lambda x, t: x, dim=2)
    assert ours.residual > 0.02


@pytest.mark.parametrize("T", [4, 10, 50, 1000])
def test_numbers_of_steps(T):
    counts = step_counts(T)
    assert counts[-1] == T
    assert min(counts) >= 2
    assert len(counts) >= 3 or T == 50
    if T == 1000:
        assert counts == (50, 61, 501, 1000)


# --------------------------------------------------------------------------------- the statistical tests


class Clumped(Plain):
    """Late times a little more often: in how many draws is it seen?"""

    def __init__(self, betas, odds):
        super().__init__(betas)
        self.odds = odds

    def draw_times(self, count):
        late = np.random.random(count) < self.odds  # noqa: NPY002
        return np.where(late, len(self.betas), super().draw_times(count))


def test_uniform_means_uniform():
    law = [LAWS["training/times"]]
    (right,) = check(Clumped(SCHEDULES[1000], 0.0), law)
    (wrong,) = check(Clumped(SCHEDULES[1000], 0.01), law)
    assert right.outcome == "passed"
    assert wrong.outcome == "failed"


def test_false_alarms_are_rare():
    """Under other seeds the statistics stay far within what a false alarm of 10⁻⁶ allows."""
    shares = []
    for seed in range(20):
        model = Subject(Plain(SCHEDULES[10]))
        for part in ("sample", "draw_times"):
            method = getattr(model, part)
            setattr(model, part, lambda *given, method=method, seed=seed: method(*given, seed=seed))
        reference = Reference(model)
        for name in ("training/times", "loop/start", "loop/steps"):
            shares += [
                case.deviation / case.allowed for case in LAWS[name].cases(reference, model) if case.allowed
            ]
    # The largest of about 180 normal numbers is near 2.8, of the 5.5 that are allowed.
    assert 0.3 < max(shares) < 0.9


def test_antithetic_times_are_uniform():
    class Antithetic(Plain):
        def draw_times(self, count):
            return 1 + np.random.permutation(np.arange(count) % len(self.betas))  # noqa: NPY002

    (result,) = check(Antithetic(SCHEDULES[10]), [LAWS["training/times"]])
    assert result.outcome == "passed"
