"""Sums over the steps of a path: true ones are proved for every T, false ones refuted."""

import pytest
import sympy as sp

from ddpm_spec.ops import log, total
from ddpm_spec.ops.typeset import Steps, T, Term, t
from ddpm_spec.proofs import path
from ddpm_spec.proofs.path import Q_GIVEN, Q_MARGINAL, Q_STEP, P
from ddpm_spec.proofs.sums import for_every_T

TELESCOPES = total(Steps(log(Q_GIVEN(t)) - log(Q_GIVEN(t - 1)), 2))

TRUE = {
    "a telescope": TELESCOPES - log(Q_GIVEN(T)) + log(Q_GIVEN(1)),
    "the first term apart": total(Steps(log(P(t)), 1)) - total(Steps(log(P(t)), 2)) - log(P(1)),
    "a product": log(path.FORWARD) - total(Steps(log(Q_STEP(t)), 1)),
    "a sum of differences": total(Steps(log(P(t) / Q_STEP(t)), 2))
    - total(Steps(log(P(t)), 2))
    + total(Steps(log(Q_STEP(t)), 2)),
}
FALSE = {
    "a telescope from the wrong step": total(Steps(log(Q_GIVEN(t)) - log(Q_GIVEN(t - 1)), 1))
    - log(Q_GIVEN(T))
    + log(Q_GIVEN(1)),
    "a telescope to T − 1": TELESCOPES - log(Q_GIVEN(T - 1)) + log(Q_GIVEN(1)),
    "a telescope by two": total(Steps(log(Q_GIVEN(t)) - log(Q_GIVEN(t - 2)), 2))
    - log(Q_GIVEN(T))
    + log(Q_GIVEN(1)),
    "a telescope with the other sign": TELESCOPES + log(Q_GIVEN(T)) - log(Q_GIVEN(1)),
    "a lost first term": total(Steps(log(P(t)), 1)) - total(Steps(log(P(t)), 2)),
    "true at T = 1 only": total(Steps(log(P(t)), 1)) - log(P(1)),
    "a product as its logarithm": path.FORWARD - total(Steps(log(Q_STEP(t)), 1)),
    "two densities for one": log(Q_GIVEN(T)) - log(Q_MARGINAL(T)),
}


@pytest.mark.parametrize("term", TRUE.values(), ids=TRUE)
def test_true_sums_are_proved(term: Term) -> None:
    assert for_every_T(term.value).proved


@pytest.mark.parametrize("term", FALSE.values(), ids=FALSE)
def test_false_sums_are_refuted(term: Term) -> None:
    assert for_every_T(term.value).outcome == "not zero"


def test_a_sum_with_other_ends_is_not_guessed_at() -> None:
    for limits in ((t, 3, T), (t, 1, T - 1)):
        with pytest.raises(ValueError, match=r"over t = 1\.\.T or t = 2\.\.T"):
            for_every_T(sp.Sum(sp.log(P(t).value), limits))


def test_steps_that_begin_apart_do_not_pair_up() -> None:
    with pytest.raises(ValueError, match="from 1 on and steps from 2 on"):
        Steps(log(P(t)), 1) - Steps(log(P(t)), 2)
