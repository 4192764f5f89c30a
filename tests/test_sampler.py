"""Fewer steps and DDIM, on normal data, whose law at every visited time is known exactly."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import get_args

import pytest
import torch
from rounding import UNIT
from torch import Tensor

from ddpm_spec.choices import Convention, Variance
from ddpm_spec.diffusion import Diffusion, Network, told
from ddpm_spec.evidence import Recorder
from ddpm_spec.followups import ddim
from ddpm_spec.formulas import bound, reverse, sampling
from ddpm_spec.oracles.gaussian import GaussianData
from ddpm_spec.schedule import Schedule, evenly, linear_schedule

PAPER = linear_schedule()
U = UNIT[torch.float64]
# A step is some 16 roundings. Eq. 15 makes 157 of one; the root of β = 1e-4, which is off by 4u, makes 200.
STEP = 16 * U * 200
LAWS = [(0.0, 1.0), (0.3, 0.37), (-0.8, 2.5), (0.6, 0.0)]
CHAINS = pytest.mark.parametrize(
    ("mean", "spread", "steps"),
    [(*law, steps) for law in LAWS for steps in (2, 10, 50)] + [(0.3, 0.37, 1000)],
)
VARIANCES = pytest.mark.parametrize("variance", ["beta", "beta_tilde"])


def random(count: int) -> Callable[[int], Tensor]:
    """The noise of time t, for so many images."""
    return lambda t: torch.randn(
        count, 1, 2, 3, generator=torch.Generator().manual_seed(t), dtype=torch.float64
    )


def marginals(
    model: Diffusion, network: Network, times: Sequence[int], eta: float | None
) -> list[tuple[float, float]]:
    """Mean and variance of what the sampler yields, of which all is affine in x_T and the noise.

    A row of the batch for the constant part and one for each of the normal numbers, which is 1 there.
    """
    places = {t: row for row, t in enumerate([model.schedule.T + 1, *times[:0:-1]], start=1)}

    def noise(t: int) -> Tensor:
        z = torch.zeros(1 + len(places), 1, 1, 1, dtype=torch.float64)
        z[places[t]] = 1
        return z

    path = model.sample(network, noise, times=times, eta=eta)
    return [(x[0].item(), (x[1:] - x[0]).square().sum().item()) for x in path]


def joint(data: GaussianData, t: int, s: int) -> tuple[float, float, float]:
    """(a, b, c) with E[x_s | x_t] = a + b x_t and Var[x_s | x_t] = c, for s < t, from covariances."""
    table = data.schedule.steps.alpha_bar
    root = math.sqrt(table[t].item() / table[s].item())
    (mean_s, var_s), (mean_t, var_t) = data.marginal(s), data.marginal(t)
    slope = root * var_s / var_t
    return mean_s - slope * mean_t, slope, var_s - slope**2 * var_t


def legs(times: Sequence[int]) -> list[tuple[int, int]]:
    """(t, s) for every step of a chain, the first first."""
    return list(zip(times[::-1], (*times[-2::-1], 0), strict=True))


@CHAINS
@VARIANCES
def test_algorithm_2_in_fewer_steps_has_the_exact_marginals(
    recorder: Recorder, mean: float, spread: float, variance: Variance, steps: int
) -> None:
    """The exact denoiser gives E[x_s | x_t] over a step of any length; σ² is β or β̃ of that length."""
    claim = "Algorithm 2 in fewer and longer steps has the exact marginals"
    with recorder.observe("oracle", claim, ddim.skip, reverse.mean_from_eps, sampling.p_sample):
        data, times = GaussianData(PAPER, mean, spread), evenly(PAPER.T, steps)
        ours = marginals(Diffusion(PAPER, variance), data.eps, times, None)
        exact = 0.0, 1.0
        for (t, s), found in zip(legs(times), ours, strict=True):
            a, b, _ = joint(data, t, s)
            given_x_0 = joint(GaussianData(PAPER, mean, 0.0), t, s)[2]
            beta = 1 - (PAPER.steps.alpha_bar[t] / PAPER.steps.alpha_bar[s]).item()
            sigma_squared = beta if variance == "beta" else given_x_0
            exact = a + b * exact[0], b**2 * exact[1] + (sigma_squared if s else 0.0)
            assert found == pytest.approx(exact, rel=steps * STEP, abs=steps * STEP)


@CHAINS
@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_ddim_has_the_exact_marginals(
    recorder: Recorder, mean: float, spread: float, eta: float, steps: int
) -> None:
    """σ² is a share of Var(x_s | x_t, x_0); the rest of the noise of x_s is that expected at x_t.

    Both expectations are taken from covariances: of x_0 and of ε with x_t.
    """
    claim = "DDIM in any number of steps has the exact marginals"
    formulas = (ddim.ddim_mean, ddim.ddim_variance, ddim.implied_noise, ddim.skip)
    with recorder.observe("oracle", claim, *formulas):
        data, times = GaussianData(PAPER, mean, spread), evenly(PAPER.T, steps)
        ours = marginals(Diffusion(PAPER), data.eps, times, eta)
        exact = 0.0, 1.0
        for (t, s), found in zip(legs(times), ours, strict=True):
            sigma_squared = eta**2 * joint(GaussianData(PAPER, mean, 0.0), t, s)[2]
            (mean_s, _), (mean_t, var_t) = data.marginal(s), data.marginal(t)
            noise_s, noise_t = (PAPER.steps.one_minus_alpha_bar[x].item() for x in (s, t))
            roots = (PAPER.steps.alpha_bar[s] * PAPER.steps.alpha_bar[t]).sqrt().item()
            left = noise_s - sigma_squared if s else 0.0
            slope = (roots * spread + math.sqrt(left * noise_t)) / var_t
            exact = mean_s + slope * (exact[0] - mean_t), slope**2 * exact[1] + (sigma_squared if s else 0.0)
            assert found == pytest.approx(exact, rel=steps * STEP, abs=steps * STEP)


@pytest.mark.parametrize(
    ("steps", "convention"), [(2, "paper"), (10, "paper"), (1000, "paper"), (10, "official")]
)
def test_ddim_with_all_noise_is_algorithm_2_with_the_smaller_variance(
    recorder: Recorder, steps: int, convention: Convention
) -> None:
    """η = 1 against σ² = β̃ on the same noise, in all steps and in fewer, image by image."""
    claim = "DDIM with η = 1 is Algorithm 2 with σ² = β̃"
    with recorder.observe("oracle", claim, ddim.ddim_mean, ddim.ddim_variance, ddim.skip):
        data, times = GaussianData(PAPER, 0.3, 0.37), evenly(PAPER.T, steps)
        model = Diffusion(PAPER, "beta_tilde", convention=convention)
        plain = list(model.sample(data.eps, random(3), times=times))
        noisy = list(model.sample(data.eps, random(3), times=times, eta=1.0))
        for x, y in zip(plain, noisy, strict=True):
            assert torch.allclose(x, y, rtol=0, atol=steps * STEP)
        if steps == PAPER.T:
            for x, y in zip(model.sample(data.eps, random(3)), plain, strict=True):
                assert torch.allclose(x, y, rtol=0, atol=steps * STEP)
            for x, y in zip(model.sample(data.eps, random(3), eta=1.0), noisy, strict=True):
                assert torch.allclose(x, y, rtol=0, atol=steps * STEP)


def test_without_noise_the_image_is_a_function_of_x_T() -> None:
    data, model = GaussianData(PAPER, 0.3, 0.37), Diffusion(PAPER)
    asked = []

    def other(t: int) -> Tensor:
        asked.append(t)
        return random(3)(t if t == PAPER.T + 1 else 5000 + t)

    times = evenly(PAPER.T, 10)
    (*_, x_0), (*_, again) = (
        list(model.sample(data.eps, noise, times=times, eta=0.0)) for noise in (random(3), other)
    )
    assert torch.equal(x_0, again)
    assert asked == [1001, *times[:0:-1]]
    *_, noisy = model.sample(data.eps, other, times=times, eta=0.5)
    assert not torch.equal(x_0, noisy)


@pytest.mark.parametrize("eta", [None, 0.5])
def test_the_network_is_told_the_times_that_are_visited(eta: float | None) -> None:
    told_times, asked = [], []

    def network(x_t: Tensor, t: Tensor) -> Tensor:
        told_times.append(t.tolist())
        return x_t

    def noise(t: int) -> Tensor:
        asked.append(t)
        return torch.zeros(2, 1, 3, 4)

    path = list(Diffusion(linear_schedule(9)).sample(network, noise, times=[2, 5, 9], eta=eta))
    assert len(path) == 3
    assert told_times == [[9, 9], [5, 5], [2, 2]]
    assert asked == [10, 9, 5]


@pytest.mark.parametrize("dtype", UNIT)
@pytest.mark.parametrize("times", [[101, 842, 1000], [645, 853, 1000], evenly(1000, 10), evenly(1000, 500)])
def test_long_steps_over_a_schedule_that_ends_in_1e_23(times: list[int], dtype: torch.dtype) -> None:
    """With η = 1 next to nothing of 1 − ᾱ_s − σ² may be left, and 1 − ᾱ_t is 1 to the last digit.

    The image is predicted, since Eq. 15 would divide by √ᾱ_t. Values are below 8.
    """
    model = Diffusion(linear_schedule(1000, 1e-4, 0.1), "beta_tilde", "x_0")
    start = [random(3)(t).to(dtype) for t in range(1002)]
    ours, other = (
        list(model.sample(lambda x, t: 0.3 * x, noise, times=times, eta=eta))
        for noise, eta in ((start.__getitem__, 1.0), (lambda t: start[t].double(), None))
    )
    for x, y in zip(ours, other, strict=True):
        assert x.dtype == dtype
        # The root of a difference of 3u is off by 2√u where the difference is 0, in float64.
        assert torch.allclose(x.double(), y, rtol=0, atol=8 * (16 * len(times) * UNIT[dtype] + 2 * U**0.5))


SHORT = linear_schedule(12, 0.02, 0.4)
VISITED = [1, 4, 5, 9, 12]


@VARIANCES
@pytest.mark.parametrize("convention", get_args(Convention))
def test_the_bound_of_fewer_steps_is_that_of_a_chain_with_their_betas(
    recorder: Recorder, variance: Variance, convention: Convention
) -> None:
    claim = "a chain of fewer and longer steps is a chain of Eq. 2 with other β"
    with recorder.observe("oracle", claim, ddim.skip, bound.step_term, bound.prior_term):
        alpha_bars = [1.0, *SHORT.steps.alpha_bar[VISITED].tolist()]
        betas = [1 - a / b for a, b in zip(alpha_bars[1:], alpha_bars[:-1], strict=True)]
        data, x_0 = GaussianData(SHORT, 0.1, 0.4), (torch.arange(12).reshape(2, 1, 2, 3) / 8 - 1).double()
        network = told(data.eps, VISITED)
        ours, other = (
            chain.bound(network, x_0, 17, random(2))
            for chain in (
                Diffusion(SHORT, variance, convention=convention).visiting(VISITED),
                Diffusion(Schedule.from_betas(betas), variance, convention=convention),
            )
        )
        assert ours.steps.shape == (2, 4)
        for a, b in zip(ours, other, strict=True):
            assert torch.allclose(a, b, rtol=256 * U, atol=256 * U)


def test_visiting_all_times_is_the_schedule_itself() -> None:
    ours, own = PAPER.visiting(range(1, 1001)).steps, PAPER.steps
    smaller = torch.where(own.alpha_bar_prev < 0.5, 1.0, own.one_minus_alpha_bar)
    assert ((ours.beta - own.beta).abs() <= 4 * U * smaller).all()
    assert torch.allclose(ours.alpha, own.alpha, rtol=4 * U, atol=0)
    assert all(torch.equal(*tables) for tables in zip(ours[2:], own[2:], strict=True))


def test_the_betas_of_a_chain_keep_their_digits() -> None:
    """Each of the two forms of β where the other loses them: at small β, and where little is left."""
    own = PAPER.steps.beta[1:20]
    assert torch.allclose(PAPER.visiting(range(1, 1001)).steps.beta[1:20], own, rtol=64 * U, atol=0)
    steep = Schedule.from_betas([0.1, 1 - 2**-50, 0.5])
    assert torch.allclose(steep.visiting([1, 2, 3]).steps.beta, steep.steps.beta, rtol=0, atol=4 * U)
    half = Schedule.from_betas([0.5, 1e-3])
    assert torch.allclose(half.visiting([1, 2]).steps.beta, half.steps.beta, rtol=0, atol=U / 2)


def test_times_are_evenly_spread() -> None:
    assert evenly(1000, 10) == [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]
    assert evenly(8, 3) == [3, 5, 8]
    for T in (8, 999, 1000):
        for steps in (1, 2, 7, T - 1, T):
            times = evenly(T, steps)
            assert times == sorted(set(times))
            assert (len(times), times[-1]) == (steps, T)
            assert times[0] >= 1


@pytest.mark.parametrize(
    "times", [[], [1, 2], [0, 12], [5, 4, 12], [4, 4, 12], [4, 12, 13], [-3, 12], [12, 3]]
)
def test_times_that_are_none_are_refused(times: list[int]) -> None:
    with pytest.raises(ValueError, match=r"must ascend in 1\.\.12 and end in 12"):
        SHORT.visiting(times)


@pytest.mark.parametrize("eta", [-0.1, 1.1, math.nan])
def test_an_eta_out_of_range_is_refused(eta: float) -> None:
    with pytest.raises(ValueError, match=r"eta is .*; it must be in \[0, 1\]"):
        next(Diffusion(SHORT).sample(lambda x, t: x, random(1), eta=eta))


def test_a_variance_learned_for_single_steps_is_not_used_for_long_ones() -> None:
    model = Diffusion(SHORT, "learned")

    def network(x: Tensor, t: Tensor) -> Tensor:
        return torch.cat((x, x), dim=1)

    with pytest.raises(ValueError, match="'learned', which is that of single steps"):
        next(model.sample(network, random(1), times=VISITED))
    assert len(list(model.sample(network, random(1), times=VISITED, eta=0.0))) == len(VISITED)
    assert len(list(model.sample(network, random(1), times=range(1, 13)))) == 12


@pytest.mark.parametrize("variance", get_args(Variance))
@pytest.mark.parametrize("convention", get_args(Convention))
def test_one_long_step_is_the_mean_of_the_image(variance: Variance, convention: Convention) -> None:
    """Its only step is the last, so no variance is asked for; at ᾱ_0 = 1 the mean of Eq. 7 is x̂_0."""
    model = Diffusion(SHORT, variance, "x_0", convention)
    channels = 2 if model.learns_variance else 1

    def network(x: Tensor, t: Tensor) -> Tensor:
        return torch.full_like(x, 0.25).repeat(1, channels, 1, 1)

    (x_0,) = replace(model, schedule=SHORT.visiting([12])).sample(network, random(2))
    assert torch.allclose(x_0, torch.full_like(x_0, 0.25), rtol=0, atol=8 * U)
    if variance != "learned":
        (visited,) = model.sample(network, random(2), times=[12])
        assert torch.equal(visited, x_0)
    (ddim_x_0,) = model.sample(network, random(2), times=[12], eta=0.0)
    assert torch.allclose(ddim_x_0, x_0, rtol=0, atol=8 * U)


def test_the_variance_of_one_step_is_refused_where_there_is_none() -> None:
    model, x = Diffusion(SHORT.visiting([12]), "beta_tilde"), torch.zeros(2, 1, 2, 3)
    with pytest.raises(ValueError, match="which a chain of one step has not; give it a second step"):
        model.reverse_law(lambda x, t: x, x, torch.tensor([1, 1]))


@pytest.mark.parametrize("eta", [None, 0.5])
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_sampled_in_float32(half: torch.dtype, eta: float | None) -> None:
    """From the first step on, and the network is shown float32."""
    seen = []

    def network(x: Tensor, t: Tensor) -> Tensor:
        seen.append(x.dtype)
        return 0.3 * x

    def noise(dtype: torch.dtype) -> Callable[[int], Tensor]:
        return lambda t: random(2)(t).to(half).to(dtype if t == 13 else torch.float32)

    ours, other = (list(Diffusion(SHORT).sample(network, noise(d), eta=eta)) for d in (half, torch.float32))
    assert all(torch.equal(x, y) for x, y in zip(ours, other, strict=True))
    assert set(seen) == {x.dtype for x in ours} == {torch.float32}


@pytest.mark.parametrize("t", [0, -1, 13])
def test_a_step_from_no_time_is_refused(t: int) -> None:
    """At t = 0 it would divide by nothing, and t = −1 would be the step of T."""
    model, x = Diffusion(SHORT), torch.zeros(2, 1, 2, 3)
    for call in (
        lambda: model.p_sample(lambda x, t: x, x, t, x),
        lambda: model.ddim_step(lambda x, t: x, x, t, x, 0.0),
        lambda: next(model.decode(lambda x, t: x, x, t, random(2)), None),
        lambda: model.interpolate(lambda x, t: x, (x, x), 0.5, t, random(2)),
    ):
        with pytest.raises(ValueError, match=rf"t has {t} in it; times are from 1 to 12"):
            call()


@pytest.mark.parametrize("eta", [None, 0.5])
def test_noise_of_another_shape_is_refused(eta: float | None) -> None:
    """One image's noise would fit all of them. The last step adds none, whatever there is."""
    model, x, z = Diffusion(SHORT), torch.zeros(2, 1, 2, 3), torch.zeros(1, 1, 2, 3)
    path = model.sample(lambda x, t: x, lambda t: x if t == 13 else z, eta=eta)
    with pytest.raises(ValueError, match=r"z has shape \(1, 1, 2, 3\); it must be \(2, 1, 2, 3\), as of x_t"):
        next(path)
    step = model.p_sample if eta is None else functools.partial(model.ddim_step, eta=eta)
    step(lambda x, t: x, x, 1, z)


def test_latents_and_weights_that_do_not_fit_are_refused() -> None:
    """A weight for each image, of shape (B,), would go along the width."""
    model, x = Diffusion(SHORT), torch.zeros(3, 1, 2, 3)
    with pytest.raises(ValueError, match=r"weight has shape \(3,\); give one number, or \(B, 1, 1, 1\)"):
        model.interpolate(lambda x, t: x, (x, x), torch.ones(3), 2, random(3))
    with pytest.raises(ValueError, match=r"second has shape \(1, 1, 2, 3\); it must be \(3, 1, 2, 3\)"):
        model.interpolate(lambda x, t: x, (x, x[:1]), 0.5, 2, random(3))
    for weight in (torch.tensor(0.5), torch.full((3, 1, 1, 1), 0.5)):
        assert model.interpolate(lambda x, t: x, (x, x), weight, 2, random(3)).shape == x.shape
