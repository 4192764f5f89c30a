"""Exact expectations of the three forms of the bound.

A draw of ±1 has the mean, variance and third moment of a standard normal. Where the integrand is of
degree two in the draws, the average over all signs is therefore the expectation over normal draws.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from proofs.bound.chains import Chain, along, steps_of
from rational import small, spreads
from rounding import UNIT
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from ddpm_spec.diffusion import Diffusion
from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import bound, forward, gaussian, sampling
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import sqrt
from ddpm_spec.schedule import linear_schedule

U = UNIT[torch.float64]


SLOPES = st.sampled_from([Fraction(1, 4), Fraction(1, 3), Fraction(1, 2), Fraction(2, 3)])


@st.composite
def affine_models(draw: st.DrawFn) -> tuple[list[Step], Fraction, Fraction, list[tuple[Fraction, ...]]]:
    """T = 2 or 3; data N(m, s²); the reverse law N(a_t + b_t x_t, c_t)."""
    steps = steps_of(draw(st.lists(SLOPES, min_size=2, max_size=3)))
    return steps, draw(small), draw(spreads), [(draw(small), draw(small), draw(spreads)) for _ in steps]


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
    x_0=small,
    slopes=st.lists(SLOPES, min_size=1, max_size=4),
    rest=st.lists(small, min_size=4, max_size=4),
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


@given(variances=st.tuples(st.floats(0.05, 20), st.floats(0.05, 20)))
def test_entropy(recorder: Recorder, variances: tuple[float, float]) -> None:
    with recorder.observe("oracle", "the entropy of a normal law is torch.distributions'", gaussian.entropy):
        for v in variances:
            theirs = torch.distributions.Normal(0.0, torch.tensor(v, dtype=torch.float64).sqrt()).entropy()
            assert gaussian.entropy(v) == pytest.approx(theirs.item(), abs=8 * U * (2 + abs(math.log(v))))
