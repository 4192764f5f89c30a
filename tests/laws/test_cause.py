"""A mistake is named where it was made, on whatever schedule, and only there."""

import numpy as np
import pytest
import torch
from laws.right import Buffers
from laws.test_mistakes import SCHEDULES, TIMES
from torch.nn import functional as F

from ddpm_spec.laws import Case, Law, check
from ddpm_spec.laws.cause import causes
from ddpm_spec.laws.mistakes import CATALOGUE
from ddpm_spec.laws.plain import Plain

UNEVEN = np.array([0.01, 0.2, 0.05, 0.3, 0.02, 0.4, 0.1])


def named(adapter: object, times=()) -> list[str]:
    return [cause.mistake.what for cause in causes(adapter, check(adapter, times=times))]


@pytest.mark.parametrize("what", list(CATALOGUE)[::18])
def test_a_mistake_is_recognised_on_its_own_schedule(what: str) -> None:
    assert named(CATALOGUE[what].on(UNEVEN, levels=9)) == [what]


def test_one_that_breaks_more_is_not_named() -> None:
    """A sampler that clips as well would break laws of the sampler, which hold."""
    assert named(CATALOGUE["Eq. 15 is clipped to [−1, 1]"].on(UNEVEN, levels=9)) == [
        "Eq. 15 is clipped to [−1, 1]"
    ]


def test_what_a_right_implementation_does_on_that_schedule_too_has_no_cause() -> None:
    def cases(reference, model):
        yield Case(reference.beta[1], 0.0, 1)

    law = Law("tables/nothing", "β_1 is 0", cases, ("tables",), (), "custom", 1)
    adapter = Plain(UNEVEN)
    assert causes(adapter, check(adapter, [law])) == ()


def test_a_step_alone_is_compared_with_a_step_alone() -> None:
    """Its σ_t is read off the step, where σ_t² z cannot be told from a wrong σ_t."""
    whole = CATALOGUE["σ² z for σ z"].on(SCHEDULES["short"])

    class Step:
        betas, p_sample = whole.betas, whole.p_sample

    assert named(Step()) == ["σ² z for σ z"]


def test_one_that_does_more_elsewhere_is_not_named() -> None:
    """Where the last two steps differ most, a sampler without any noise does the same."""
    made = CATALOGUE["the last two steps are without noise"].on(SCHEDULES["short"], levels=9)
    assert named(made) == ["the last two steps are without noise"]


def test_two_that_do_the_same_are_both_named() -> None:
    """What is left of the image at T is too little to tell how much of it is missing."""
    made = CATALOGUE["L_T forgets the image"].on(SCHEDULES["paper"], precision="float32")
    assert set(named(made, TIMES)) == {
        "L_T forgets the image",
        "L_T is left out",
        "L_T takes ᾱ_T for √ᾱ_T",
    }


@pytest.mark.slow
def test_every_mistake_is_recognised_at_full_size() -> None:
    """But for those about whole chains: some of them change what they are asked about."""
    for what, mistake in CATALOGUE.items():
        if mistake.of_chains:
            continue
        assert what in named(mistake.on(SCHEDULES[mistake.about], precision="float32"), TIMES)


# In an implementation that shares nothing with those of the catalogue: images, tables, time from 0, float32.


class Theirs(Buffers):
    def __init__(self, precision="float32") -> None:
        super().__init__(torch.tensor(SCHEDULES["paper"]), precision)


class Clips(Theirs):
    def predict_x_0(self, x_t, k, eps):
        return super().predict_x_0(x_t, k, eps).clamp(-1, 1)


class NoisyEnd(Theirs):
    def p_sample(self, net, x_t, k, z):
        return self.mean(net, x_t, k) + (0.5 * self.log_variance[k]).exp() * z


class Huber(Theirs):
    def loss(self, net, x_0, k, eps):
        return F.smooth_l1_loss(net(self.q_sample(x_0, k, eps), k), eps)


class Mistaken(NoisyEnd, Huber):
    pass


class Odd(Theirs):
    """Off by 0.48 where half the squared error, which is known, is off by 0.5."""

    def loss(self, net, x_0, k, eps):
        return 0.52 * super().loss(net, x_0, k, eps)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize(
    ("made", "whats"),
    [
        (NoisyEnd, ["noise in the last step"]),
        (Huber, ["a Huber loss"]),
        (Mistaken, ["noise in the last step", "a Huber loss"]),
        (Odd, []),
    ],
)
def test_others_mistakes_are_named_too(made, precision, whats: list[str]) -> None:
    assert sorted(named(made(precision), TIMES)) == sorted(whats)


def test_what_a_part_cannot_tell_is_left_open() -> None:
    """A sampler alone that clips may do so in Eq. 15 or by itself."""

    class Sampler(Clips):
        posterior = predict_x_0 = loss = prior_term = bound_term = variance = q_sample = None

        def p_sample(self, net, x_t, k, z):
            return Clips().p_sample(net, x_t, k, z)

    assert "the sampler clips, and Eq. 15 with it" in named(Sampler(), TIMES)


def test_a_table_that_cannot_be_is_traced_to_its_entry() -> None:
    assert named(CATALOGUE["a negative β"].on(SCHEDULES["short"], levels=9)) == ["a negative β"]


def test_nothing_broken_has_no_cause() -> None:
    assert named(Theirs(), TIMES) == []
