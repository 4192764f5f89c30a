"""The oracles themselves, against outside definitions: scipy, autograd, quadrature, finite differences."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from oracles.examples import DATA, LINES, SHORT
from torch import Tensor

from ddpm_spec.oracles import bound
from ddpm_spec.oracles.chain import reverse_step
from ddpm_spec.oracles.gaussian import GaussianData
from ddpm_spec.oracles.mixture import Mixture, gaussian, lattice, point

U = 2.0**-53
EACH = pytest.mark.parametrize("law", DATA.values(), ids=DATA)
EACH_LINE = pytest.mark.parametrize("law", LINES.values(), ids=LINES)
TIMES = pytest.mark.parametrize("t", [1, 2, 7, 12])
X = torch.tensor([[0.0, 0.0], [0.4, -0.7], [-1.1, 0.2], [0.9, 1.3]], dtype=torch.float64)


def panels(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of 200 Gauss–Legendre panels of order 20 over an interval."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    edges = np.linspace(low, high, 201)
    half = np.diff(edges)[:, None] / 2
    return ((edges[:-1, None] + half) + half * nodes).ravel(), (half * weights).ravel()


def normal_rule(mean: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of an expectation over N(mean, spread²)."""
    x, weights = panels(mean - 10 * spread, mean + 10 * spread)
    return x, weights * scipy.stats.norm.pdf(x, mean, spread)


@TIMES
@EACH
def test_density_is_that_of_the_noisy_data(law: Mixture, t: int) -> None:
    alpha_bar = float(np.prod(1 - SHORT.steps.beta.numpy()[1 : t + 1]))
    parts = zip(law.weights.tolist(), law.means.numpy(), law.covariances.numpy(), strict=True)
    density = sum(
        w
        * scipy.stats.multivariate_normal(
            alpha_bar**0.5 * m, alpha_bar * c + (1 - alpha_bar) * np.eye(2)
        ).pdf(X)
        for w, m, c in parts
    )
    # A density of size e^{−s} has s + 1 roundings in its exponent.
    assert law.log_density(X, t).numpy() == pytest.approx(np.log(density), rel=1e-12, abs=1e-12)


@TIMES
@EACH
def test_score_is_the_gradient_of_the_log_density(law: Mixture, t: int) -> None:
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(law.log_density(x, t).sum(), x)
    assert law.score(X, t).numpy() == pytest.approx(gradient.numpy(), rel=1e-11, abs=1e-11)


@EACH
def test_score_by_finite_differences(law: Mixture) -> None:
    """Central differences: error h²/6 times a third derivative (below 30 here), and 4u/h of rounding."""
    h, t = 1e-5, 7
    for i in range(2):
        step = torch.zeros(2, dtype=torch.float64)
        step[i] = h
        slope = (law.log_density(X + step, t) - law.log_density(X - step, t)) / (2 * h)
        assert law.score(X, t)[:, i].numpy() == pytest.approx(slope.numpy(), abs=5 * h**2 + 40 * U / h)


@TIMES
@EACH
def test_posterior_covariance_is_the_curvature_of_the_log_density(law: Mixture, t: int) -> None:
    """Cov(x_0 | x_t) = (1−ᾱ)/ᾱ · (I + (1−ᾱ) ∇² log q(x_t)), the Hessian by autograd."""
    alpha_bar, noise = law.level(t)
    for x, ours in zip(X, law.posterior_covariance(X, t), strict=True):
        hessian = torch.autograd.functional.hessian(lambda y: law.log_density(y[None], t)[0], x)
        expected = noise / alpha_bar * (torch.eye(2) + noise * hessian)
        assert ours.numpy() == pytest.approx(expected.numpy(), abs=1e-12)


@TIMES
@EACH_LINE
def test_posterior_mean_by_integration_over_the_data(law: Mixture, t: int) -> None:
    alpha_bar, noise = law.level(t)
    for x_t in (-0.9, 0.1, 1.2):
        moments = np.zeros(3)
        for w, m, c in zip(law.weights, law.means[:, 0], law.covariances[:, 0, 0], strict=True):
            x_0, weights = (
                (np.array([m.item()]), np.ones(1)) if c == 0 else normal_rule(m.item(), c.sqrt().item())
            )
            joint = weights * scipy.stats.norm.pdf(x_t, alpha_bar**0.5 * x_0, noise**0.5)
            moments += w.item() * np.array([(joint * x_0**power).sum() for power in range(3)])
        mean = moments[1] / moments[0]
        x = torch.tensor([[x_t]], dtype=torch.float64)
        assert law.posterior_mean(x, t).item() == pytest.approx(mean, abs=1e-11)
        variance = moments[2] / moments[0] - mean**2
        assert law.posterior_covariance(x, t).item() == pytest.approx(variance, abs=1e-11)


@EACH_LINE
def test_stated_errors_of_the_quadrature_hold(law: Mixture) -> None:
    """Posterior variance and entropy against integrals over x_t by Gauss–Legendre panels."""
    for t in (1, 3, 12):
        means, covariances = law.components(t)
        reach = 9.5 * covariances.max().sqrt().item()
        x, weights = panels(means.min().item() - reach, means.max().item() + reach)
        x_t = torch.from_numpy(x)[:, None]
        log_density = law.log_density(x_t, t).numpy()
        density = weights * np.exp(log_density)
        spread = (density * law.posterior_covariance(x_t, t)[:, 0, 0].numpy()).sum()
        for ours, exact in (
            (law.posterior_variance(t), spread),
            (law.entropy(t), -(density * log_density).sum()),
        ):
            # The sum over 4,000 nodes rounds by at most 4,000 u of its size.
            assert abs(ours.value - exact) <= ours.error + 4000 * U
            assert ours.error <= 1e-12


def test_entropy_of_the_data() -> None:
    covariance = torch.tensor([[0.5, 0.3], [0.3, 0.4]], dtype=torch.float64)
    expected = scipy.stats.multivariate_normal(np.zeros(2), covariance.numpy()).entropy()
    assert DATA["a correlated normal"].entropy().value == pytest.approx(expected, rel=1e-12)
    assert DATA["three images"].entropy().value == pytest.approx(
        scipy.stats.entropy([0.5, 0.3, 0.2]), rel=1e-12
    )
    assert DATA["a point"].entropy().value == 0
    with pytest.raises(ValueError, match="no entropy at t = 0"):
        DATA["a flat normal"].entropy()


def test_normal_closed_forms_agree_with_quadrature() -> None:
    """A normal law split into two equal halves is a mixture, and is averaged by quadrature."""
    law = DATA["a correlated normal"]
    halves = Mixture(
        SHORT,
        torch.tensor([0.5, 0.5], dtype=torch.float64),
        law.means.repeat(2, 1),
        law.covariances.repeat(2, 1, 1),
    )
    for t in (1, 6, 12):
        assert halves.posterior_variance(t).value == pytest.approx(law.posterior_variance(t).value, rel=1e-12)
        assert halves.entropy(t).value == pytest.approx(law.entropy(t).value, rel=1e-12)


def test_independent_coordinates_agree_with_the_scalar_oracle() -> None:
    scalar = GaussianData(SHORT, 0.3, 0.37)
    law = gaussian(SHORT, torch.full((3,), 0.3), 0.37 * torch.eye(3))
    x, t = torch.linspace(-2, 2, 12, dtype=torch.float64).reshape(4, 1, 1, 3), torch.tensor([1, 3, 3, 12])
    # 0.3 and 0.37 went through float32 on the way in.
    assert law.eps(x, t).numpy() == pytest.approx(scalar.eps(x, t).numpy(), abs=1e-7)
    assert law.eps(x, t).shape == x.shape
    for t_ in (1, 5, 12):
        a, slope, c = reverse_step(law, t_)
        expected = scalar.reverse_coefficients(t_)
        assert (a[0].item(), slope[1, 1].item(), c[2, 2].item()) == pytest.approx(expected, abs=1e-7)


def test_images_of_any_size_are_reduced_to_the_space_they_span() -> None:
    generator = torch.Generator().manual_seed(3)
    images = torch.rand(3, 1, 8, 8, generator=generator, dtype=torch.float64) / 4
    law = lattice(SHORT, images)
    assert law.reduced.D == 2
    x = torch.randn(5, 64, generator=generator, dtype=torch.float64)
    for t in (1, 12):
        # The posterior by its definition: softmax of −‖x_t − √ᾱ x_0‖² / 2(1−ᾱ).
        alpha_bar, noise = law.level(t)
        squares = ((x[:, None] - alpha_bar**0.5 * images.flatten(1)) ** 2).sum(-1)
        weights = (-squares / (2 * noise)).softmax(dim=1)
        assert law.posterior_mean(x, t).numpy() == pytest.approx(
            (weights @ images.flatten(1)).numpy(), abs=1e-12
        )
    # Two images at distance 2d are ±d on a line.
    pair = lattice(SHORT, images[:2])
    half = ((images[0] - images[1]).norm() / 2).item()
    line = lattice(SHORT, torch.tensor([[half], [-half]], dtype=torch.float64))
    for t in (1, 6, 12):
        assert pair.posterior_variance(t).value * 64 == pytest.approx(
            line.posterior_variance(t).value, rel=1e-11
        )
        assert pair.information(t).value == pytest.approx(line.information(t).value, abs=1e-11)


def test_posterior_of_a_step_by_conditioning_covariances() -> None:
    law = DATA["a point"]
    for t in range(2, 13):
        (alpha_bar_prev, before), (alpha_bar, after) = law.level(t - 1), law.level(t)
        root = SHORT.steps.alpha[t].item() ** 0.5
        slope = root * before / after
        ours = bound.posterior(law, t)
        expected = (alpha_bar_prev**0.5 - slope * alpha_bar**0.5, slope, before - slope**2 * after)
        assert tuple(ours) == pytest.approx(expected, rel=1e-12)


def test_decoder_term_by_scipy() -> None:
    """Grey levels on a line; the bins as differences of scipy's cdf, by Gauss–Legendre panels."""
    law, sigma = LINES["grey levels"], 0.3
    alpha_bar, noise = law.level(1)
    edges = np.array([-math.inf, -0.75, -0.25, 0.25, 0.75, math.inf])
    total = 0.0
    for k, x_0 in enumerate(law.means[:, 0].tolist()):
        centre = alpha_bar**0.5 * x_0
        x_1, weights = panels(centre - 9 * noise**0.5, centre + 9 * noise**0.5)
        mean = law.posterior_mean(torch.from_numpy(x_1)[:, None], 1)[:, 0].numpy()
        cdf = scipy.stats.norm.cdf
        inside = cdf(edges[k + 1], mean, sigma) - cdf(edges[k], mean, sigma)
        density = scipy.stats.norm.pdf(x_1, centre, noise**0.5)
        total -= (weights * density * np.log(inside)).sum() / 5
    ours = bound.decoder_term(law, sigma**2, 5)
    # The difference of two cdfs loses digits where the level is far from the mean, with little weight.
    assert abs(ours.value - total) <= ours.error + 1e-10


def test_bad_input_is_refused() -> None:
    one = torch.ones(1, dtype=torch.float64)
    with pytest.raises(ValueError, match="do not fit means"):
        Mixture(SHORT, one, torch.zeros(1, 2), torch.zeros(1, 3, 3))
    with pytest.raises(ValueError, match="not positive with sum 1"):
        Mixture(SHORT, 2 * one, torch.zeros(1, 2), torch.zeros(1, 2, 2))
    wide = lattice(SHORT, torch.eye(4, dtype=torch.float64))
    with pytest.raises(ValueError, match="quadrature in 3 dimensions"):
        wide.posterior_variance(1)
    with pytest.raises(ValueError, match="only for normal data"):
        reverse_step(wide, 1)
    with pytest.raises(ValueError, match="finitely many images"):
        bound.decoder_term(DATA["a correlated normal"], 0.1, 5)


def test_a_point_is_certain() -> None:
    law: Mixture = point(SHORT, torch.tensor([0.25, -0.75], dtype=torch.float64))
    shown: Tensor = law.posterior_mean(X, 12)
    assert (shown == law.means).all()
    assert law.posterior_variance(5).value == 0
    assert law.information(5).value == pytest.approx(0, abs=8 * U)
