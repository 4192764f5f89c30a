"""Claim C8 enumerated: with masking for noise the bound is an autoregressive codelength, in exact numbers.

Probabilities are fractions and logarithms are exact, so every comparison is by `==`.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refused import Wrong, check_refused

from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import autoregressive, bound
from ddpm_spec.ops import log, total
from ddpm_spec.ops.exact import Logarithms
from ddpm_spec.ops.typeset import Steps, T, t
from ddpm_spec.oracles.masking import Law, Masking, Model, State, copying, kl
from ddpm_spec.proofs import FalseStep
from ddpm_spec.proofs import autoregressive as proofs
from ddpm_spec.proofs.bound.divergences import KL_STEP, KL_T
from ddpm_spec.proofs.engine import Derivation, Expectation, Line
from ddpm_spec.proofs.letters import ZERO
from ddpm_spec.proofs.path import Q_MARGINAL, Given, Q
from ddpm_spec.proofs.sums import Identity

Table = dict[tuple[int, State], dict[int, Fraction]]
"""The law of coordinate t given what x_t shows."""


def images(coordinates: int, levels: int) -> list[State]:
    return list(product(range(levels), repeat=coordinates))


@st.composite
def laws(draw: st.DrawFn) -> tuple[Masking, Table]:
    """A law of the data and a conditional table: 2 to 4 bits, or 2 coordinates of 3 levels."""
    coordinates, levels = draw(st.sampled_from([(2, 2), (3, 2), (4, 2), (2, 3)]))
    weights = st.integers(0, 3)
    counts = draw(st.lists(weights, min_size=levels**coordinates, max_size=levels**coordinates).filter(any))
    shares = {x: Fraction(n, sum(counts)) for x, n in zip(images(coordinates, levels), counts, strict=True)}
    masking = Masking({x: q for x, q in shares.items() if q})
    table: Table = {}
    for step in range(1, coordinates + 1):
        for x_t in {masking.masked(x, step) for x in images(coordinates, levels)}:
            parts = draw(st.lists(st.integers(1, 7), min_size=levels, max_size=levels))
            table[step, x_t] = {value: Fraction(part, sum(parts)) for value, part in enumerate(parts)}
    return masking, table


def model_of(table: Table) -> Model:
    return copying(lambda step, x_t: table[step, x_t])


def codelength(table: Table, x_0: State) -> Logarithms:
    """−log p(x_0) of the autoregressive model, read off its table from the last coordinate to the first."""
    factors = [table[i + 1, (None,) * (i + 1) + x_0[i + 1 :]][x_0[i]] for i in range(len(x_0))]
    return autoregressive.negative_log_likelihood(np.array([log(p) for p in factors]))


@settings(max_examples=20)
@given(case=laws())
def test_the_three_forms_of_the_bound_are_the_codelength(
    recorder: Recorder, case: tuple[Masking, Table]
) -> None:
    claim = "with masking Eqs. 3, 5 and 16 are the codelength of an autoregressive model"
    formulas = (
        bound.path_bound,
        bound.divergence_bound,
        bound.marginal_bound,
        autoregressive.negative_log_likelihood,
    )
    with recorder.observe("exact law", claim, *formulas):
        masking, table = case
        model = model_of(table)
        for x_0 in masking.data:
            assert masking.path_bound(model, x_0) == codelength(table, x_0)
            assert masking.divergence_bound(model, x_0) == codelength(table, x_0)
        average = masking.average(lambda x_0: codelength(table, x_0))
        assert masking.marginal_bound(model) == average


@settings(max_examples=20)
@given(case=laws())
def test_one_coordinate_a_step_costs_anything(recorder: Recorder, case: tuple[Masking, Table]) -> None:
    """D_KL of step t over all D coordinates is that of coordinate t alone; the others are copied."""
    claim = "with masking all divergences vanish but that of one coordinate a step"
    with recorder.observe("exact law", claim, autoregressive.negative_log_likelihood, bound.marginal_bound):
        masking, table = case
        model = model_of(table)
        alone = Fraction(0)
        for step in range(1, masking.T + 1):
            for x_t, q in masking.marginal(step).items():
                true, ours = masking.reverse(step, x_t), model(step, x_t)
                for i in range(masking.T):
                    if i != step - 1:
                        assert coordinate(true, i) == coordinate(ours, i) == {x_t[i]: 1}
                alone += q * kl(coordinate(true, step - 1), coordinate(ours, step - 1))
        assert masking.marginal_bound(model) - alone == masking.entropy()
        average = masking.average(lambda x_0: codelength(table, x_0))
        assert average - alone == masking.entropy()


def coordinate(law: Law, i: int) -> dict[int | None, Fraction]:
    """The law of one coordinate."""
    found: dict[int | None, Fraction] = {}
    for x, p in law.items():
        found[x[i]] = found.get(x[i], 0) + p
    return found


@settings(max_examples=20)
@given(case=laws(), kept=st.fractions(min_value="1/7", max_value="6/7", max_denominator=7))
def test_what_is_not_copied_is_paid_for(
    recorder: Recorder, case: tuple[Masking, Table], kept: Fraction
) -> None:
    """A model that keeps what x_t shows with probability s only pays −log s a step more."""
    claim = "with masking a model that does not copy pays −log of the probability that it does"
    formulas = (bound.path_bound, bound.marginal_bound, autoregressive.negative_log_likelihood)
    with recorder.observe("exact law", claim, *formulas):
        masking, table = case
        copies = model_of(table)

        def model(step: int, x_t: State) -> Law:
            astray = (None,) * (step - 1) + tuple(9 for _ in x_t[step - 1 :])
            return {**{x: kept * p for x, p in copies(step, x_t).items()}, astray: 1 - kept}

        price = -masking.T * log(kept)
        for x_0 in masking.data:
            paid = masking.path_bound(model, x_0) - codelength(table, x_0)
            assert paid == price
        average = masking.average(lambda x_0: codelength(table, x_0))
        assert masking.marginal_bound(model) - average == price


@settings(max_examples=20)
@given(case=laws())
def test_the_best_table_is_the_data(recorder: Recorder, case: tuple[Masking, Table]) -> None:
    """The conditionals of the data reach H(x_0), and no table gets below it."""
    claim = "with masking the bound is least for the conditionals of the data, where it is H(x_0)"
    with recorder.observe("exact law", claim, bound.marginal_bound):
        masking, table = case

        def conditional(step: int, x_t: State) -> Mapping[int, Fraction]:
            return {x[step - 1]: p for x, p in masking.reverse(step, x_t).items()}  # type: ignore[misc]

        assert masking.marginal_bound(copying(conditional)) == masking.entropy()
        assert float(masking.marginal_bound(model_of(table)) - masking.entropy()) >= -1e-12


def test_the_order_of_the_coordinates_matters() -> None:
    """The same table read from the first coordinate to the last is another model: the law can fail."""
    half, data = Fraction(1, 2), {(0, 0): Fraction(1, 2), (0, 1): Fraction(1, 2)}
    masking = Masking(data)
    table: Table = {
        (2, (None, None)): {0: Fraction(1, 5), 1: Fraction(4, 5)},
        (1, (None, 0)): {0: half, 1: half},
        (1, (None, 1)): {0: Fraction(2, 3), 1: Fraction(1, 3)},
    }
    paid = masking.path_bound(model_of(table), (0, 1))
    assert paid == codelength(table, (0, 1))
    assert paid != codelength(table, (1, 0))


def chain(*pairs: tuple[Expectation, Given | None]) -> Derivation:
    (first, _), *rest = pairs
    lines = [Line(first, "start")] + [Line(form, "a step", *([rule] if rule else [])) for form, rule in rest]
    return Derivation("a test", (), tuple(lines), lines[-1].form)


MARGINALS = Expectation(total(Steps(log(Q_MARGINAL(t - 1)) - log(Q_MARGINAL(t)), 1)), Q)
BLANK = Given((Identity(Q_MARGINAL(T), ZERO),))


def test_the_last_image_alone_is_blank() -> None:
    """What is known of x_T says nothing of x_{T−1}: the sum does not vanish, its first end remains."""
    chain((MARGINALS, None), (Expectation(log(Q_MARGINAL(0)) - log(Q_MARGINAL(T)), Q), None)).check()
    with pytest.raises(FalseStep):
        chain((MARGINALS, None), (Expectation(ZERO, Q), BLANK)).check()
    with pytest.raises(FalseStep):
        chain((MARGINALS, None), (Expectation(log(Q_MARGINAL(1)), Q), BLANK)).check()


REASONS = [
    (derive, number)
    for derive in (proofs._from_path, proofs._from_marginals)
    for number, line in enumerate(derive().lines)
    if isinstance(line.rule, Given)
]


@pytest.mark.parametrize(("derive", "number"), REASONS)
def test_no_reason_can_be_left_out(derive: Callable[[], Derivation], number: int) -> None:
    """Without its identities the line does not follow."""
    derivation = derive()
    lines = list(derivation.lines)
    lines[number] = Line(lines[number].form, "no reason")
    with pytest.raises(FalseStep, match=f"line {number + 1}"):
        Derivation("a test", (), tuple(lines), derivation.end).check()


def test_a_lost_entropy_is_noticed() -> None:
    derivation = proofs._from_marginals()
    start = bound.marginal_bound(KL_T(T), Steps(KL_STEP(t), 1), ZERO)
    lines = (Line(Expectation(start, Q), "start"), *derivation.lines[1:])
    with pytest.raises(FalseStep, match="line 2"):
        Derivation("a test", (), lines, derivation.end).check()


WRONG = {
    "the codelength with the other sign": (
        autoregressive.negative_log_likelihood,
        lambda log_p: total(log_p),
        proofs._from_path,
    ),
    "Eq. 16 without the entropy": (
        bound.marginal_bound,
        lambda prior, steps, entropy: prior + total(steps),
        proofs._from_marginals,
    ),
    "Eq. 3 with the densities swapped": (
        bound.path_bound,
        lambda log_prior, log_p, log_q: -log_prior - total(log_q - log_p),
        proofs._from_path,
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_formula_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: Wrong) -> None:
    check_refused(monkeypatch, wrong)
