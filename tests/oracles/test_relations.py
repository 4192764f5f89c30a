"""Exact relations between the oracles and the shipped model: each number is reached by two roads.

The oracles share no formula with the model (`test_outside.py` anchors them). Expectations are taken over
x_0 and ε, as the paper writes them, on one side, and over x_t by the oracle on the other. Tolerances are
16 u times the sizes added, times the largest amplification on the way (1/√ᾱ_T = 4 here), plus the errors
that the quadratures state.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from oracles.examples import DATA, LINES, SHORT
from torch import Tensor

from ddpm_spec.choices import Variance
from ddpm_spec.diffusion import Diffusion
from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import bound, forward, gaussian, objective, posterior, reverse, sampling, variance
from ddpm_spec.oracles import bound as oracle
from ddpm_spec.oracles.chain import reverse_step, sampler_marginals
from ddpm_spec.oracles.mixture import Mixture
from ddpm_spec.oracles.mixture import gaussian as normal

U = 2.0**-53
T = SHORT.T
EACH = pytest.mark.parametrize("law", DATA.values(), ids=DATA)
EACH_LINE = pytest.mark.parametrize("law", LINES.values(), ids=LINES)
VARIANCES = pytest.mark.parametrize("choice", ["beta", "beta_tilde"])
AFFINE = pytest.mark.parametrize("law", [x for x in DATA.values() if len(x.weights) == 1])
SHAPE = (-1, 1, 1, 1)


def sigma_squared(choice: Variance, law: Mixture, t: int) -> float:
    """σ_t², β̃_t from the oracle's own posterior."""
    return SHORT.steps.beta[t].item() if choice == "beta" else oracle.posterior(law, t).variance


def times(t: int, x: Tensor) -> Tensor:
    return torch.full((len(x),), t)


def over_data_and_noise(law: Mixture) -> tuple[Tensor, Tensor, Tensor]:
    """x_0, ε and weights of the product rule over x_0 ~ law and ε ~ N(0, 1), in one dimension."""
    axis = torch.linspace(-9, 9, 601, dtype=torch.float64)
    noise_weights = torch.exp(-(axis**2) / 2)
    noise_weights = noise_weights / noise_weights.sum()
    x_0, weights = [], []
    for w, m, c in zip(law.weights, law.means[:, 0], law.covariances[:, 0, 0], strict=True):
        coarse = axis[::5]
        part = torch.exp(-(coarse**2) / 2) if c > 0 else torch.ones(1, dtype=torch.float64)
        x_0.append(m + c.sqrt() * coarse if c > 0 else m[None])
        weights.append(w * part / part.sum())
    data, data_weights = torch.cat(x_0), torch.cat(weights)
    pairs = torch.cartesian_prod(data, axis)
    return pairs[:, :1], pairs[:, 1:], torch.cartesian_prod(data_weights, noise_weights).prod(dim=1)


@EACH
@pytest.mark.parametrize("t", [1, 2, 7, 12])
def test_tweedie(recorder: Recorder, law: Mixture, t: int) -> None:
    claim = "Eq. 15 at −√(1−ᾱ)∇log q is the mean of x_0 given x_t"
    with recorder.observe("oracle", claim, reverse.predict_x_0):
        x = torch.randn(50, law.D, dtype=torch.float64, generator=torch.Generator().manual_seed(t))
        at = SHORT.at(torch.tensor(t), like=x)
        eps = -(law.level(t)[1] ** 0.5) * law.score(x, t)
        assert reverse.predict_x_0(x, eps, at).numpy() == pytest.approx(
            law.posterior_mean(x, t).numpy(), abs=1e-12
        )
        assert law.eps(x, times(t, x)).numpy() == pytest.approx(eps.numpy(), abs=1e-12)


@EACH
@pytest.mark.parametrize("t", [2, 7, 12])
def test_reverse_mean_is_the_conditional_mean(recorder: Recorder, law: Mixture, t: int) -> None:
    """The tower property, and C4: from Cov(x_{t−1}, x_t) = √α Cov(x_{t−1}) in each component."""
    claim = "Eq. 11 at the best prediction is the mean of x_{t-1} given x_t, and (x_t + β∇log q)/√α"
    with recorder.observe("oracle", claim, reverse.mean_from_eps):
        x = torch.randn(50, law.D, dtype=torch.float64, generator=torch.Generator().manual_seed(t))
        alpha, beta = SHORT.steps.alpha[t].item(), SHORT.steps.beta[t].item()
        (before, wide), (after, wider) = law.components(t - 1), law.components(t)
        pulls = torch.linalg.solve(wider, (x[:, None] - after).unsqueeze(-1))
        means = before + alpha**0.5 * (wide @ pulls).squeeze(-1)
        expected = (law.shares(x, t)[..., None] * means).sum(dim=1)
        ours = reverse.mean_from_eps(x, law.eps(x, times(t, x)), SHORT.at(torch.tensor(t), like=x))
        assert ours.numpy() == pytest.approx(expected.numpy(), abs=1e-12)
        langevin = (x + beta * law.score(x, t)) / alpha**0.5
        assert ours.numpy() == pytest.approx(langevin.numpy(), abs=1e-12)


@EACH_LINE
@pytest.mark.parametrize("t", [1, 4, 12])
def test_least_loss_is_the_conditional_variance_of_the_noise(
    recorder: Recorder, law: Mixture, t: int
) -> None:
    """E(ε − ε*)² = ᾱ E Var(x_0 | x_t)/(1−ᾱ), and a network moved by δ(x_t) pays E δ² more (Vincent)."""
    claim = "the least loss is the variance of the noise given x_t, and any other network adds its distance"
    with recorder.observe("oracle", claim, objective.simple_loss, forward.q_sample):
        x_0, eps, weights = over_data_and_noise(law)
        at = SHORT.at(torch.tensor(t), like=x_0)
        x_t = forward.q_sample(x_0, eps, at)
        best, shift = law.eps(x_t, times(t, x_t)), torch.sin(3 * x_t) / 2
        loss = (weights[:, None] * objective.simple_loss(eps, best)).sum().item()
        alpha_bar, noise = law.level(t)
        spread = law.posterior_variance(t)
        assert loss == pytest.approx(alpha_bar / noise * spread.value, abs=spread.error / noise + 1e-12)
        moved = (weights[:, None] * objective.simple_loss(eps, best + shift)).sum().item()
        assert moved - loss == pytest.approx((weights[:, None] * shift**2).sum().item(), abs=1e-12)


@VARIANCES
@EACH_LINE
@pytest.mark.parametrize("t", [1, 2, 5, 12])
def test_terms_of_the_bound(recorder: Recorder, law: Mixture, choice: Variance, t: int) -> None:
    claim = "every term of the bound under the exact denoiser follows from E Var(x_0 | x_t)"
    model = Diffusion(SHORT, choice)
    x_0, eps, weights = over_data_and_noise(law)
    if t == 1 and law.covariances.any():
        return  # no grey levels, no decoder
    formulas = (bound.step_term, posterior.posterior_mean, posterior.posterior_variance, gaussian.kl)
    with recorder.observe("oracle", claim, *formulas, bound.decoder_term):
        shaped = [x.reshape(SHAPE) for x in (x_0, eps)]
        terms = model.bound_term(law.eps, shaped[0], times(t, x_0), shaped[1], levels=5)
        ours = (weights * terms).sum().item()
        if t == 1:
            first = SHORT.steps.beta[1].item() if choice == "beta" else oracle.posterior(law, 2).variance
            expected = oracle.decoder_term(law, first, 5)
        else:
            expected = oracle.step_term(law, t, sigma_squared(choice, law, t))
        assert ours == pytest.approx(expected.value, abs=expected.error + 1e-10)


@EACH
def test_prior_term(recorder: Recorder, law: Mixture) -> None:
    claim = "L_T depends on the data through E‖x_0‖² only"
    with recorder.observe("oracle", claim, bound.prior_term):
        at = SHORT.at(torch.tensor(T), like=law.means)
        total = 0.0
        for w, m, c in zip(law.weights, law.means, law.covariances, strict=True):
            # Two points on each principal axis have the mean and covariance of the component.
            sizes, axes = torch.linalg.eigh(c)
            spread = axes * (law.D * sizes.clamp(min=0)).sqrt()
            nodes = torch.cat([m + spread.mT, m - spread.mT])
            total += w.item() * bound.prior_term(nodes, at).sum(dim=1).mean().item()
        assert total == pytest.approx(oracle.prior_term(law), rel=64 * U)


@EACH
def test_bound_in_signal_to_noise_form(recorder: Recorder, law: Mixture) -> None:
    """For σ² = β̃ and t ≥ 2: L_{t−1} = ½ (SNR(t−1) − SNR(t)) E‖x_0 − x̂_0‖²."""
    claim = "for σ² = β̃ a step costs the drop in signal-to-noise times the error in x_0"
    with recorder.observe("oracle", claim, objective.eps_weight, posterior.posterior_variance):
        for t in range(2, T + 1):
            (before, before_noise), (alpha_bar, noise) = law.level(t - 1), law.level(t)
            snr_prev, snr = before / before_noise, alpha_bar / noise
            assert snr_prev > snr
            spread = law.posterior_variance(t).value
            at = SHORT.at(torch.tensor(t), like=law.means)
            weight = objective.eps_weight(posterior.posterior_variance(at), at).item()
            in_noise = weight * alpha_bar / noise * spread * law.D
            drop = (snr_prev - snr) / 2 * spread * law.D
            # The drop is a difference of two ratios, 1/β_t ≤ 50 times smaller than they are.
            assert in_noise == pytest.approx(drop, rel=16 * U * 50)
            step = oracle.step_term(law, t, oracle.posterior(law, t).variance).value
            assert step == pytest.approx(drop, rel=16 * U * 50, abs=1e-14)


@EACH
def test_information_lies_between_the_sums(law: Mixture) -> None:
    """dI/dSNR = ½ E‖x_0 − x̂_0‖², and the error rises with t: Σ over the steps encloses the information."""
    spread = {t: law.posterior_variance(t).value for t in range(1, T + 1)}
    information = {t: law.information(t).value for t in range(1, T + 1)}
    for t in range(2, T + 1):
        (before, before_noise), (alpha_bar, noise) = law.level(t - 1), law.level(t)
        half_drop = (before / before_noise - alpha_bar / noise) * law.D / 2
        gained = information[t - 1] - information[t]
        assert half_drop * spread[t - 1] <= gained + 1e-10
        assert gained <= half_drop * spread[t] + 1e-10


@EACH
def test_rate_is_at_least_the_information(recorder: Recorder, law: Mixture) -> None:
    """Eq. 16 less L_0: L_T + Σ L_{t−1} − I(x_0; x_1) is a sum of divergences of marginals, so it is ≥ 0.

    For normal data it is written out: D_KL(q(x_T) ‖ p) + Σ E D_KL(q(x_{t−1} | x_t) ‖ p_θ).
    """
    claim = "the rate exceeds I(x_0; x_1) by the divergences of Eq. 16"
    with recorder.observe("oracle", claim, bound.prior_term, bound.step_term, gaussian.kl):
        for choice in ("beta", "beta_tilde"):
            sigmas = {t: sigma_squared(choice, law, t) for t in range(2, T + 1)}
            rate = oracle.prior_term(law) + sum(oracle.step_term(law, t, s).value for t, s in sigmas.items())
            excess = rate - law.information(1).value
            assert excess >= -1e-10
            if len(law.weights) > 1:
                continue
            (mean,), (covariance,) = law.components(T)
            divergences = torch.distributions.kl_divergence(
                torch.distributions.MultivariateNormal(mean, covariance),
                torch.distributions.MultivariateNormal(
                    torch.zeros(law.D).double(), torch.eye(law.D).double()
                ),
            ).item()
            for t, s in sigmas.items():
                _, _, given = reverse_step(law, t)
                divergences += (given.trace() / s - law.D - torch.logdet(given / s)).item() / 2
            assert excess == pytest.approx(divergences, abs=1e-10)
        # The same rate by the shipped formulas, at one pair (x_0, x_t).
        at = SHORT.at(torch.tensor(T), like=law.means)
        x = law.means[:1]
        step = bound.step_term(x, x, x, torch.tensor(sigmas[T], dtype=torch.float64), at).sum()
        assert step + bound.prior_term(x, at).sum() >= 0


def test_unit_normal_data_pay_exactly_the_information(recorder: Recorder) -> None:
    claim = "N(0, I) with σ² = β pays I(x_0; x_1) and nothing more"
    with recorder.observe("oracle", claim, bound.step_term, forward.q_step_variance):
        law = normal(SHORT, torch.zeros(1), torch.eye(1))
        x_0, eps, weights = over_data_and_noise(law)
        model, rate = Diffusion(SHORT), oracle.prior_term(law)
        for t in range(2, T + 1):
            terms = model.bound_term(law.eps, x_0.reshape(SHAPE), times(t, x_0), eps.reshape(SHAPE), 5)
            rate += (weights * terms).sum().item()
        assert rate == pytest.approx(law.information(1).value, abs=1e-12)
        assert law.information(1).value == pytest.approx(-math.log(SHORT.steps.beta[1].item()) / 2, abs=1e-14)


@EACH
def test_optimal_variance_two_ways(recorder: Recorder, law: Mixture) -> None:
    """By E tr Cov(x_0 | x_t), and by the Fisher information E‖∇log q‖² of x_t; between β̃ and β/α."""
    claim = "the best σ_t² by posterior variance is that by Fisher information"
    with recorder.observe("oracle", claim, variance.explained_variance, posterior.posterior_variance):
        flat = law.reduced if not law.covariances.any() else law
        for t in (2, 6, 12):
            at = SHORT.at(torch.tensor(t), like=law.means)
            best = oracle.optimal_variance(law, t)
            spread = torch.tensor(law.posterior_variance(t).value, dtype=torch.float64)
            assert variance.explained_variance(spread, at).item() == pytest.approx(best.value, rel=64 * U)
            fisher = flat.expectation(lambda x, k: (flat.score(x, t) ** 2).sum(dim=1), t)  # noqa: B023
            noise = law.level(t)[1]
            alpha, beta = SHORT.steps.alpha[t].item(), SHORT.steps.beta[t].item()
            other = oracle.posterior(law, t).variance + beta**2 / (alpha * noise) * (
                1 - noise * fisher.value / law.D - (law.D - flat.D) / law.D
            )
            assert best.value == pytest.approx(other, abs=fisher.error + best.error + 1e-11)
            assert oracle.posterior(law, t).variance <= best.value * (1 + 8 * U)
            assert best.value <= beta / alpha * (1 + 8 * U)


@EACH
def test_posterior_variance_rises_with_t(law: Mixture) -> None:
    variances = [law.posterior_variance(t).value for t in range(1, T + 1)]
    assert all(a <= b * (1 + 1e-10) for a, b in pairwise(variances))
    total = law.posterior_variance(T).value + _explained(law, T)
    centred = law.means - law.weights @ law.means
    spread = (
        law.weights @ ((centred**2).sum(dim=1) + law.covariances.diagonal(dim1=-2, dim2=-1).sum(-1))
    ).item()
    assert total == pytest.approx(spread / law.D, abs=1e-10)


def _explained(law: Mixture, t: int) -> float:
    """Var(E[x_0 | x_t]) per coordinate: with what is left it is the variance of the data."""
    mean = law.weights @ law.means
    if len(law.weights) == 1:
        (_,), (after,) = law.components(t)
        alpha_bar = law.level(t)[0]
        gain = torch.linalg.solve(after, law.covariances[0]).mT
        return (alpha_bar * gain @ after @ gain.mT).trace().item() / law.D
    return law.expectation(lambda x, k: ((law.posterior_mean(x, t) - mean) ** 2).sum(dim=1), t).value / law.D


def test_data_at_a_point_cost_the_mismatch_of_variances(recorder: Recorder) -> None:
    claim = "data at a point cost C of Eq. 8 and nothing else"
    law = DATA["a point"]
    with recorder.observe("oracle", claim, bound.step_term, bound.variance_mismatch):
        for choice in ("beta", "beta_tilde"):
            for t in range(2, T + 1):
                s, beta_tilde = sigma_squared(choice, law, t), oracle.posterior(law, t).variance
                x_0 = law.means.reshape(1, 1, 1, 2)
                eps = torch.tensor([0.3, -1.2], dtype=torch.float64).reshape(1, 1, 1, 2)
                term = Diffusion(SHORT, choice).bound_term(law.eps, x_0, times(t, x_0), eps, 5).item()
                expected = beta_tilde / s - 1 - math.log(beta_tilde / s)
                assert term == pytest.approx(expected, abs=64 * U)
                ours = 2 * bound.variance_mismatch(*torch.tensor([beta_tilde, s], dtype=torch.float64))
                assert term == pytest.approx(ours.item(), abs=64 * U)


@VARIANCES
@AFFINE
def test_sampler_propagates_the_exact_laws(recorder: Recorder, law: Mixture, choice: Variance) -> None:
    """Mean and full covariance of every x_t of Algorithm 2; the model's step is read by calls at a basis."""
    claim = "with the exact denoiser Algorithm 2 has the exact marginals, correlations included"
    with recorder.observe("oracle", claim, reverse.mean_from_eps, sampling.p_sample):
        model = Diffusion(SHORT, choice)
        # The entry for t = 1 must not be used: the last step adds no noise.
        sigmas = [0.0, 0.5, *(sigma_squared(choice, law, t) for t in range(2, T + 1))]
        expected = sampler_marginals(law, torch.tensor(sigmas, dtype=torch.float64))
        zero, basis = torch.zeros(2, 2, dtype=torch.float64), torch.eye(2, dtype=torch.float64)
        mean, covariance = expected[0]
        for t, (mean_t, covariance_t) in zip(range(T, 0, -1), expected[1:], strict=True):
            a = p_sample(model, law.eps, zero, t, zero)
            slope = (p_sample(model, law.eps, basis, t, zero) - a).mT
            noise = (p_sample(model, law.eps, zero, t, basis) - a).mT
            mean = a[0] + slope @ mean
            covariance = slope @ covariance @ slope.mT + noise @ noise.mT
            assert mean.numpy() == pytest.approx(mean_t.numpy(), abs=1e-13)
            assert covariance.numpy() == pytest.approx(covariance_t.numpy(), abs=1e-13)


def p_sample(model: Diffusion, network: Callable[..., Tensor], x: Tensor, t: int, z: Tensor) -> Tensor:
    shape = (-1, 1, 1, 2)
    return model.p_sample(network, x.reshape(shape), t, z.reshape(shape)).reshape(-1, 2)
