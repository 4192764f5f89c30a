"""Appendix A on real densities: along one path every line is one number, by `==`."""

from fractions import Fraction
from itertools import pairwise

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from proofs.bound.chains import Chain, along
from rational import rational_step

from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import bound, forward, gaussian, posterior
from ddpm_spec.formulas.step import Step
from ddpm_spec.proofs import path
from ddpm_spec.proofs.bound import divergence_bound, marginal_bound
from ddpm_spec.proofs.engine import Derivation, Expectation
from ddpm_spec.proofs.sums import for_this_T
from ddpm_spec.proofs.zero import UnitInterval, is_zero


def symbolic_chain(steps: int) -> Chain:
    """A path whose every α_t, x_t and reverse law is a letter."""
    alphas, table, alpha_bar = [UnitInterval(f"alpha_{n}") for n in range(1, steps + 1)], [], sp.Integer(1)
    for alpha in alphas:
        prev, alpha_bar = alpha_bar, forward.alpha_bar(alpha, alpha_bar)
        table.append(Step(1 - alpha, alpha, alpha_bar, prev, 1 - alpha_bar, 1 - prev))
    x = sp.symbols(f"x_0:{steps + 1}", real=True)
    model = [
        (sp.Symbol(f"mu_{n}", real=True), sp.Symbol(f"s_{n}", positive=True)) for n in range(1, steps + 1)
    ]
    data = sp.Symbol("m", real=True), sp.Symbol("v", positive=True)
    return Chain(table, x, data, model)


def pathwise(derivation: Derivation) -> list[sp.Expr]:
    """The lines that are equal on every path: those before something is averaged."""
    lines = [line for line in derivation.lines if not isinstance(line.rule, path.Average)]
    return [line.form.integrand.value for line in lines if isinstance(line.form, Expectation)]


def rational_chain(steps: int) -> Chain:
    """A path of rational numbers on a schedule with rational roots, for sympy."""
    levels = [Fraction(n, steps + 2) for n in range(steps + 1)]
    table = [Step(*map(sp.Rational, rational_step(low, high))) for low, high in pairwise(levels)]
    x = [sp.Rational(7 * n % 5 - 2, n + 1) for n in range(steps + 1)]
    model = [(sp.Rational(n % 3 - 1, n + 1), sp.Rational(n + 1, 3)) for n in range(steps)]
    return Chain(table, x, (sp.Rational(1, 3), sp.Rational(5, 7)), model)


CASES = {
    "Eq. 5, T = 2, every value a letter": (divergence_bound.SUM, symbolic_chain(2)),
    **{f"Eq. 5, T = {n}, one path": (divergence_bound.SUM, rational_chain(n)) for n in (2, 3, 4, 5)},
    **{f"Eq. 16, T = {n}, one path": (marginal_bound.MARGINAL, rational_chain(n)) for n in (2, 3, 4, 5)},
}


@pytest.mark.parametrize(("derivation", "chain"), CASES.values(), ids=CASES)
def test_appendix_a_on_real_densities(derivation: Derivation, chain: Chain) -> None:
    """Every line of the derivation at this T, with the real normal laws in the place of the letters."""
    first, *rest = (for_this_T(line, len(chain.steps), chain) for line in pathwise(derivation))
    for line in rest:
        assert is_zero(first - line).proved


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """T = 2..5, a rational schedule, a rational path, normal data and a normal reverse law."""
    fractions = st.fractions(min_value=Fraction(1, 12), max_value=Fraction(11, 12), max_denominator=12)
    levels = [Fraction(0), *sorted(draw(st.sets(fractions, min_size=2, max_size=5)))]
    steps = [rational_step(low, high) for low, high in pairwise(levels)]
    small = st.fractions(min_value=-2, max_value=2, max_denominator=6)
    spreads = st.fractions(min_value=Fraction(1, 6), max_value=2, max_denominator=6)
    x = draw(st.lists(small, min_size=len(steps) + 1, max_size=len(steps) + 1))
    model = [(draw(small), draw(spreads)) for _ in steps]
    return Chain(steps, x, (draw(small), draw(spreads)), model)


@settings(max_examples=15)
@given(chain=chains())
def test_the_forms_of_the_bound_agree_on_every_path(recorder: Recorder, chain: Chain) -> None:
    """Eqs. 3, 21 and 25 for T = 2..5, by `==`."""
    claim = "on any path Eqs. 18, 21 and 25 are one number"
    formulas = (
        bound.path_bound,
        bound.divergence_bound,
        bound.marginal_bound,
        posterior.posterior_mean,
        posterior.posterior_variance,
        gaussian.linear_mean,
        gaussian.linear_variance,
    )
    with recorder.observe("exact law", claim, *formulas):
        last = len(chain.steps)
        prior = chain("prior", last)
        eq_18 = bound.path_bound(prior, along(chain, "p"), along(chain, "q_step"))
        eq_21 = bound.divergence_bound(
            chain("q_given", last) - prior,
            along(chain, "q_posterior", 2) - along(chain, "p", 2),
            -chain("p", 1),
        )
        eq_25 = bound.marginal_bound(
            chain("q_marginal", last) - prior,
            along(chain, "q_reverse") - along(chain, "p"),
            -chain("q_marginal", 0),
        )
        assert eq_18 == eq_21 == eq_25


@settings(max_examples=15)
@given(chain=chains())
def test_bayes(recorder: Recorder, chain: Chain) -> None:
    claim = "the two Bayes steps of App. A hold at every step of every path"
    formulas = (
        posterior.posterior_mean,
        posterior.posterior_variance,
        gaussian.linear_mean,
        gaussian.linear_variance,
    )
    with recorder.observe("exact law", claim, *formulas):
        for n in range(1, len(chain.steps) + 1):
            step = chain("q_step", n)
            assert step == chain("q_reverse", n) + chain("q_marginal", n) - chain("q_marginal", n - 1)
            if n > 1:
                assert step == chain("q_posterior", n) + chain("q_given", n) - chain("q_given", n - 1)
