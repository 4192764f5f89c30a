"""The rules for slopes, integrals and inequalities accept what is true and refuse what is not."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import sympy as sp

from ddpm_spec.ops import exp, log
from ddpm_spec.ops.typeset import Term, letter
from ddpm_spec.proofs import Derivation, FalseStep
from ddpm_spec.proofs import coding as coding_proofs
from ddpm_spec.proofs import decoder as decoder_proofs
from ddpm_spec.proofs import floors as floors_proofs
from ddpm_spec.proofs import scale as scale_proofs
from ddpm_spec.proofs import variance as variance_proofs
from ddpm_spec.proofs.calculus import (
    AtLeast,
    AtMost,
    Averaged,
    AveragedBy,
    Backwards,
    BySeries,
    Calculus,
    ChangeOfVariable,
    DensityFalls,
    Jensen,
    Pointwise,
    Tangent,
    density,
    integral,
    limit,
    sinh,
    slope,
)
from ddpm_spec.proofs.engine import Expectation, Form, Line, Normal, Value
from ddpm_spec.proofs.letters import ONE, ZERO, positive
from ddpm_spec.proofs.zero import UnitInterval

X, M, S = letter("x"), letter("m"), letter("s")
V, R = positive("v"), positive("r")
MINUS_ONE = letter("-1", sp.Integer(-1))
UNIT = letter("a", UnitInterval("a"))


def holds(rule: object, first: Term, second: Term) -> bool:
    """Whether the rule proves the second line from the first."""
    lines = (Line(Value(first), "start"), Line(Value(second), "step", rule))  # type: ignore[arg-type]
    try:
        return Derivation("a test", (), lines, Value(second)).check().proved
    except FalseStep:
        return False


def average(f: Term) -> Term:
    return integral(f, S, MINUS_ONE, ONE) / 2


def mass(variance: Term, lower: Term, upper: Term) -> Term:
    return log(integral(density(X, M, variance), X, lower, upper))


SHIFTED = ChangeOfVariable(M + R * S, S)
STANDARD = log(integral(density(S, ZERO, ONE), S, MINUS_ONE, ONE))

TRUE = {
    "a tangent": (Tangent(V / R, 2 * R), 2 * R * log(V / R), 2 * V - 2 * R),
    "a slope": (Calculus(), slope(X**2 / V, X), 2 * X / V),
    "an integral": (Calculus(), integral(X**2, X, ZERO, V), V**3 / 3),
    "a limit": (Calculus(), limit((1 + V) / (2 + 3 * V), V), ONE / 3),
    "a square dropped": (AtLeast((X - M) ** 2 / V), (X - M) ** 2 / V + X, X),
    "a positive part dropped": (AtLeast(UNIT * (1 - UNIT), strict=True), UNIT * (1 - UNIT), ZERO),
    "a positive part added": (AtMost(V), X, X + V),
    "a standard normal": (SHIFTED, mass(R**2, M - R, M + R), STANDARD),
    "Jensen": (Jensen(), log(average(exp(X * S))), average(X * S)),
    "a larger exponent": (Pointwise(S**2), log(average(exp(-(S**2)))), log(average(exp(0 * S)))),
    "the series": (BySeries(decoder_proofs.COEFFICIENTS), log(sinh(V) / V), V**2 / 6),
    "a density that falls": (
        DensityFalls(Normal(R + V, ZERO, ONE), Normal(R - V, ZERO, ONE), 2 * R * V),
        density(R + V, ZERO, ONE) - density(R - V, ZERO, ONE),
        ZERO,
    ),
    "a lemma read backwards": (
        Backwards(decoder_proofs.BINS[0]),
        decoder_proofs.BINS[0].end.term,
        decoder_proofs.BINS[0].lines[0].form.term,
    ),
}
FALSE = {
    "a tangent, the wrong way": (Tangent(V, ONE), V - 1, log(V)),
    "a tangent with a negative factor": (Tangent(V, -R), -R * log(V), -R * (V - 1)),
    "a tangent of what may be negative": (Tangent(X, ONE), log(X), X - 1),
    "a tangent at another point": (Tangent(V, ONE), log(V), V - 2),
    "a slope without its factor": (Calculus(), slope(X**2 / V, X), X / V),
    "an integral over another range": (Calculus(), integral(X**2, X, ZERO, 2 * V), V**3 / 3),
    "a limit at 0": (Calculus(), limit((1 + V) / (2 + 3 * V), V), ONE / 2),
    "a part that is not what is dropped": (AtLeast(X**2), X**2 + X, 2 * X),
    "a part of either sign": (AtLeast(X), X + M, M),
    "a negative part": (AtLeast(UNIT * (UNIT - 1)), UNIT * (UNIT - 1), ZERO),
    "an odd power of either sign": (AtLeast(X**3 / V), X**3 / V, ZERO),
    "a square that may be 0, strictly": (AtLeast((X - M) ** 2, strict=True), (X - M) ** 2, ZERO),
    "a pole of either sign": (AtLeast(V / X), V / X, ZERO),
    "at most, the wrong way": (AtMost(V), X + V, X),
    "limits that do not go along": (SHIFTED, mass(R**2, M - R, M + 2 * R), STANDARD),
    "another variance": (SHIFTED, mass(R**3, M - R, M + R), STANDARD),
    "a lost factor": (SHIFTED, mass(R**2, M - R, M + R), STANDARD + log(R)),
    "a variable that decreases": (
        ChangeOfVariable(M - R * S, S),
        mass(R**2, M + R, M - R),
        STANDARD,
    ),
    "Jensen of another exponent": (Jensen(), log(average(exp(X * S))), average(X * S**2)),
    "Jensen without the mean": (Jensen(), log(2 * average(exp(X * S))), 2 * average(X * S)),
    "Jensen over another range": (
        Jensen(),
        log(average(exp(X * S))),
        integral(X * S, S, ZERO, ONE),
    ),
    "a smaller exponent": (Pointwise(S**2), log(average(exp(0 * S))), log(average(exp(-(S**2))))),
    "an exponent of either sign": (Pointwise(S), log(average(exp(-S))), log(average(exp(0 * S)))),
    "the series with 7": (BySeries(decoder_proofs.COEFFICIENTS), log(sinh(V) / V), V**2 / 7),
    "the series by a lemma of something else": (
        BySeries(variance_proofs.LOWER),
        log(sinh(V) / V),
        V**2 / 6,
    ),
    "the series of cosh": (BySeries(decoder_proofs.COEFFICIENTS), log(sinh(V)), V**2 / 6),
    "a density that rises": (
        DensityFalls(Normal(R - V, ZERO, ONE), Normal(R + V, ZERO, ONE), -2 * R * V),
        density(R - V, ZERO, ONE) - density(R + V, ZERO, ONE),
        ZERO,
    ),
    "densities of another gap": (
        DensityFalls(Normal(R + V, ZERO, ONE), Normal(R - V, ZERO, ONE), R * V),
        density(R + V, ZERO, ONE) - density(R - V, ZERO, ONE),
        ZERO,
    ),
    "a lemma read backwards from elsewhere": (
        Backwards(decoder_proofs.BINS[0]),
        decoder_proofs.BINS[0].end.term + 1,
        decoder_proofs.BINS[0].lines[0].form.term,
    ),
}


@pytest.mark.parametrize(("rule", "first", "second"), TRUE.values(), ids=TRUE)
def test_true_steps_are_proved(rule: object, first: Term, second: Term) -> None:
    assert holds(rule, first, second)


@pytest.mark.parametrize(("rule", "first", "second"), FALSE.values(), ids=FALSE)
def test_false_steps_are_not(rule: object, first: Term, second: Term) -> None:
    assert not holds(rule, first, second)


AVERAGES: dict[str, tuple[object, Form, Form, bool]] = {
    "a mean": (Averaged(V, ONE, R), Expectation(R * V + R, V), Value(2 * R), True),
    "a bound on a mean": (Averaged(V, ONE, R, at_most=True), Expectation(R * V, V), Value(R), True),
    "one mean of two": (
        Averaged(V, ONE, ONE),
        Expectation(V + log(R), X),
        Expectation(1 + log(R), X),
        True,
    ),
    "another mean": (Averaged(V, 2 * ONE, R), Expectation(R * V, V), Value(R), False),
    "a bound, with a negative factor": (
        Averaged(V, ONE, -R, at_most=True),
        Expectation(-R * V, V),
        Value(-R),
        False,
    ),
    "a bound, with a factor of either sign": (
        Averaged(V, ONE, X, at_most=True),
        Expectation(X * V, V),
        Value(X),
        False,
    ),
    "a mean in a square": (Averaged(V, ONE, V), Expectation(V**2, V), Value(V), False),
    "a mean that is not averaged out": (
        Averaged(V, ONE, ONE),
        Expectation(V + 1 / V, V),
        Value(1 + 1 / V),
        False,
    ),
    "a mean of another average": (Averaged(V, ONE, ONE), Expectation(V + R, V), Expectation(1 + R, X), False),
    "a mean without an average": (Averaged(V, ONE, ONE), Value(V), Value(ONE), False),
    "a tangent under an average": (Tangent(V, ONE), Expectation(log(V), V), Expectation(V - 1, V), True),
    "a tangent under two averages": (Tangent(V, ONE), Expectation(log(V), V), Expectation(V - 1, X), False),
    "a tangent out of an average": (Tangent(V, ONE), Expectation(log(V), V), Value(V - 1), False),
}


@pytest.mark.parametrize(("rule", "first", "second", "true"), AVERAGES.values(), ids=AVERAGES)
def test_steps_under_an_average(rule: object, first: Form, second: Form, true: bool) -> None:
    derivation = Derivation("a test", (), (Line(first, "start"), Line(second, "step", rule)), second)  # type: ignore[arg-type]
    if true:
        assert derivation.check().proved
    else:
        with pytest.raises(FalseStep, match="line 2"):
            derivation.check()


K, D, L = positive("K"), positive("D"), positive("L")
BIT = log(letter("2", sp.Integer(2)))
SHOWN, INDEX = coding_proofs.SHOWN, coding_proofs.INDEX


def by_index(
    lemma: Derivation = INDEX, mean: Term = D + 1, times: Term = R, at_most: bool = True, unit: Term = BIT
) -> AveragedBy:
    """E[L] ≤ D + 1, where E[log K] is at most (D + 1) log 2 for K = 2^L."""
    put = Averaged(L, mean, times, at_most)
    return AveragedBy(lemma, at=((K, exp(BIT * L)),), averaged=put, unit=unit)


BEFORE, AFTER = Expectation(R * L, SHOWN), Value(R * (D + 1))
BROKEN = replace(INDEX, lines=(*INDEX.lines[:-1], replace(INDEX.lines[-1], form=Value(D))))
FALLING = replace(INDEX, lines=(INDEX.lines[0], replace(INDEX.lines[1], relation=r"\ge"), *INDEX.lines[2:]))
BY: dict[str, tuple[AveragedBy, Form, Form, bool]] = {
    "as the lemma says": (by_index(), BEFORE, AFTER, True),
    "a smaller mean": (by_index(mean=D), BEFORE, Value(R * D), False),
    "another line": (by_index(), BEFORE, Value(R * D), False),
    "in nats": (by_index(unit=ONE), BEFORE, AFTER, False),
    "a negative factor": (by_index(times=-R), Expectation(-R * L, SHOWN), Value(-R * (D + 1)), False),
    "an equation": (by_index(at_most=False), BEFORE, AFTER, False),
    "over something else": (by_index(), Expectation(R * L, X), AFTER, False),
    "a lemma that does not hold": (by_index(BROKEN), BEFORE, AFTER, False),
    "a lemma that bounds from below": (by_index(FALLING), BEFORE, AFTER, False),
    "a lemma without an average": (by_index(coding_proofs.RECEIVED), BEFORE, AFTER, False),
}


@pytest.mark.parametrize(("rule", "first", "second", "true"), BY.values(), ids=BY)
def test_a_mean_by_a_lemma(rule: AveragedBy, first: Form, second: Form, true: bool) -> None:
    derivation = Derivation("a test", (), (Line(first, "start"), Line(second, "step", rule)), second)
    if true:
        assert derivation.check().proved
    else:
        with pytest.raises(FalseStep):
            derivation.check()


def test_what_a_message_takes_rests_on_how_large_its_index_is() -> None:
    assert INDEX in coding_proofs.LENGTH.lemmas


RULES = (Calculus(), Tangent(V, ONE), AtLeast(V), AtMost(V), Jensen(), Pointwise(V), SHIFTED)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_what_is_not_a_value_is_refused(rule: object) -> None:
    lines = (Line(Normal(X, M, V), "start"), Line(Value(X), "step", rule))  # type: ignore[arg-type]
    with pytest.raises(FalseStep):
        Derivation("a test", (), lines, Value(X)).check()


def test_a_line_is_printed_with_the_relation_of_its_rule() -> None:
    """An inequality that were printed as an equation would be false mathematics."""
    modules = (coding_proofs, decoder_proofs, floors_proofs, scale_proofs, variance_proofs)
    found = [d for module in modules for d in vars(module).values() if isinstance(d, Derivation)]
    for derivation in (*found, *decoder_proofs.BINS):
        for line in derivation.lines[1:]:
            assert line.relation == getattr(line.rule, "relation", "="), (derivation.title, line.reason)


# Steps of the new derivations that are wrong in one place: the mistake must be found where it is.
def _with_line(derivation: Derivation, number: int, term: Term) -> Derivation:
    lines = list(derivation.lines)
    old = lines[number - 1]
    form = Expectation(term, old.form.z) if isinstance(old.form, Expectation) else Value(term)
    lines[number - 1] = replace(old, form=form)
    return Derivation(derivation.title, derivation.nodes, tuple(lines), derivation.end)


MISTAKES: dict[str, Callable[[], Derivation]] = {
    "an index that takes no bit more than the divergence": lambda: _with_line(
        coding_proofs.INDEX, 9, coding_proofs.INDEX.end.term - log(letter("2", sp.Integer(2)))
    ),
    "a message for the bare logarithm of its index": lambda: _with_line(
        coding_proofs.LENGTH, 3, coding_proofs.LENGTH.end.term - 1
    ),
    "a word that costs its index twice": lambda: _with_line(
        coding_proofs.AT_LEAST, 4, 2 * coding_proofs.AT_LEAST.end.integrand
    ),
    "the slope of the best variance without α": lambda: _with_line(
        variance_proofs.MONOTONE, 3, variance_proofs.MONOTONE.lines[2].form.term * 2
    ),
    "a best variance at another place": lambda: _with_line(
        variance_proofs.BEST, 3, variance_proofs.BEST.lines[2].form.term + 1
    ),
    "a bound of the error that is too tight": lambda: _with_line(
        decoder_proofs.UPPER, 5, decoder_proofs.UPPER.lines[4].form.term / 2
    ),
    "a bound of the error from below, a third": lambda: _with_line(
        decoder_proofs.LOWER, 4, decoder_proofs.LOWER.lines[3].form.term / 2
    ),
    "a floor that keeps the square": lambda: _with_line(
        floors_proofs.STEP, 3, floors_proofs.STEP.lines[1].form.term
    ),
    "unit variance that does not stay": lambda: _with_line(scale_proofs.UNIT_STAYS, 2, ONE * 2),
}


@pytest.mark.parametrize("wrong", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_line_is_found_there(wrong: Callable[[], Derivation]) -> None:
    with pytest.raises(FalseStep, match="line"):
        wrong().check()
