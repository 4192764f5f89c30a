"""What must be refused of the proofs of the bound: false steps, and derivations on wrong formulas."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from refused import Wrong, check_refused

from ddpm_spec.formulas import bound, gaussian, objective, posterior, reverse
from ddpm_spec.ops import log, total
from ddpm_spec.ops.typeset import Steps, T, Term, letter, rows, t
from ddpm_spec.proofs import FalseStep, path
from ddpm_spec.proofs.bound import bayes, divergence_bound, laws, marginal_bound, mean_distance, path_bound
from ddpm_spec.proofs.bound.divergences import ENTROPY, KL_STEP, KL_T, L_STEP, L_T
from ddpm_spec.proofs.engine import By, Derivation, Expectation, Line, Value, Within
from ddpm_spec.proofs.gaussian import KL, kl_at
from ddpm_spec.proofs.letters import ONE, X_PREV, X_T, ZERO, positive
from ddpm_spec.proofs.path import PRIOR, Q_GIVEN, Q_MARGINAL, Q_POSTERIOR, Q_REVERSE, Q_STEP, P, Q
from ddpm_spec.proofs.sums import Identity

RATIOS = total(Steps(log(P(t) / Q_POSTERIOR(t)), 2))


def _changed(derivation: Derivation, number: int, line: Line) -> Derivation:
    lines = list(derivation.lines)
    lines[number - 1] = line
    return Derivation("a test", (), tuple(lines), derivation.end)


def _with_terms(derivation: Derivation, number: int, *terms: Term) -> Derivation:
    """Another sum in a line, which keeps its rule."""
    line = derivation.lines[number - 1]
    return _changed(derivation, number, replace(line, form=Expectation(rows(*terms), Q)))


def _line_of(derivation: Derivation, rule: type) -> tuple[int, Line]:
    return next((n, x) for n, x in enumerate(derivation.lines, start=1) if isinstance(x.rule, rule))


def _with_rule(derivation: Derivation, kind: type, **changes: Any) -> Derivation:
    number, line = _line_of(derivation, kind)
    return _changed(derivation, number, replace(line, rule=replace(line.rule, **changes)))


def _average(sign: int, of: Term, first: int = 2) -> Derivation:
    """The last step to Eq. 5 with a part of its rule changed."""
    number = len(divergence_bound.SUM.lines)
    line = divergence_bound.SUM.lines[-1]
    ratio = sign * log(Q_POSTERIOR(t)) - sign * log(P(t))
    return _changed(
        divergence_bound.SUM,
        number,
        replace(line, rule=replace(line.rule, ratio=ratio, over=of, first=first)),
    )


_STEP, _POST = Q_STEP(t), Q_POSTERIOR(t)
_SWAPPED = log(_POST) + log(Q_GIVEN(t - 1)) - log(Q_GIVEN(t))
_RIGHT = log(_POST) + log(Q_GIVEN(t)) - log(Q_GIVEN(t - 1))

REFUSED: dict[str, Callable[[], Derivation]] = {
    "Bayes with its marginals swapped": lambda: _with_rule(
        divergence_bound.SUM, path.Put, identity=Identity(_STEP, _SWAPPED, first=2)
    ),
    "Bayes given x_0, used from t = 3 on": lambda: _with_rule(
        divergence_bound.SUM, path.Put, identity=Identity(_STEP, _RIGHT, first=3)
    ),
    "Bayes without its condition": lambda: _with_rule(
        divergence_bound.SUM,
        path.Put,
        meaning=(
            (_STEP, laws.q_step()),
            (_POST, laws.q_reverse()),
            (Q_GIVEN(t), laws.q_given()),
            (Q_GIVEN(t - 1), laws.q_given_prev()),
        ),
    ),
    "Bayes with the law of x_t for that of x_{t-1}": lambda: _with_rule(
        marginal_bound.MARGINAL,
        path.Put,
        identity=Identity(_STEP, log(Q_REVERSE(t)) + log(Q_MARGINAL(t - 1)) - log(Q_MARGINAL(t))),
    ),
    "a divergence with the other sign": lambda: _average(-1, _POST),
    "a divergence averaged over the model": lambda: _average(1, P(t)),
    "a divergence by another lemma": lambda: _with_rule(
        divergence_bound.SUM,
        path.Average,
        at=kl_at(ZERO, ONE, ZERO, ONE),
    ),
    "a lost decoder": lambda: _with_terms(
        divergence_bound.SUM, len(divergence_bound.SUM.lines), L_T(T), total(Steps(L_STEP(t), 2))
    ),
    "a divergence at t = 1 where the decoder is": lambda: _with_terms(
        divergence_bound.SUM, len(divergence_bound.SUM.lines), L_T(T), total(Steps(L_STEP(t), 1))
    ),
    "ratios with the other sign": lambda: _with_terms(
        divergence_bound.SUM, 7, -log(PRIOR(T) / Q_GIVEN(T)), RATIOS, -log(P(1))
    ),
    "an entropy with the other sign": lambda: _with_terms(
        marginal_bound.MARGINAL,
        len(marginal_bound.MARGINAL.lines),
        KL_T(T),
        total(Steps(KL_STEP(t), 1)),
        -ENTROPY(0),
    ),
    "Jensen the other way round": lambda: Derivation(
        "a test",
        (),
        (
            Line(path_bound.PATH.lines[2].form, "start"),
            replace(path_bound.PATH.lines[2], form=path_bound.PATH.lines[1].form),
        ),
        path_bound.PATH.lines[1].form,
    ),
    "Jensen for another ratio": lambda: _with_rule(path_bound.PATH, path.Jensen, ratio=path.JOINT),
    "Jensen as an equality": lambda: _changed(
        path_bound.PATH, 3, Line(path_bound.PATH.lines[2].form, "an equality")
    ),
    "a positive letter at a number that is not": lambda: Derivation(
        "a test",
        (),
        (
            Line(By(KL, _NEGATIVE).ends()[0], "start"),
            Line(By(KL, _NEGATIVE).ends()[1], "wrong", By(KL, _NEGATIVE)),
        ),
        By(KL, _NEGATIVE).ends()[1],
    ),
    "a lemma on a part that is not there": lambda: Derivation(
        "a test",
        (),
        (Line(Value(X_T), "start"), Line(Value(X_T + 1), "wrong", Within(mean_distance.ELIMINATED))),
        Value(X_T + 1),
    ),
}
_NEGATIVE = tuple(zip((letter("m"), positive("v")), (X_T, X_PREV), strict=True))


@pytest.mark.parametrize("build", REFUSED.values(), ids=REFUSED)
def test_false_step_is_refused(build: Callable[[], Derivation]) -> None:
    with pytest.raises(FalseStep):
        build().check()


def test_what_holds_on_average_is_for_sums_of_logarithms_only() -> None:
    """E[log²] is not (E log)²: the product of two logarithms cannot be averaged term by term."""
    number, line = len(divergence_bound.SUM.lines), divergence_bound.SUM.lines[-1]
    squared = log(P(1)) * log(P(1))
    before = Expectation(divergence_bound.SUM.lines[-2].form.integrand + squared, Q)
    after = Expectation(line.form.integrand + squared, Q)
    derivation = Derivation("a test", (), (Line(before, "start"), replace(line, form=after)), after)
    assert number > 2
    with pytest.raises(FalseStep, match="sums of logarithms only"):
        derivation.check()


WRONG: dict[str, Wrong] = {
    "Eq. 3, the prior lost": (
        bound.path_bound,
        lambda log_prior, log_p, log_q: -total(log_p - log_q),
        path_bound._path,
    ),
    "Eq. 3, a sign": (
        bound.path_bound,
        lambda log_prior, log_p, log_q: -log_prior + total(log_p - log_q),
        path_bound._path,
    ),
    "Eq. 5, L_0 lost": (
        bound.divergence_bound,
        lambda prior, steps, decoder: prior + total(steps),
        divergence_bound._sum,
    ),
    "Eq. 5, the prior twice": (
        bound.divergence_bound,
        lambda prior, steps, decoder: prior + total(steps) + decoder + prior,
        divergence_bound._sum,
    ),
    "Eq. 16, the entropy subtracted": (
        bound.marginal_bound,
        lambda prior, steps, entropy: prior + total(steps) - entropy,
        marginal_bound._marginal_form,
    ),
    "Eq. 8, no 2": (
        bound.mean_distance,
        lambda target, mean, variance: (target - mean) ** 2 / variance,
        mean_distance._distance,
    ),
    "Eq. 8, C without its logarithm": (
        bound.variance_mismatch,
        lambda posterior_variance, variance: (posterior_variance / variance - 1) / 2,
        mean_distance._distance,
    ),
    "Eq. 9, a distance that is not squared": (
        bound.mean_distance,
        lambda target, mean, variance: (target - mean) / (2 * variance),
        mean_distance._eliminated,
    ),
    "Eq. 10, the sign of the noise": (
        reverse.mean_from_eps,
        lambda x_t, eps, at: x_t + eps,
        mean_distance._target,
    ),
    "Eq. 20, β_t for β̃_t": (
        posterior.posterior_variance,
        lambda at: at.beta,
        bayes._bayes_given_x_0,
    ),
    "Eq. 24, the scale squared twice": (
        gaussian.linear_variance,
        lambda variance, scale_squared, noise_variance: scale_squared**2 * variance + noise_variance,
        bayes._bayes_marginal,
    ),
    "the term of Eq. 5 with its laws swapped": (
        bound.step_term,
        lambda x_0, x_t, mean, variance, at: mean,
        divergence_bound._sum,
    ),
    "the entropy without its half": (
        gaussian.entropy,
        lambda variance: variance,
        marginal_bound._entropy,
    ),
    "Eq. 12, α_t left out": (
        objective.eps_weight,
        lambda variance, at: at.beta**2 / (2 * variance * at.one_minus_alpha_bar),
        mean_distance._to_noise,
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_formula_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: Wrong) -> None:
    check_refused(monkeypatch, wrong)
