"""The bound: Appendix A on real densities, exact expectations of its three forms, and what must be refused.

Numbers are fractions and logarithms exact wherever the comparison is by `==`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rational import numbers, rational_step, rational_steps
from refused import Wrong, check_refused
from rounding import UNIT
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from ddpm_spec.diffusion import Diffusion
from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import bound, forward, gaussian, objective, posterior, reverse, sampling
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import log, one, sqrt, total
from ddpm_spec.ops.typeset import Steps, T, Term, letter, rows, t
from ddpm_spec.proofs import FalseStep, path
from ddpm_spec.proofs import bound as proofs
from ddpm_spec.proofs.engine import By, Derivation, Expectation, Line, Value, Within
from ddpm_spec.proofs.gaussian import KL
from ddpm_spec.proofs.letters import X_PREV, X_T, positive
from ddpm_spec.proofs.path import PRIOR, Q_GIVEN, Q_MARGINAL, Q_POSTERIOR, Q_REVERSE, Q_STEP, P, Q
from ddpm_spec.proofs.sums import Identity, for_every_T, for_this_T
from ddpm_spec.proofs.zero import UnitInterval, is_zero
from ddpm_spec.schedule import linear_schedule

# ------------------------------------------------------------------- the real densities along one path


class Chain:
    """Log-densities of a path x_0..x_T by the formulas, for any numbers; the data are N(m, v)."""

    def __init__(self, steps: Sequence[Step], x: Sequence[Any], data: tuple[Any, Any], model: Any) -> None:
        self.steps, self.x, self.data, self.model = steps, x, data, model

    def __call__(self, name: str, n: int) -> Any:
        """The logarithm of the density of this name at step n."""
        x, last = self.x, len(self.steps)
        at = self.steps[n - 1] if n else None
        match name:
            case "prior":
                assert n == last
                return gaussian.log_density(x[n], 0, one(x[n]))
            case "p":
                mean, variance_p = self.model[n - 1]
                return gaussian.log_density(x[n - 1], mean, variance_p)
            case "q_step":
                return gaussian.log_density(
                    x[n], forward.q_step_mean(x[n - 1], at), forward.q_step_variance(at)
                )
            case "q_given":
                return gaussian.log_density(x[n], forward.q_mean(x[0], at), forward.q_variance(at))
            case "q_posterior":
                mean = posterior.posterior_mean(x[0], x[n], at)
                return gaussian.log_density(x[n - 1], mean, posterior.posterior_variance(at))
            case "q_marginal":
                return gaussian.log_density(x[n], *self.marginal(n))
            case "q_reverse":
                return gaussian.log_density(x[n - 1], *self.reverse(n))
        raise KeyError(name)

    def marginal(self, n: int) -> tuple[Any, Any]:
        """Mean and variance of q(x_n): those of q(x_{n−1}) taken one step further."""
        mean, spread = self.data
        for at in self.steps[:n]:
            mean = gaussian.linear_mean(mean, sqrt(at.alpha))
            spread = gaussian.linear_variance(spread, at.alpha, at.beta)
        return mean, spread

    def reverse(self, n: int) -> tuple[Any, Any]:
        """Mean and variance of q(x_{n−1} | x_n), by the covariance of the two."""
        (mean_prev, spread_prev), (mean, spread) = self.marginal(n - 1), self.marginal(n)
        gain = sqrt(self.steps[n - 1].alpha) * spread_prev / spread
        return mean_prev + gain * (self.x[n] - mean), spread_prev - gain**2 * spread


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
    "Eq. 5, T = 2, every value a letter": (proofs.SUM, symbolic_chain(2)),
    **{f"Eq. 5, T = {n}, one path": (proofs.SUM, rational_chain(n)) for n in (2, 3, 4, 5)},
    **{f"Eq. 16, T = {n}, one path": (proofs.MARGINAL, rational_chain(n)) for n in (2, 3, 4, 5)},
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


def along(chain: Chain, name: str, first: int = 1) -> np.ndarray:
    """The log-densities of this name for t = first..T."""
    return np.array([chain(name, n) for n in range(first, len(chain.steps) + 1)], dtype=object)


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


# --------------------------------------------------------------------------------- exact expectations

# A draw of ±1 has the mean, variance and third moment of a standard normal. Where the integrand is of
# degree two in the draws, the average over all signs is therefore the expectation over normal draws.


def step_of(m: Fraction, alpha_bar_prev: Fraction) -> Step:
    """A step with rational roots of α_t and β_t."""
    alpha = ((1 - m**2) / (1 + m**2)) ** 2
    alpha_bar = forward.alpha_bar(alpha, alpha_bar_prev)
    return Step(1 - alpha, alpha, alpha_bar, alpha_bar_prev, 1 - alpha_bar, 1 - alpha_bar_prev)


def steps_of(slopes: Sequence[Fraction]) -> list[Step]:
    steps: list[Step] = []
    for m in slopes:
        steps.append(step_of(m, steps[-1].alpha_bar if steps else Fraction(1)))
    return steps


SLOPES = st.sampled_from([Fraction(1, 4), Fraction(1, 3), Fraction(1, 2), Fraction(2, 3)])
SMALL = st.fractions(min_value=-1, max_value=1, max_denominator=4)
SPREADS = st.fractions(min_value=Fraction(1, 4), max_value=2, max_denominator=4)


@st.composite
def affine_models(draw: st.DrawFn) -> tuple[list[Step], Fraction, Fraction, list[tuple[Fraction, ...]]]:
    """T = 2 or 3; data N(m, s²); the reverse law N(a_t + b_t x_t, c_t)."""
    steps = steps_of(draw(st.lists(SLOPES, min_size=2, max_size=3)))
    return steps, draw(SMALL), draw(SPREADS), [(draw(SMALL), draw(SMALL), draw(SPREADS)) for _ in steps]


def sign_paths(steps: Sequence[Step], m: Fraction, s: Fraction, model: Sequence[Any]) -> list[Chain]:
    """Every path whose draws are ±1."""
    found = []
    for z_0, *z in product((Fraction(1), Fraction(-1)), repeat=len(steps) + 1):
        x = [m + s * z_0]
        for at, sign in zip(steps, z, strict=True):
            x.append(sampling.p_sample(forward.q_step_mean(x[-1], at), forward.q_step_variance(at), sign))
        laws = [(a + b * x[n], c) for n, (a, b, c) in enumerate(model, start=1)]
        found.append(Chain(steps, x, (m, s**2), laws))
    return found


def average(values: Sequence[Any]) -> Any:
    return sum(values[1:], start=values[0]) / len(values)


@settings(max_examples=8)
@given(case=affine_models())
def test_three_forms_have_one_expectation(recorder: Recorder, case: Any) -> None:
    """E L by Eqs. 3, 5 and 16, normal data, an affine reverse process: three exact numbers, one value."""
    claim = "for normal data Eqs. 3, 5 and 16 have one exact expectation"
    formulas = (
        bound.path_bound,
        bound.divergence_bound,
        bound.marginal_bound,
        bound.prior_term,
        bound.step_term,
        gaussian.kl,
        gaussian.entropy,
    )
    with recorder.observe("exact law", claim, *formulas):
        steps, m, s, model = case
        last, eq_3, eq_5, kls = len(steps), [], [], []
        for chain in sign_paths(steps, m, s, model):
            x = chain.x
            prior = chain("prior", last)
            eq_3.append(bound.path_bound(prior, along(chain, "p"), along(chain, "q_step")))
            terms = [
                bound.step_term(x[0], x[n], *chain.model[n - 1], steps[n - 1]) for n in range(2, last + 1)
            ]
            l_t = bound.prior_term(x[0], steps[-1])
            eq_5.append(bound.divergence_bound(l_t, np.array(terms), -chain("p", 1)))
            kls.append([gaussian.kl(*chain.reverse(n), *chain.model[n - 1]) for n in range(1, last + 1)])
        of_prior = gaussian.kl(*chain.marginal(last), 0, Fraction(1))
        means = np.array([average(column) for column in zip(*kls, strict=True)])
        eq_16 = bound.marginal_bound(of_prior, means, gaussian.entropy(s**2))
        assert average(eq_3) == average(eq_5) == eq_16


@given(
    x_0=SMALL,
    slopes=st.lists(SLOPES, min_size=1, max_size=4),
    rest=st.lists(SMALL, min_size=4, max_size=4),
)
def test_the_exact_reverse_process_makes_eq_3_an_equality(
    recorder: Recorder, x_0: Fraction, slopes: list[Fraction], rest: list[Fraction]
) -> None:
    """For N(0, 1) data every q(x_t) is N(0, 1), as p(x_T) is, and q(x_{t−1} | x_t) = N(√α_t x_t, β_t)."""
    claim = "with the exact reverse process of N(0, 1) data Eq. 3 is −log p(x_0) on every path"
    with recorder.observe("exact law", claim, bound.path_bound, gaussian.log_density):
        steps = steps_of(slopes)
        x = [x_0, *rest[: len(steps)]]
        model = [(sqrt(at.alpha) * x[n], at.beta) for n, at in enumerate(steps, start=1)]
        chain = Chain(steps, x, (Fraction(0), Fraction(1)), model)
        cost = bound.path_bound(chain("prior", len(steps)), along(chain, "p"), along(chain, "q_step"))
        assert cost == -gaussian.log_density(x_0, 0, Fraction(1))


@settings(max_examples=10)
@given(case=affine_models())
def test_eq_3_is_a_bound_and_its_gap_a_divergence(recorder: Recorder, case: Any) -> None:
    """E_q of Eq. 3 at one x_0, less −log p_θ(x_0), is D_KL(q(x_{1:T} | x_0) ‖ p_θ(x_{1:T} | x_0)) by torch.

    p_θ(x_{0:T}) is one normal law, built from the reverse process, marginalised and conditioned by matrices.
    """
    claim = "Eq. 3 exceeds −log p(x_0) by the divergence of the two laws of the path"
    with recorder.observe("oracle", claim, bound.path_bound, gaussian.log_density):
        steps, m, _, model = case
        last = len(steps)
        costs = [
            bound.path_bound(chain("prior", last), along(chain, "p"), along(chain, "q_step"))
            for chain in sign_paths(steps, m, Fraction(0), model)
        ]
        ours = float(average(costs))

        # x_T ~ N(0, 1), then x_{t−1} = a + b x_t + noise: means and covariances of (x_0, …, x_T).
        mean, cov = np.zeros(last + 1), np.zeros((last + 1, last + 1))
        cov[last, last] = 1.0
        for n in range(last, 0, -1):
            a, b, c = (float(value) for value in model[n - 1])
            mean[n - 1] = a + b * mean[n]
            cov[n - 1, n:] = cov[n:, n - 1] = b * cov[n, n:]
            cov[n - 1, n - 1] = b * b * cov[n, n] + c
        gain = cov[1:, 0] / cov[0, 0]
        p = MultivariateNormal(
            torch.tensor(mean[1:] + gain * (float(m) - mean[0])),
            torch.tensor(cov[1:, 1:] - np.outer(gain, cov[0, 1:])),
        )
        evidence = -0.5 * (float(m) - mean[0]) ** 2 / cov[0, 0] - 0.5 * math.log(2 * math.pi * cov[0, 0])

        q_mean, q_cov, scale, spread = np.zeros(last), np.zeros((last, last)), 1.0, 0.0
        for n, at in enumerate(steps):
            root, noise = math.sqrt(float(at.alpha)), float(at.beta)
            q_cov[n, :n] = q_cov[:n, n] = root * q_cov[n - 1, :n] if n else 0.0
            scale, spread = root * scale, root**2 * spread + noise
            q_mean[n], q_cov[n, n] = scale * float(m), spread
        q = MultivariateNormal(torch.tensor(q_mean), torch.tensor(q_cov))
        gap = kl_divergence(q, p).item()
        assert gap >= 0
        # Two 3×3 factorisations; variances lie in 0.1..10, so condition numbers are below 1e4.
        assert ours + evidence == pytest.approx(gap, abs=1e4 * 64 * U * (1 + abs(ours)))


U = UNIT[torch.float64]


@pytest.mark.parametrize("sigma", ["beta", "beta_tilde"])
def test_the_shipped_bound_has_one_exact_expectation(recorder: Recorder, sigma: Any) -> None:
    """`path_bound` and `bound` of the model, averaged over every draw of ±1, agree for an affine network.

    L_0 is not of degree two, but it is the same function of (x_0, z_1) in both.
    """
    claim = "the shipped path_bound and bound have one exact expectation"
    formulas = (bound.path_bound, bound.divergence_bound, bound.step_term, bound.prior_term)
    with recorder.observe("oracle", claim, *formulas):
        last = 8
        model = Diffusion(linear_schedule(last, 0.02, 0.4), sigma)
        draws = torch.tensor(list(product((1.0, -1.0), repeat=last)), dtype=torch.float64)
        values = torch.arange(17, dtype=torch.float64) * 2 / 16 - 1
        x_0 = values.repeat_interleave(len(draws)).reshape(-1, 1, 1, 1)

        def noise(step: int) -> Tensor:
            return draws[:, step - 1].repeat(len(values)).reshape(-1, 1, 1, 1)

        def network(x: Tensor, step: Tensor) -> Tensor:
            return 0.3 * x + 0.1

        by_path = model.path_bound(network, x_0, 17, noise).reshape(len(values), -1)
        by_terms = model.bound(network, x_0, 17, noise).total.reshape(len(values), -1)
        difference = (by_path.mean(dim=1) - by_terms.mean(dim=1)).abs().max().item()
        # 2T + 1 terms, each below the largest bound plus 50 nats of constants, 16 roundings each.
        size = by_path.abs().max().item() + 50
        assert difference <= (2 * last + 1) * 16 * U * size
        assert (by_path - by_terms).abs().max().item() > 0.1, "the two agree on average only"


# ---------------------------------------------------------------------------------- Eqs. 8, 9 and 10


@given(at=rational_steps(first=False), x_0=SMALL, x_t=SMALL, mean=SMALL, sigma=SPREADS)
def test_eq_8(
    recorder: Recorder, at: Step, x_0: Fraction, x_t: Fraction, mean: Fraction, sigma: Fraction
) -> None:
    claim = "L_{t-1} is the distance of the means and the constant C"
    formulas = (bound.step_term, bound.mean_distance, bound.variance_mismatch)
    with recorder.observe("exact law", claim, *formulas):
        distance = bound.mean_distance(posterior.posterior_mean(x_0, x_t, at), mean, sigma)
        constant = bound.variance_mismatch(posterior.posterior_variance(at), sigma)
        assert bound.step_term(x_0, x_t, mean, sigma, at) == constant + distance
        assert float(constant) >= 0
        assert bound.variance_mismatch(sigma, sigma) == 0


@given(at=rational_steps(first=False), x_0=numbers, eps=numbers, mean=numbers, sigma=SPREADS)
def test_eqs_9_and_10(
    recorder: Recorder, at: Step, x_0: Fraction, eps: Fraction, mean: Fraction, sigma: Fraction
) -> None:
    """At the x_t of (x_0, ε): Eq. 8, Eq. 9 with x_0 implied, and Eq. 10, by `==`."""
    claim = "Eqs. 8, 9 and 10 are one number"
    formulas = (
        bound.mean_distance,
        posterior.posterior_mean,
        reverse.predict_x_0,
        reverse.mean_from_eps,
        forward.q_sample,
    )
    with recorder.observe("exact law", claim, *formulas):
        x_t = forward.q_sample(x_0, eps, at)
        eq_8 = bound.mean_distance(posterior.posterior_mean(x_0, x_t, at), mean, sigma)
        implied = reverse.predict_x_0(x_t, eps, at)
        eq_9 = bound.mean_distance(posterior.posterior_mean(implied, x_t, at), mean, sigma)
        eq_10 = bound.mean_distance(reverse.mean_from_eps(x_t, eps, at), mean, sigma)
        assert eq_8 == eq_9 == eq_10


@given(at=rational_steps(first=False), x_0=SMALL, eps=SMALL, eps_hat=SMALL, sigma=SPREADS)
def test_from_eq_5_to_eq_12(
    recorder: Recorder, at: Step, x_0: Fraction, eps: Fraction, eps_hat: Fraction, sigma: Fraction
) -> None:
    claim = "L_{t-1} under Eq. 11 is Eq. 12 plus C"
    formulas = (bound.step_term, bound.variance_mismatch, objective.eps_weight, objective.simple_loss)
    with recorder.observe("exact law", claim, *formulas):
        x_t = forward.q_sample(x_0, eps, at)
        term = bound.step_term(x_0, x_t, reverse.mean_from_eps(x_t, eps_hat, at), sigma, at)
        constant = bound.variance_mismatch(posterior.posterior_variance(at), sigma)
        assert term - constant == objective.eps_weight(sigma, at) * objective.simple_loss(eps, eps_hat)


@given(variances=st.tuples(st.floats(0.05, 20), st.floats(0.05, 20)))
def test_entropy(recorder: Recorder, variances: tuple[float, float]) -> None:
    with recorder.observe("oracle", "the entropy of a normal law is torch.distributions'", gaussian.entropy):
        for v in variances:
            theirs = torch.distributions.Normal(0.0, torch.tensor(v, dtype=torch.float64).sqrt()).entropy()
            assert gaussian.entropy(v) == pytest.approx(theirs.item(), abs=8 * U * (2 + abs(math.log(v))))


# ------------------------------------------------------------------------------------- what is refused

RATIOS = total(Steps(log(P(t) / Q_POSTERIOR(t)), 2))
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
    number = len(proofs.SUM.lines)
    line = proofs.SUM.lines[-1]
    ratio = sign * log(Q_POSTERIOR(t)) - sign * log(P(t))
    return _changed(
        proofs.SUM, number, replace(line, rule=replace(line.rule, ratio=ratio, over=of, first=first))
    )


_STEP, _POST = Q_STEP(t), Q_POSTERIOR(t)
_SWAPPED = log(_POST) + log(Q_GIVEN(t - 1)) - log(Q_GIVEN(t))
_RIGHT = log(_POST) + log(Q_GIVEN(t)) - log(Q_GIVEN(t - 1))

REFUSED: dict[str, Callable[[], Derivation]] = {
    "Bayes with its marginals swapped": lambda: _with_rule(
        proofs.SUM, path.Put, identity=Identity(_STEP, _SWAPPED, first=2)
    ),
    "Bayes given x_0, used from t = 3 on": lambda: _with_rule(
        proofs.SUM, path.Put, identity=Identity(_STEP, _RIGHT, first=3)
    ),
    "Bayes without its condition": lambda: _with_rule(
        proofs.SUM,
        path.Put,
        meaning=(
            (_STEP, proofs._step()),
            (_POST, proofs._reverse()),
            (Q_GIVEN(t), proofs._given()),
            (Q_GIVEN(t - 1), proofs._given_prev()),
        ),
    ),
    "Bayes with the law of x_t for that of x_{t-1}": lambda: _with_rule(
        proofs.MARGINAL,
        path.Put,
        identity=Identity(_STEP, log(Q_REVERSE(t)) + log(Q_MARGINAL(t - 1)) - log(Q_MARGINAL(t))),
    ),
    "a divergence with the other sign": lambda: _average(-1, _POST),
    "a divergence averaged over the model": lambda: _average(1, P(t)),
    "a divergence by another lemma": lambda: _with_rule(
        proofs.SUM,
        path.Average,
        at=proofs._arguments(letter("0", t * 0), proofs.ONE, proofs.ZERO, proofs.ONE),
    ),
    "a lost decoder": lambda: _with_terms(
        proofs.SUM, len(proofs.SUM.lines), proofs.L_T(T), total(Steps(proofs.L_STEP(t), 2))
    ),
    "a divergence at t = 1 where the decoder is": lambda: _with_terms(
        proofs.SUM, len(proofs.SUM.lines), proofs.L_T(T), total(Steps(proofs.L_STEP(t), 1))
    ),
    "ratios with the other sign": lambda: _with_terms(
        proofs.SUM, 7, -log(PRIOR(T) / Q_GIVEN(T)), RATIOS, -log(P(1))
    ),
    "an entropy with the other sign": lambda: _with_terms(
        proofs.MARGINAL,
        len(proofs.MARGINAL.lines),
        proofs.KL_T(T),
        total(Steps(proofs.KL_STEP(t), 1)),
        -proofs.ENTROPY(0),
    ),
    "Jensen the other way round": lambda: Derivation(
        "a test",
        (),
        (
            Line(proofs.PATH.lines[2].form, "start"),
            replace(proofs.PATH.lines[2], form=proofs.PATH.lines[1].form),
        ),
        proofs.PATH.lines[1].form,
    ),
    "Jensen for another ratio": lambda: _with_rule(proofs.PATH, path.Jensen, ratio=path.JOINT),
    "Jensen as an equality": lambda: _changed(proofs.PATH, 3, Line(proofs.PATH.lines[2].form, "an equality")),
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
        (Line(Value(X_T), "start"), Line(Value(X_T + 1), "wrong", Within(proofs.ELIMINATED))),
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
    number, line = len(proofs.SUM.lines), proofs.SUM.lines[-1]
    squared = log(P(1)) * log(P(1))
    before = Expectation(proofs.SUM.lines[-2].form.integrand + squared, Q)
    after = Expectation(line.form.integrand + squared, Q)
    derivation = Derivation("a test", (), (Line(before, "start"), replace(line, form=after)), after)
    assert number > 2
    with pytest.raises(FalseStep, match="sums of logarithms only"):
        derivation.check()


WRONG: dict[str, Wrong] = {
    "Eq. 3, the prior lost": (
        bound.path_bound,
        lambda log_prior, log_p, log_q: -total(log_p - log_q),
        proofs._path,
    ),
    "Eq. 3, a sign": (
        bound.path_bound,
        lambda log_prior, log_p, log_q: -log_prior + total(log_p - log_q),
        proofs._path,
    ),
    "Eq. 5, L_0 lost": (
        bound.divergence_bound,
        lambda prior, steps, decoder: prior + total(steps),
        proofs._sum,
    ),
    "Eq. 5, the prior twice": (
        bound.divergence_bound,
        lambda prior, steps, decoder: prior + total(steps) + decoder + prior,
        proofs._sum,
    ),
    "Eq. 16, the entropy subtracted": (
        bound.marginal_bound,
        lambda prior, steps, entropy: prior + total(steps) - entropy,
        proofs._marginal_form,
    ),
    "Eq. 8, no 2": (
        bound.mean_distance,
        lambda target, mean, variance: (target - mean) ** 2 / variance,
        proofs._distance,
    ),
    "Eq. 8, C without its logarithm": (
        bound.variance_mismatch,
        lambda posterior_variance, variance: (posterior_variance / variance - 1) / 2,
        proofs._distance,
    ),
    "Eq. 9, a distance that is not squared": (
        bound.mean_distance,
        lambda target, mean, variance: (target - mean) / (2 * variance),
        proofs._eliminated,
    ),
    "Eq. 10, the sign of the noise": (
        reverse.mean_from_eps,
        lambda x_t, eps, at: x_t + eps,
        proofs._target,
    ),
    "Eq. 20, β_t for β̃_t": (
        posterior.posterior_variance,
        lambda at: at.beta,
        proofs._bayes_given_x_0,
    ),
    "Eq. 24, the scale squared twice": (
        gaussian.linear_variance,
        lambda variance, scale_squared, noise_variance: scale_squared**2 * variance + noise_variance,
        proofs._bayes_marginal,
    ),
    "the term of Eq. 5 with its laws swapped": (
        bound.step_term,
        lambda x_0, x_t, mean, variance, at: mean,
        proofs._sum,
    ),
    "the entropy without its half": (
        gaussian.entropy,
        lambda variance: variance,
        proofs._entropy,
    ),
    "Eq. 12, α_t left out": (
        objective.eps_weight,
        lambda variance, at: at.beta**2 / (2 * variance * at.one_minus_alpha_bar),
        proofs._to_noise,
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_formula_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: Wrong) -> None:
    check_refused(monkeypatch, wrong)
