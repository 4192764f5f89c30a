"""The model against normal data, for which every law of the reverse process is known exactly."""

import math
import re
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rounding import UNIT
from torch import Tensor

from ddpm_spec.choices import LEARNED, Convention, Prediction, Variance
from ddpm_spec.diffusion import BoundTerms, Diffusion, Network
from ddpm_spec.evidence import Recorder
from ddpm_spec.followups import learned_variance, v_prediction
from ddpm_spec.formulas import bound, decoder, forward, gaussian, objective, posterior, reverse, sampling
from ddpm_spec.oracles.gaussian import GaussianData
from ddpm_spec.schedule import Schedule, linear_schedule

PAPER = linear_schedule()
U = UNIT[torch.float64]
VARIANCES = pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
LAWS = pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (0.3, 0.37), (-0.8, 2.5), (0.6, 0.0)])


def step_coefficients(model: Diffusion, network: Callable[..., Tensor], t: int) -> tuple[float, float, float]:
    """(a, b, c) of the step x_{t−1} = a + b x_t + c z, read off the sampler at three points."""
    x_t, z = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64).reshape(2, 3, 1, 1, 1)
    a, at_one, with_noise = model.p_sample(network, x_t, t, z).flatten().tolist()
    return a, at_one - a, with_noise - a


@VARIANCES
@LAWS
def test_sampler_propagates_the_exact_marginals(
    recorder: Recorder, mean: float, spread: float, variance: Variance
) -> None:
    """Algorithm 2 with the exact denoiser: mean and variance of x_t for every t, no random numbers.

    The expected law is propagated with the conditional mean taken from covariances; the sampler's own
    σ_t² is β_t or, from the conditioning of normal laws, Var(x_{t−1} | x_t, x_0).
    """
    claim = "with the exact denoiser Algorithm 2 has the exact marginals"
    formulas = (reverse.mean_from_eps, sampling.p_sample)
    with recorder.observe("oracle", claim, *formulas):
        oracle, model = GaussianData(PAPER, mean, spread), Diffusion(PAPER, variance)
        ours, exact = (0.0, 1.0), (0.0, 1.0)
        for t in range(PAPER.T, 0, -1):
            a, b, c = step_coefficients(model, oracle.eps, t)
            ours = a + b * ours[0], b**2 * ours[1] + c**2
            a, b, _ = oracle.reverse_coefficients(t)
            given_x_0 = GaussianData(PAPER, mean, 0.0).reverse_coefficients(t)[2]
            sigma_squared = PAPER.steps.beta[t].item() if variance == "beta" else given_x_0
            exact = a + b * exact[0], b**2 * exact[1] + (sigma_squared if t > 1 else 0.0)
            # T steps of about 16 roundings each; the conditioned variances cancel by 1/β_1 = 1e4.
            tolerance = 16 * PAPER.T * U * 1e4
            assert ours == pytest.approx(exact, rel=tolerance, abs=tolerance)


def test_unit_normal_data_are_sampled_exactly(recorder: Recorder) -> None:
    """For x_0 ~ N(0, 1) and σ_t² = β_t every x_t of Algorithm 2 has variance 1 but x_0, shown noiseless."""
    claim = "N(0, 1) is a fixed point of Algorithm 2 with σ_t² = β_t"
    with recorder.observe("oracle", claim, reverse.mean_from_eps, sampling.p_sample):
        oracle, model = GaussianData(PAPER, 0.0, 1.0), Diffusion(PAPER, "beta")
        for t in range(PAPER.T, 0, -1):
            a, b, c = step_coefficients(model, oracle.eps, t)
            assert a == 0
            assert b**2 + (c**2 if t > 1 else PAPER.steps.beta[1].item()) == pytest.approx(1, rel=64 * U)


# Three-point Gauss–Hermite quadrature is exact for the moments up to the fifth, and the terms of the bound
# are of degree two in (x_0, ε) where the network is affine.
NODES = torch.tensor([-math.sqrt(3), 0.0, math.sqrt(3)], dtype=torch.float64)
WEIGHTS = torch.tensor([1 / 6, 2 / 3, 1 / 6], dtype=torch.float64)


@VARIANCES
@LAWS
@pytest.mark.parametrize("t", [2, 3, 10, 500, 1000])
def test_step_of_the_bound_is_the_exact_expectation(
    recorder: Recorder, mean: float, spread: float, variance: Variance, t: int
) -> None:
    """E L_{t−1} = ½ (log σ²/β̃ + (β̃ + E(μ̃ − μ)²)/σ² − 1), the last term by conditioning: c − β̃."""
    claim = "L_{t-1} of normal data under the exact denoiser is the closed form"
    formulas = (bound.step_term, gaussian.kl, posterior.posterior_mean, posterior.posterior_variance)
    with recorder.observe("oracle", claim, *formulas):
        oracle, model = GaussianData(PAPER, mean, spread), Diffusion(PAPER, variance)
        x_0 = (mean + math.sqrt(spread) * NODES).repeat_interleave(3).reshape(-1, 1, 1, 1)
        eps = NODES.repeat(3).reshape(-1, 1, 1, 1)
        weights = WEIGHTS.repeat_interleave(3) * WEIGHTS.repeat(3)
        terms = model.bound_term(oracle.eps, x_0, torch.full((9,), t), eps, levels=17)
        ours = (weights * terms).sum().item()

        beta_tilde = GaussianData(PAPER, mean, 0.0).reverse_coefficients(t)[2]
        optimal = oracle.reverse_coefficients(t)[2]
        sigma_squared = PAPER.steps.beta[t].item() if variance == "beta" else beta_tilde
        exact = (math.log(sigma_squared / beta_tilde) + optimal / sigma_squared - 1) / 2
        # The conditioned variances are differences of numbers 1/β_t times their size.
        size = (1 + optimal / sigma_squared) / PAPER.steps.beta[t].item()
        assert ours == pytest.approx(exact, abs=32 * U * size)


def test_the_optimal_network_minimises_the_loss(recorder: Recorder) -> None:
    """E(ε − ε*)² of normal data is ᾱ v / (ᾱ v + 1 − ᾱ), by the quadrature again."""
    claim = "the training loss under the exact denoiser is the conditional variance of the noise"
    with recorder.observe("oracle", claim, objective.simple_loss, forward.q_sample):
        mean, spread, model = 0.3, 0.37, Diffusion(PAPER)
        oracle = GaussianData(PAPER, mean, spread)
        for t in (1, 20, 400, 1000):
            total = 0.0
            for x, w in zip((mean + math.sqrt(spread) * NODES).tolist(), WEIGHTS.tolist(), strict=True):
                for e, v in zip(NODES.tolist(), WEIGHTS.tolist(), strict=True):
                    x_0 = torch.full((2, 1, 3, 5), x, dtype=torch.float64)
                    eps = torch.full_like(x_0, e)
                    total += w * v * model.loss(oracle.eps, x_0, torch.tensor([t, t]), eps).item()
            alpha_bar, noise = (
                table[t].item() for table in (PAPER.steps.alpha_bar, PAPER.steps.one_minus_alpha_bar)
            )
            exact = alpha_bar * spread / (alpha_bar * spread + noise)
            assert total == pytest.approx(exact, abs=64 * U)


SHORT = linear_schedule(12, 0.02, 0.4)


@VARIANCES
def test_eq_3_and_eq_5_have_one_expectation(recorder: Recorder, variance: Variance) -> None:
    """The bound by its definition, along paths of Eq. 2, against the sum of divergences.

    False-alarm rate 1e-7 (|z| ≤ 5.33) for each of the two variances. With a standard error below 0.01,
    a difference of 0.1 nats between the two is seen with certainty.
    """
    claim = "the bound by Eq. 3 has the expectation of the bound by Eq. 5"
    formulas = (forward.q_step_mean, forward.q_step_variance, gaussian.log_density, bound.step_term)
    with recorder.observe("oracle", claim, *formulas):
        model, oracle = Diffusion(SHORT, variance), GaussianData(SHORT, 0.1, 0.4)
        generator = torch.Generator().manual_seed(20201216)
        x_0 = (torch.randint(0, 17, (120_000, 1, 1, 1), generator=generator) * 2 / 16 - 1).double()

        def noise(t: int) -> Tensor:
            return torch.randn(x_0.shape, generator=generator, dtype=torch.float64)

        difference = (
            model.path_bound(oracle.eps, x_0, 17, noise) - model.bound(oracle.eps, x_0, 17, noise).total
        )
        error = difference.std().item() / math.sqrt(len(difference))
        assert error < 0.01
        assert abs(difference.mean().item()) <= 5.33 * error


@VARIANCES
def test_the_bound_is_above_the_entropy(recorder: Recorder, variance: Variance) -> None:
    """No model codes uniform grey levels in less than log 17 nats; the exact denoiser comes close.

    The terms are averaged over the 17 equally likely values and 4,000 draws of noise; the bound exceeds the
    entropy by more than 6 of its standard errors or the test fails.
    """
    claim = "no bound below the entropy of the data"
    with recorder.observe("oracle", claim, bound.decoder_term, bound.prior_term, bound.step_term):
        model = Diffusion(SHORT, variance)
        values = torch.arange(17, dtype=torch.float64) * 2 / 16 - 1
        x_0 = values.repeat(4000).reshape(-1, 1, 1, 1)
        generator = torch.Generator().manual_seed(7)

        def noise(t: int) -> Tensor:
            return torch.randn(x_0.shape, generator=generator, dtype=torch.float64)

        def network(x_t: Tensor, t: Tensor) -> Tensor:
            """E[ε | x_t] for the uniform law on the 17 values, by Bayes' rule on the lattice."""
            at = SHORT.at(t[:1], like=x_t)
            logits = -((x_t - at.alpha_bar.sqrt() * values) ** 2) / (2 * at.one_minus_alpha_bar)
            mean = (logits.softmax(dim=-1) * values).sum(dim=-1, keepdim=True)
            return (x_t - at.alpha_bar.sqrt() * mean) / at.one_minus_alpha_bar.sqrt()

        total = model.bound(network, x_0, 17, noise).total
        error = total.std().item() / math.sqrt(len(total))
        assert total.mean().item() - 6 * error > math.log(17)
        assert total.mean().item() < math.log(17) + 0.8


@given(draw=st.data())
def test_clipping_changes_nothing_where_nothing_is_clipped(draw: st.DataObject) -> None:
    t = draw.draw(st.integers(1, 1000))
    x_t = torch.tensor(draw.draw(st.lists(st.floats(-0.3, 0.3), min_size=4, max_size=4))).double()
    x_t = x_t.reshape(1, 1, 2, 2)
    at = PAPER.at(torch.tensor(t), like=x_t)

    def network(x: Tensor, t: Tensor) -> Tensor:
        """The noise that x_0 = x_t implies, so the prediction lies inside [−1, 1]."""
        return (x - at.alpha_bar.sqrt() * x) / at.one_minus_alpha_bar.sqrt()

    plain, _ = Diffusion(PAPER).reverse_law(network, x_t, torch.tensor([t]))
    clipped, _ = Diffusion(PAPER, convention="official").reverse_law(network, x_t, torch.tensor([t]))
    # Near t = T the two ways divide by √ᾱ_T = 1/157 and multiply again.
    assert torch.allclose(plain, clipped, rtol=0, atol=16 * U * 157)


def test_clipping_keeps_the_prediction_in_range() -> None:
    x_t = torch.full((1, 1, 1, 1), 0.5, dtype=torch.float64)
    mean, _ = Diffusion(PAPER, convention="official").reverse_law(
        lambda x, t: -1000 * torch.ones_like(x), x_t, torch.tensor([1])
    )
    assert mean.item() == pytest.approx(1.0, abs=4 * U)


def test_the_first_variance() -> None:
    """σ_1² = β_1 for σ² = β, and β̃_2 stands in for β̃_1 = 0, by the official convention for both."""
    one = torch.tensor([1])
    x = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    _, beta = Diffusion(PAPER, "beta").reverse_law(lambda x, t: x, x, one)
    _, tilde = Diffusion(PAPER, "beta_tilde").reverse_law(lambda x, t: x, x, one)
    _, tilde_2 = Diffusion(PAPER, "beta_tilde").reverse_law(lambda x, t: x, x, 2 * one)
    assert beta.item() == PAPER.steps.beta[1].item()
    _, official = Diffusion(PAPER, "beta", convention="official").reverse_law(lambda x, t: x, x, one)
    assert tilde.item() == tilde_2.item() == official.item() > 0


def test_last_step_adds_no_noise() -> None:
    x = torch.zeros(1, 1, 1, 1)
    ones = torch.ones_like(x)
    model = Diffusion(PAPER)
    assert model.p_sample(lambda x, t: x, x, 1, ones) == model.p_sample(lambda x, t: x, x, 1, 0 * ones)
    assert model.p_sample(lambda x, t: x, x, 2, ones) != model.p_sample(lambda x, t: x, x, 2, 0 * ones)


def test_sampler_asks_for_noise_in_order_and_calls_the_network_once_a_step() -> None:
    asked, called = [], []
    schedule = Schedule.from_betas([0.1, 0.2, 0.3])

    def noise(t: int) -> Tensor:
        asked.append(t)
        return torch.randn(2, 1, 3, 4)

    def network(x_t: Tensor, t: Tensor) -> Tensor:
        called.append(t.tolist())
        return x_t

    path = list(Diffusion(schedule).sample(network, noise))
    assert [x.shape for x in path] == [(2, 1, 3, 4)] * 3
    assert asked == [4, 3, 2]
    assert called == [[3, 3], [2, 2], [1, 1]]


def test_the_bound_is_the_sum_of_its_terms() -> None:
    """As many steps as examples: a term in the place of another would add up, to something else."""
    prior, steps, decoder = torch.tensor([1.0, 2.0]), torch.tensor([[3.0, 4.0], [5.0, 6.0]]), torch.ones(2)
    assert BoundTerms(prior, steps, decoder).total.tolist() == [9.0, 14.0]


def test_the_bound_asks_for_the_noise_of_every_step() -> None:
    schedule, x_0 = Schedule.from_betas([0.1, 0.2, 0.3]), torch.zeros(2, 1, 1, 1)
    for compute in (Diffusion(schedule).bound, Diffusion(schedule).path_bound):
        asked, called = [], []

        def noise(t: int, asked: list[int] = asked) -> Tensor:
            asked.append(t)
            return torch.ones(2, 1, 1, 1)

        def network(x_t: Tensor, t: Tensor, called: list[list[int]] = called) -> Tensor:
            called.append(t.tolist())
            return x_t

        compute(network, x_0, 17, noise)
        assert asked == [1, 2, 3]
        assert called == [[1, 1], [2, 2], [3, 3]]


def test_interpolation_meets_the_reconstructions() -> None:
    """At λ = 0 and 1 it is the decoding of one image; in between it moves on a line for an affine network."""
    schedule = linear_schedule(20, 0.01, 0.3)
    model, network = Diffusion(schedule), GaussianData(schedule, 0.1, 0.4).eps
    generator = torch.Generator().manual_seed(0)

    def draw(t: int) -> Tensor:
        seeded = torch.Generator().manual_seed(t)
        return torch.randn(2, 1, 3, 3, generator=seeded, dtype=torch.float64)

    images = torch.randn(2, 2, 1, 3, 3, generator=generator, dtype=torch.float64)
    t = torch.tensor([12, 12])
    latents = model.q_sample(images[0], t, draw(100)), model.q_sample(images[1], t, draw(101))
    ends = [list(model.decode(network, x_t, 12, draw))[-1] for x_t in latents]
    for weight, end in zip((0.0, 1.0), ends, strict=True):
        assert torch.equal(model.interpolate(network, latents, weight, 12, draw), end)
    middle = model.interpolate(network, latents, 0.25, 12, draw)
    assert torch.allclose(middle, 0.75 * ends[0] + 0.25 * ends[1], rtol=0, atol=64 * U * 20)


def test_batch_as_wide_as_the_image_is_not_mixed_up() -> None:
    """B == W: a (B,) coefficient broadcast along the width would go unnoticed by shapes."""
    model = Diffusion(PAPER)
    x_0, eps, t = torch.randn(4, 1, 3, 4), torch.randn(4, 1, 3, 4), torch.tensor([1, 10, 300, 1000])
    alone = [model.loss(lambda x, t: 0.5 * x, x_0[i : i + 1], t[i : i + 1], eps[i : i + 1]) for i in range(4)]
    together = model.loss(lambda x, t: 0.5 * x, x_0, t, eps)
    assert together.item() == pytest.approx(torch.stack(alone).mean().item(), rel=8 * UNIT[torch.float32])


def test_loss_is_formed_in_float32_when_the_network_is_not() -> None:
    x_0, eps = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    loss = Diffusion(PAPER).loss(
        lambda x, t: torch.zeros_like(x, dtype=torch.bfloat16), x_0, torch.tensor([5]), eps
    )
    assert loss.dtype == torch.float32


# What a network would have to give for each prediction, so that all describe the exact denoiser.
def exact(prediction: Prediction, oracle: GaussianData, *, log_variance: float | None = None) -> Network:
    """The best network for normal data, in terms of what it predicts."""

    def network(x_t: Tensor, t: Tensor) -> Tensor:
        at = oracle.schedule.at(t, like=x_t)
        eps = oracle.eps(x_t, t)
        x_0 = reverse.predict_x_0(x_t, eps, at)
        predicted = {
            "eps": eps, "x_0": x_0, "mu": posterior.posterior_mean(x_0, x_t, at),
            "v": v_prediction.velocity(x_0, eps, at),
        }[prediction]  # fmt: skip
        if log_variance is None:
            return predicted
        return torch.cat((predicted, torch.full_like(predicted, log_variance)), dim=1)

    return network


@pytest.mark.parametrize("t", [1, 2, 500, 1000])
def test_predictions_describe_one_law(recorder: Recorder, t: int) -> None:
    """The exact denoiser, told as noise, image, mean or velocity, gives the same p_θ(x_{t−1} | x_t)."""
    claim = "whatever is predicted leads to the same reverse mean, under both conventions"
    formulas = (
        reverse.mean_from_eps, posterior.posterior_mean, reverse.x_0_from_mean, v_prediction.x_0_from_v,
    )  # fmt: skip
    with recorder.observe("oracle", claim, *formulas):
        oracle, x_t = GaussianData(PAPER, 0.3, 0.37), torch.linspace(-2, 2, 9).double().reshape(1, 1, 3, 3)
        time = torch.tensor([t])
        # Eq. 15 and Eq. 7 solved for x_0 divide by √ᾱ_t and β_t; what is lost there returns by Eq. 7.
        at = PAPER.at(time, like=x_t)
        lost = (1 / at.alpha_bar.sqrt() + 1 / at.beta).item()
        for convention in get_args(Convention):
            laws = [
                Diffusion(PAPER, "beta", prediction, convention).reverse_law(
                    exact(prediction, oracle), x_t, time
                )
                for prediction in get_args(Prediction)
            ]
            for mean, variance in laws:
                assert torch.allclose(mean, laws[0][0], rtol=0, atol=16 * U * lost)
                assert torch.equal(variance, laws[0][1])


@pytest.mark.parametrize("prediction", get_args(Prediction))
def test_a_learned_variance_is_used(recorder: Recorder, prediction: Prediction) -> None:
    """The bound with log σ² given by the network is the closed form, minimal at the optimal variance."""
    claim = "L_{t-1} with a learned variance is the closed form"
    with recorder.observe("oracle", claim, reverse.learned_variance, bound.step_term):
        t, mean, spread = 20, 0.3, 0.37
        oracle = GaussianData(PAPER, mean, spread)
        model = Diffusion(PAPER, "learned", prediction)
        x_0 = (mean + math.sqrt(spread) * NODES).repeat_interleave(3).reshape(-1, 1, 1, 1)
        eps, weights = NODES.repeat(3).reshape(-1, 1, 1, 1), WEIGHTS.repeat_interleave(3) * WEIGHTS.repeat(3)
        beta_tilde = GaussianData(PAPER, mean, 0.0).reverse_coefficients(t)[2]
        optimal = oracle.reverse_coefficients(t)[2]
        for variance in (optimal / 2, optimal, optimal * 2):
            network = exact(prediction, oracle, log_variance=math.log(variance))
            terms = model.bound_term(network, x_0, torch.full((9,), t), eps, 17)
            exactly = (math.log(variance / beta_tilde) + optimal / variance - 1) / 2
            size = (1 + optimal / variance) / PAPER.steps.beta[t].item()
            assert (weights * terms).sum().item() == pytest.approx(exactly, abs=32 * U * size)


@pytest.mark.parametrize("prediction", ["x_0", "mu", "v"])
def test_the_loss_is_the_error_in_what_is_predicted(prediction: Prediction) -> None:
    """Off by a constant in every coordinate, the squared error is its square; exact, it is zero."""
    model, data = Diffusion(PAPER, prediction=prediction), GaussianData(PAPER, 0.25, 0.0)
    x_0 = torch.full((2, 1, 3, 5), 0.25, dtype=torch.float64)
    eps, t = torch.randn_like(x_0), torch.tensor([3, 700])
    network = exact(prediction, data)
    assert model.loss(network, x_0, t, eps).item() <= (64 * U * 157) ** 2
    off = model.loss(lambda x, t: network(x, t) + 0.5, x_0, t, eps)
    assert off.item() == pytest.approx(0.25, abs=1e-11)


def test_the_bound_as_a_loss_is_the_bound() -> None:
    """Averaged over every t it is (L − L_T)/T in bits/dim, term by term and to the last digit."""
    model, network = Diffusion(SHORT), GaussianData(SHORT, 0.1, 0.4).eps
    x_0 = (torch.arange(12).reshape(2, 2, 1, 3) * 2 / 16 - 1).double()
    generator = torch.Generator().manual_seed(3)
    eps = [torch.randn(x_0.shape, generator=generator, dtype=torch.float64) for _ in range(SHORT.T + 1)]
    terms = model.bound(network, x_0, 17, lambda t: eps[t])
    losses = [
        model.bound_loss(network, x_0, torch.tensor([t, t]), eps[t], 17).item() for t in range(1, SHORT.T + 1)
    ]
    expected = (terms.total - terms.prior).mean().item() / (6 * math.log(2))
    assert sum(losses) == pytest.approx(expected, rel=64 * U)


def test_the_bound_as_a_loss_mixes_first_and_later_steps() -> None:
    """A batch with t = 1 and t > 1 gives each its own term, and a finite gradient."""
    model = Diffusion(SHORT, "beta_tilde")
    x_0, eps = torch.full((2, 1, 2, 3), 0.5), torch.randn(2, 1, 2, 3)
    scale = torch.tensor(0.5, requires_grad=True)
    together = model.bound_term(lambda x, t: scale * x, x_0, torch.tensor([1, 5]), eps, 17)
    for i, t in enumerate((1, 5)):
        alone = model.bound_term(
            lambda x, t: scale * x, x_0[i : i + 1], torch.tensor([t]), eps[i : i + 1], 17
        )
        assert together[i].item() == pytest.approx(alone.item(), rel=8 * UNIT[torch.float32])
    (gradient,) = torch.autograd.grad(together.sum(), scale)
    assert torch.isfinite(gradient)


def test_a_learned_variance_has_a_finite_gradient_at_the_first_step() -> None:
    """The divergence of t = 1 is infinite and goes unused; its gradient must not come through as 0 · ∞."""
    x_0, scale = torch.full((2, 3, 2, 1), 0.5), torch.tensor(0.5, requires_grad=True)
    loss = Diffusion(SHORT, "learned").bound_loss(
        lambda x, t: torch.cat((scale * x, scale * x), dim=1), x_0, torch.tensor([1, 5]), 0.1 * x_0, 17
    )
    (gradient,) = torch.autograd.grad(loss, scale)
    assert torch.isfinite(gradient)


def test_the_official_first_term_is_the_papers_up_to_the_tanh(recorder: Recorder) -> None:
    """Every grey level, the edges included, under one mean that no clip changes and one variance."""
    claim = "the official L_0 is the paper's to 3.6e-4 a bin where nothing is clipped"
    with recorder.observe("property", claim, decoder.log_bin_probability, decoder.log_bin_probability_tanh):
        x_0 = (torch.arange(17).double() * 2 / 16 - 1).reshape(-1, 1, 1, 1)
        first = torch.ones(17, dtype=torch.int64)
        bins = [
            Diffusion(Schedule.from_betas([0.5, 0.5]), "beta_tilde", "x_0", convention)
            .bound_term(lambda x, t: torch.full_like(x, 0.3), x_0, first, torch.zeros_like(x_0), 17)
            .neg()
            .exp()
            for convention in get_args(Convention)
        ]
        assert (bins[0] - bins[1]).abs().max().item() <= 3.6e-4
        assert not torch.equal(*bins)


@pytest.mark.parametrize("variance", LEARNED)
def test_a_squared_error_with_a_learned_variance_is_refused(variance: Variance) -> None:
    x = torch.zeros(1, 1, 1, 1)
    with pytest.raises(ValueError, match="gives a learned variance no gradient; train it on the bound"):
        Diffusion(PAPER, variance).loss(lambda x, t: x, x, torch.tensor([1]), x)


@VARIANCES
def test_a_hybrid_loss_with_a_fixed_variance_is_refused(variance: Variance) -> None:
    x = torch.zeros(1, 1, 1, 1)
    with pytest.raises(ValueError, match=f"'{variance}'; a hybrid loss is for one that is learned"):
        Diffusion(PAPER, variance).hybrid_loss(lambda x, t: x, x, torch.tensor([1]), x, 17)


@pytest.mark.parametrize("t", [1, 2, 500, 1000])
@pytest.mark.parametrize("convention", get_args(Convention))
def test_a_learned_range_ends_in_the_two_fixed_variances(
    recorder: Recorder, t: int, convention: Convention
) -> None:
    """−1 is β̃_t, with β̃_2 at t = 1, and 1 is β_t; 0 is the root of their product."""
    claim = "the ends of the learned range are the two variances of the paper"
    with recorder.observe("oracle", claim, learned_variance.interpolated_variance):
        x, time = torch.zeros(1, 3, 1, 2, dtype=torch.float64), torch.tensor([t])

        def sigma_squared(place: float) -> Tensor:
            model = Diffusion(PAPER, "learned_range", convention=convention)
            return model.reverse_law(lambda x, t: torch.cat((x, x + place), dim=1), x, time)[1]

        tilde = Diffusion(PAPER, "beta_tilde").reverse_law(lambda x, t: x, x, time)[1]
        beta = Diffusion(PAPER, "beta").reverse_law(lambda x, t: x, x, time)[1]
        for place, end in ((-1, tilde), (1, beta), (0, (tilde * beta).sqrt())):
            # A logarithm of 1e-4 is off by u · 9.2, which the exponential makes relative.
            assert sigma_squared(place).shape == x.shape
            assert torch.allclose(sigma_squared(place), end, rtol=32 * U, atol=0)


@pytest.mark.parametrize("variance", LEARNED)
def test_the_hybrid_loss_gives_the_mean_no_gradient_of_the_bound(variance: Variance) -> None:
    """L_simple/D + 0.001 T L_{t−1}; in the mean the gradient is the former's, else the latter's."""
    model, x_0 = Diffusion(SHORT, variance), torch.linspace(-1, 1, 18).double().reshape(3, 1, 2, 3)
    t, generator = torch.tensor([1, 2, 12]), torch.Generator().manual_seed(5)
    eps = torch.randn(x_0.shape, generator=generator, dtype=torch.float64)
    answer = torch.randn(3, 2, 2, 3, generator=generator, dtype=torch.float64) * 0.1

    def of(loss: Callable[[Network], Tensor]) -> tuple[Tensor, Tensor]:
        leaf = answer.clone().requires_grad_()
        value = loss(lambda x, t: leaf)
        return value.detach(), torch.autograd.grad(value, leaf)[0]

    mean, deciding = slice(0, 1), slice(1, 2)
    plain = Diffusion(SHORT)
    simple, in_mean = of(lambda network: plain.loss(lambda x, t: network(x, t)[:, mean], x_0, t, eps))
    vlb, of_bound = of(lambda network: 0.001 * (SHORT.T * model.bound_loss(network, x_0, t, eps, 17)))
    value, gradient = of(lambda network: model.hybrid_loss(network, x_0, t, eps, 17))
    assert value.item() == pytest.approx((simple + vlb).item(), rel=8 * U)
    assert torch.equal(gradient[:, mean], in_mean[:, mean])
    assert torch.equal(gradient[:, deciding], of_bound[:, deciding])
    assert of_bound[:, mean].abs().min() > 0  # there was something to stop
    assert gradient[:, deciding].abs().min() > 0


def test_the_hybrid_loss_asks_the_network_once() -> None:
    asked = []

    def network(x: Tensor, t: Tensor) -> Tensor:
        asked.append(t)
        return torch.cat((x, x), dim=1)

    x = torch.zeros(2, 1, 1, 1)
    Diffusion(SHORT, "learned_range").hybrid_loss(network, x, torch.tensor([1, 3]), x, 17)
    assert len(asked) == 1


def test_the_hybrid_loss_shows_the_network_x_t_and_t() -> None:
    """Three channels; the mean is what the network predicts, and its target depends on x_0 and x_t."""
    generator = torch.Generator().manual_seed(6)
    x_0, eps = torch.randn(2, 2, 3, 1, 2, generator=generator, dtype=torch.float64)
    t, model = torch.tensor([2, 9]), Diffusion(SHORT, "learned_range", "mu")

    def network(x_t: Tensor, times: Tensor) -> Tensor:
        return torch.cat((0.9 * x_t + 0.01 * times.reshape(2, 1, 1, 1), 0.1 * x_t), dim=1)

    simple = Diffusion(SHORT, "beta", "mu").loss(lambda x, s: network(x, s)[:, :3], x_0, t, eps)
    vlb = SHORT.T * model.bound_loss(network, x_0, t, eps, 17)
    assert model.hybrid_loss(network, x_0, t, eps, 17).item() == pytest.approx(
        (simple + 0.001 * vlb).item(), rel=8 * U
    )


@pytest.mark.parametrize("choice", ["variance", "prediction", "convention"])
def test_unknown_choice_is_refused(choice: str) -> None:
    with pytest.raises(ValueError, match=rf"{choice} is 'none'; choose from \('"):
        Diffusion(PAPER, **{choice: "none"})


# ------------------------------------------------------------------------- what would fit and be wrong

IMAGES = torch.zeros(2, 3, 2, 2)
TIMES = torch.tensor([1, 12])
Call = Callable[[Diffusion, Network, Tensor, Tensor, Tensor], object]


def half(x: Tensor, t: Tensor) -> Tensor:
    """A network for a fixed variance."""
    return x / 2


def doubled(x: Tensor, t: Tensor) -> Tensor:
    """A network for a learned one."""
    return torch.cat((x / 2, x / 2), dim=1)


# What each method does with a network, images, times and noise, and the variance it is tried with.
OF_NETWORKS: dict[str, tuple[Variance, Call]] = {
    "loss": ("beta", lambda model, net, x, t, eps: model.loss(net, x, t, eps)),
    "bound_term": ("beta", lambda model, net, x, t, eps: model.bound_term(net, x, t, eps, 17)),
    "bound_loss": ("beta", lambda model, net, x, t, eps: model.bound_loss(net, x, t, eps, 17)),
    "hybrid_loss": ("learned_range", lambda model, net, x, t, eps: model.hybrid_loss(net, x, t, eps, 17)),
}
OF_TIMES = OF_NETWORKS | {
    "q_sample": ("beta", lambda model, net, x, t, eps: model.q_sample(x, t, eps)),
    "reverse_law": ("learned", lambda model, net, x, t, eps: model.reverse_law(net, x, t)),
    "predict_x_0": ("beta", lambda model, net, x, t, eps: model.predict_x_0(net, x, t)),
}
WITH_NOISE: dict[str, tuple[Variance, Call]] = {
    **{name: call for name, call in OF_TIMES.items() if name not in ("reverse_law", "predict_x_0")},
    "bound": ("beta", lambda model, net, x, t, eps: model.bound(net, x, 17, lambda t: eps)),
    "path_bound": ("learned", lambda model, net, x, t, eps: model.path_bound(net, x, 17, lambda t: eps)),
    "p_sample": ("beta", lambda model, net, x, t, eps: model.p_sample(net, x, 5, eps)),
    "ddim_step": ("beta", lambda model, net, x, t, eps: model.ddim_step(net, x, 5, eps, 0.5)),
}
ALL = OF_TIMES | WITH_NOISE


def tried(
    name: str,
    *,
    network: Network | None = None,
    x: Tensor = IMAGES,
    t: Tensor = TIMES,
    eps: Tensor = IMAGES,
) -> object:
    """The method called with what is right, but for what is given here."""
    variance, call = ALL[name]
    right = doubled if variance in LEARNED else half
    return call(Diffusion(SHORT, variance), network or right, x, t, eps)


@pytest.mark.parametrize("name", ALL)
def test_what_is_described_is_taken(name: str) -> None:
    tried(name)


@pytest.mark.parametrize("name", OF_TIMES)
@pytest.mark.parametrize(
    ("t", "message"),
    [
        (torch.tensor([0, 5]), r"t has 0 in it; times are from 1 to 12: add 1 to a 0-based t"),
        (torch.tensor([5, -1]), r"t has -1 in it; times are from 1 to 12$"),
        (torch.tensor([5, 13]), "t has 13 in it"),
        (torch.tensor([5.0, 5.0]), "t is of torch.float32"),
        (torch.tensor([5]), r"t has shape \(1,\); it must be \(2,\), a time for each image"),
        (torch.tensor([[5], [5]]), r"t has shape \(2, 1\); it must be \(2,\)"),
    ],
    ids=["0", "-1", "T + 1", "float", "one time", "a column"],
)
def test_times_that_are_none_are_refused(name: str, t: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tried(name, t=t)


@pytest.mark.parametrize("name", ALL)
def test_images_of_bytes_are_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"x_. is of torch.uint8; it must be floats, and images in \[−1, 1\]"
    ):
        tried(name, x=IMAGES.byte())


@pytest.mark.parametrize("name", WITH_NOISE)
def test_noise_of_another_shape_is_refused(name: str) -> None:
    """One channel's noise would fit all of them. It is said before the network works."""
    asked = []
    with pytest.raises(ValueError, match=r"has shape \(2, 1, 2, 2\); it must be \(2, 3, 2, 2\), as of x_"):
        tried(name, eps=IMAGES[:, :1], network=lambda x, t: asked.append(t))
    assert not asked


@pytest.mark.parametrize("name", [name for name in ALL if name != "q_sample"])
def test_an_answer_of_another_shape_is_refused(name: str) -> None:
    """One channel would fit three, and two halves of one channel each too."""
    learned = ALL[name][0] in LEARNED
    right = (2, 6, 2, 2) if learned else (2, 3, 2, 2)
    for wrong in ((2, 2, 2, 2) if learned else (2, 1, 2, 2), (1, *right[1:]), (*right[:3], 1), right[1:]):
        said = re.escape(f"returned shape {wrong} for x_t of (2, 3, 2, 2); with variance")
        with pytest.raises(ValueError, match=rf"{said} .* it must be {re.escape(str(right))}$"):
            tried(name, network=lambda x, t, wrong=wrong: torch.zeros(wrong))


def test_an_answer_that_is_no_tensor_is_refused() -> None:
    with pytest.raises(TypeError, match="the network returned a tuple; it must return a tensor"):
        tried("loss", network=lambda x, t: (x, t))


def test_a_schedule_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="schedule is of type list; give a Schedule, such as linear_schedule"):
        Diffusion([0.1, 0.2])


def test_one_grey_level_is_refused() -> None:
    for name in ("bound", "path_bound", "bound_term"):
        model, draw = Diffusion(SHORT), (TIMES, IMAGES, 1) if name == "bound_term" else (1, lambda t: IMAGES)
        with pytest.raises(ValueError, match="levels is 1; an image has at least 2 grey levels"):
            getattr(model, name)(half, IMAGES, *draw)
    assert Diffusion(SHORT).bound_term(half, IMAGES - 1, TIMES, IMAGES, 2).shape == (2,)


def test_the_bound_of_one_step_is_the_prior_and_the_decoder() -> None:
    """One step of β: the term of t = 1 is the only one, with a finite gradient, and L_T is that of x_1."""
    schedule = Schedule.from_betas([0.3])
    x_0 = torch.tensor([-1, 0.25, 0, 1], dtype=torch.float64).reshape(2, 1, 1, 2)
    model, eps, scale = Diffusion(schedule), torch.ones_like(x_0), torch.tensor(0.5, requires_grad=True)
    one, at = torch.tensor([1, 1]), schedule.at(torch.tensor([1, 1]), like=x_0)
    x_1 = forward.q_sample(x_0, eps, at)
    terms = model.bound(half, x_0, 17, lambda t: eps)
    mean, variance = model.reverse_law(half, x_1, one)
    assert terms.decoder.tolist() == bound.decoder_term(x_0, mean, variance, 17).flatten(1).sum(1).tolist()
    assert terms.prior.tolist() == bound.prior_term(x_0, at).flatten(1).sum(1).tolist()
    assert terms.steps.shape == (2, 0)
    assert terms.total.tolist() == (terms.prior + terms.decoder).tolist()
    loss = model.bound_loss(lambda x, t: scale * x, x_0, one, eps, 17)
    assert torch.isfinite(torch.autograd.grad(loss, scale)[0])


@pytest.mark.parametrize("name", OF_TIMES)
def test_half_precision_is_computed_in_float32(name: str) -> None:
    """And the network is shown float32, as it is told."""
    seen, (variance, _) = [], ALL[name]

    def network(x: Tensor, t: Tensor) -> Tensor:
        seen.append(x.dtype)
        return (doubled if variance in LEARNED else half)(x, t)

    x = torch.linspace(-1, 1, 24).reshape(2, 3, 2, 2).bfloat16()
    ours, other = (tried(name, network=network, x=y, eps=y) for y in (x, x.float()))
    for a, b in zip(*(y if isinstance(y, tuple) else (y,) for y in (ours, other)), strict=True):
        assert a.dtype == torch.float32
        assert torch.equal(a, b)
    assert set(seen) <= {torch.float32}


class Training(torch.nn.Module):
    """A network and its loss as one module, as it is compiled and exported."""

    def __init__(self) -> None:
        super().__init__()
        self.diffusion, self.layer = Diffusion(SHORT.visiting(range(1, 13))), torch.nn.Conv2d(3, 3, 1)

    def forward(self, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        return self.diffusion.loss(lambda x, t: self.layer(x), x_0, t, eps)


@pytest.mark.parametrize("strict", [True, False])
def test_a_diffusion_that_was_exported_first_works_afterwards(strict: bool) -> None:
    module, inputs = Training(), (IMAGES, TIMES, torch.ones_like(IMAGES))
    exported = torch.export.export(module, inputs, strict=strict).module()
    assert type(module(*inputs).detach()) is Tensor
    assert exported(*inputs).item() == module(*inputs).item()


def test_a_diffusion_that_was_never_called_can_be_compiled() -> None:
    module, inputs = Training(), (IMAGES, TIMES, torch.ones_like(IMAGES))
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    assert compiled(*inputs).item() == module(*inputs).item() == compiled(*inputs).item()


def test_a_loss_can_be_mapped_over_examples() -> None:
    """Under vmap no number can be read, so nothing is checked."""
    eps, t = torch.randn(2, 3, 2, 2), torch.tensor([1, 12])
    model = Diffusion(SHORT)
    losses = torch.vmap(lambda x, t, e: model.loss(half, x[None], t[None], e[None]))(IMAGES, t, eps)
    assert losses.mean().item() == pytest.approx(model.loss(half, IMAGES, t, eps).item(), rel=1e-6)
