"""The books of rate and distortion, on data for which both are known."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from ddpm_spec.coding.rate import distortion, rate, rate_distortion
from ddpm_spec.diffusion import BoundTerms, Diffusion
from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import bound, forward, reverse
from ddpm_spec.oracles.mixture import lattice
from ddpm_spec.schedule import linear_schedule

SHORT = linear_schedule(10, 0.02, 0.4)
VALUES = torch.linspace(-1, 1, 5, dtype=torch.float64)
GREY = lattice(SHORT, VALUES[:, None])
AXIS = torch.linspace(-8, 8, 161, dtype=torch.float64)


def test_rate_adds_up_from_the_noise_down(recorder: Recorder) -> None:
    claim = "the rate after x_t is L_T + … + L_t"
    terms = BoundTerms(
        torch.tensor([0.5, 1.0]), torch.tensor([[8.0, 4.0, 2.0], [1.0, 0.0, 3.0]]), torch.ones(2)
    )
    with recorder.observe("exact law", claim, rate, bound.bits_per_dim):
        received = rate(terms, 2) * 2 * math.log(2)
        expected = torch.tensor([[14.5, 6.5, 2.5, 0.5], [5.0, 4.0, 4.0, 1.0]])
        assert torch.allclose(received, expected, rtol=1e-6)
    assert torch.allclose(received[:, 0] + terms.decoder, terms.total, rtol=1e-6)


def grid(t: int) -> Tensor:
    """The noises of each grey level."""
    return AXIS.repeat(5).reshape(-1, 1, 1, 1)


def test_distortion_is_the_posterior_variance(recorder: Recorder) -> None:
    """A batch of noises with equal weights, for each t, against the same mean by Bayes' rule."""
    claim = "the distortion is the root of E(x_0 − x̂_0)², on [0, 255]"
    x_0 = VALUES.repeat_interleave(len(AXIS)).reshape(-1, 1, 1, 1)
    with recorder.observe("oracle", claim, reverse.predict_x_0, forward.q_sample):
        for model in (Diffusion(SHORT), Diffusion(SHORT, "beta_tilde")):
            ours = distortion(model, GREY.eps, x_0, grid)
            for t in range(1, 11):
                alpha_bar, noise = GREY.level(t)
                x_t = (alpha_bar**0.5 * x_0 + noise**0.5 * grid(t)).reshape(-1, 1)
                error = (GREY.posterior_mean(x_t, t) - x_0.reshape(-1, 1)).square().mean().sqrt().item()
                assert ours[t - 1].item() == pytest.approx(127.5 * error, rel=1e-10)


def test_a_blank_guess_has_the_spread_of_the_data() -> None:
    """A network that answers x_t / √(1−ᾱ) shows x̂_0 = 0."""
    x_0 = VALUES.reshape(-1, 1, 1, 1)

    def blank(x_t: Tensor, t: Tensor) -> Tensor:
        return x_t / SHORT.at(t, like=x_t).one_minus_alpha_bar.sqrt()

    shown = distortion(Diffusion(SHORT), blank, x_0, lambda t: torch.ones_like(x_0))
    assert shown.tolist() == pytest.approx([127.5 * math.sqrt(0.5)] * 10, rel=1e-12)


def test_both_curves(recorder: Recorder) -> None:
    claim = "rate falls and distortion rises with t; rate and L_0 are the bound"
    generator = torch.Generator().manual_seed(1)
    x_0 = VALUES[torch.randint(5, (400, 1, 2, 3), generator=generator)]
    noises = {t: torch.randn(x_0.shape, generator=generator, dtype=torch.float64) for t in range(1, 11)}
    model = Diffusion(SHORT)
    with recorder.observe("property", claim, bound.prior_term, bound.step_term, bound.bits_per_dim):
        curves = rate_distortion(model, grey_images, x_0, 5, noises.__getitem__)
        terms = model.bound(grey_images, x_0, 5, noises.__getitem__)
        whole = curves.rate[0] + bound.bits_per_dim(terms.decoder.mean(), 6)
        assert whole.item() == pytest.approx(bound.bits_per_dim(terms.total.mean(), 6).item(), rel=1e-12)
        assert all(a > b for a, b in pairwise(curves.rate.tolist()))
        assert all(a < b for a, b in pairwise(curves.distortion.tolist()))
        assert curves.rate.shape == curves.distortion.shape == (10,)


def grey_images(x_t: Tensor, t: Tensor) -> Tensor:
    """Every pixel is an independent grey level."""
    per_pixel = t.repeat_interleave(x_t[0].numel())
    return GREY.eps(x_t.reshape(-1, 1), per_pixel).reshape(x_t.shape)
