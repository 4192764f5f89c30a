"""What calls leave behind is seen; fresh adapters are made by a copy or by a function."""

import threading

import numpy as np
import torch

from ddpm_spec.laws import LAWS, Stated, check
from ddpm_spec.laws.plain import Plain
from ddpm_spec.laws.subject import Subject

BETAS = np.linspace(0.02, 0.35, 6)
STATE = [law for law in LAWS.values() if law.group == "state"]


def outcomes(adapter) -> dict[str, str]:
    return {result.law.id: result.outcome for result in check(adapter, STATE)}


class Counts(Plain):
    """Keeps what it counts outside of itself, where no copy reaches it."""

    calls = 0

    def loss(self, network, x_0, t, eps):
        Counts.calls += 1
        return super().loss(network, x_0, t, eps) + 0.5 ** (Counts.calls % 900)


def test_a_class_or_a_function_makes_fresh_ones():
    assert set(outcomes(lambda: Plain(BETAS)).values()) == {"passed"}

    class Fixed(Plain):
        def __init__(self):
            super().__init__(BETAS)

    assert set(outcomes(Fixed).values()) == {"passed"}


def test_what_cannot_be_copied_is_not_judged_until_a_function_makes_it():
    def locked():
        plain = Plain(BETAS)
        plain.lock = threading.Lock()
        return plain

    assert set(outcomes(locked()).values()) == {"not judged"}
    (result,) = check(locked(), STATE[:1])
    assert result.why == "it has no fresh copy"
    assert set(outcomes(locked).values()) == {"passed"}


def test_state_outside_of_the_adapter_is_seen():
    assert outcomes(Counts(BETAS))["state/repeat"] == "failed"


def test_a_fresh_one_is_as_it_was_before_the_first_call():
    class Marks(Plain):
        def loss(self, network, x_0, t, eps):
            self.betas[0] = 0.5
            return super().loss(network, x_0, t, eps)

    model = Subject(Marks(BETAS))
    model.loss(lambda x, t: x, np.zeros((1, 3)), np.array([1]), np.zeros((1, 3)))
    assert model.adapter.betas[0] == 0.5
    assert model.fresh().betas[0] == BETAS[0]


def test_what_a_call_raises_is_not_a_matter_of_state():
    class Raises(Plain):
        def prior_term(self, x_0):
            raise RuntimeError("not implemented")

    assert set(outcomes(Raises(BETAS)).values()) == {"passed"}


def test_raising_at_the_second_call_is():
    class Once(Plain):
        used = False

        def prior_term(self, x_0):
            if self.used:
                raise RuntimeError("only once")
            self.used = True
            return super().prior_term(x_0)

    assert outcomes(Once(BETAS))["state/repeat"] == "failed"


def test_tensors_that_are_written_into_are_seen():
    class InPlace(Stated):
        arrays, shape = "torch", (1, 2, 2)
        betas = torch.linspace(0.02, 0.35, 6, dtype=torch.float64)

        def q_sample(self, x_0, t, eps):
            bars = (1 - self.betas).cumprod(0)[t - 1].view(-1, 1, 1, 1)
            return x_0.mul_(bars.sqrt()).add_((1 - bars).sqrt() * eps)

    found = outcomes(InPlace())
    assert found.pop("state/arguments") == "failed"
    assert set(found.values()) == {"passed"}
    # The laws' own numbers are not theirs to write into.
    x_0 = np.full((2, 4), 0.5)
    Subject(InPlace()).q_sample(x_0, np.array([3, 4]), 0 * x_0)
    assert (x_0 == 0.5).all()
