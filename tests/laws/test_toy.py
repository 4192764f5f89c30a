"""How someone else's implementation is plugged in, and what is said of its mistakes."""

import inspect

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ddpm_spec.laws import Array, Network, check


class Toy(nn.Module):
    """In the style of many repositories: k = t − 1, tables as buffers, images; and wrong in three ways."""

    def __init__(self, T: int = 10) -> None:
        super().__init__()
        self.beta = torch.linspace(0.01, 0.3, T, dtype=torch.float64)
        self.bar = torch.cumprod(1 - self.beta, 0)
        self.bar_prev = nn.functional.pad(self.bar[:-1], (1, 0), value=1.0)

    def noise_images(self, x: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        bar = self.bar[k].view(-1, 1, 1, 1)
        return bar.sqrt() * x + (1 - bar).sqrt() * eps

    def clean(self, x_t: Tensor, k: int, eps: Tensor) -> Tensor:
        return (x_t - (1 - self.bar[k]).sqrt() * eps) / self.bar[k].sqrt()

    def q_posterior(self, x: Tensor, x_t: Tensor, k: int) -> tuple[Tensor, Tensor]:
        first = self.bar_prev[k].sqrt() * self.beta[k] / (1 - self.bar[k])
        second = (1 - self.beta[k]).sqrt() * (1 - self.bar_prev[k]) / (1 - self.bar[k])
        # Wrong: 1 − ᾱ_t is missing under the variance.
        return first * x + second * x_t, self.beta[k] * (1 - self.bar_prev[k])

    def denoise_step(self, net, x_t: Tensor, k: int, z: Tensor) -> Tensor:
        eps = net(x_t, torch.full((len(x_t),), k))
        mean = (x_t - self.beta[k] / (1 - self.bar[k]).sqrt() * eps) / (1 - self.beta[k]).sqrt()
        return mean + self.beta[k].sqrt() * z  # Wrong: also in the last step.

    def training_loss(self, net, x: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        # Wrong: smooth L1, which many prefer, is not Eq. 14.
        return nn.functional.smooth_l1_loss(net(self.noise_images(x, k, eps), k), eps)

    def vlb_term(self, net, x: Tensor, k: int, eps: Tensor, levels: int = 5) -> Tensor:
        time = torch.full((len(x),), k)
        x_t = self.noise_images(x, time, eps)
        mean = self.denoise_step(net, x_t, k, torch.zeros_like(x_t))
        normal, half = torch.distributions.Normal(mean, self.beta[k].sqrt()), 1 / (levels - 1)
        if k == 0:
            upper = torch.where(x > 1 - half, 1.0, normal.cdf(x + half))
            lower = torch.where(x < half - 1, 0.0, normal.cdf(x - half))
            return -(upper - lower).log().sum((1, 2, 3))
        target, _ = self.q_posterior(x, x_t, k)
        spread = (self.beta[k] * (1 - self.bar_prev[k]) / (1 - self.bar[k])).sqrt()
        posterior = torch.distributions.Normal(target, spread)
        return torch.distributions.kl_divergence(posterior, normal).sum((1, 2, 3))

    def prior_kl(self, x: Tensor) -> Tensor:
        last = torch.distributions.Normal(self.bar[-1].sqrt() * x, (1 - self.bar[-1]).sqrt())
        return torch.distributions.kl_divergence(last, torch.distributions.Normal(0.0, 1.0)).sum((1, 2, 3))


class Adapter:
    def __init__(self, toy: Toy) -> None:
        self.toy, self.levels = toy, 5
        self.betas, self.alpha_bars = toy.beta.numpy(), toy.bar.numpy()

    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        return rows(self.toy.noise_images(images(x_0), torch.tensor(t - 1), images(eps)))

    def posterior(self, x_0: Array, x_t: Array, t: int) -> tuple[Array, float]:
        mean, variance = self.toy.q_posterior(images(x_0), images(x_t), t - 1)
        return rows(mean), variance.item()

    def predict_x_0(self, x_t: Array, t: int, eps: Array) -> Array:
        return rows(self.toy.clean(images(x_t), t - 1, images(eps)))

    def variance(self, t: int) -> float:
        return self.toy.beta[t - 1].item()

    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        return rows(self.toy.denoise_step(theirs(network), images(x_t), t - 1, images(z)))

    def loss(self, network: Network, x_0: Array, t: Array, eps: Array) -> float:
        return self.toy.training_loss(theirs(network), images(x_0), torch.tensor(t - 1), images(eps)).item()

    def prior_term(self, x_0: Array) -> Array:
        return self.toy.prior_kl(images(x_0)).numpy()

    def bound_term(self, network: Network, x_0: Array, t: int, eps: Array) -> Array:
        return self.toy.vlb_term(theirs(network), images(x_0), t - 1, images(eps)).numpy()


def images(x: Array) -> Tensor:
    return torch.tensor(x)[:, None, None]


def rows(x: Tensor) -> Array:
    return x[:, 0, 0].numpy()


def theirs(network: Network):
    return lambda x, k: images(network(rows(x), k.numpy() + 1))


def test_three_mistakes_are_named_and_measured() -> None:
    results = check(Adapter(Toy()))
    failed = {result.law.name: result for result in results if not result.passed}
    assert [name.partition(":")[0] for name in failed] == ["Eq. 7", "Algorithm 2", "Eq. 14"]

    posterior = failed["Eq. 7: variance of the mean and mean of the variance add up to 1 − ᾱ_{t−1}"]
    # The worst step is the one that stands out most against rounding; there the variance lacks its divisor.
    k = int(posterior.where.removeprefix("t = ")) - 1
    toy = Toy()
    lacking = toy.beta[k] * (1 - toy.bar_prev[k]) * toy.bar[k] / (1 - toy.bar[k])
    assert posterior.deviation == pytest.approx(lacking.item(), rel=1e-12)

    last = failed["Algorithm 2: at t = 1 no noise is added"]
    assert last.deviation == pytest.approx(np.sqrt(0.01) * 1.9, rel=1e-12)

    loss = failed["Eq. 14: an error in the noise costs its square, averaged over coordinates and batch"]
    errors = np.abs([0.5, -0.25, 1.0, 2.0, 0.0, 0.75, -1.5, 0.5, 1.25, 0.0, 0.25, -0.5])
    smooth = np.where(errors < 1, errors**2 / 2, errors - 0.5)
    assert loss.deviation == pytest.approx((errors**2 - smooth).mean(), rel=1e-10)


def test_the_adapter_is_short() -> None:
    lines = [line for line in inspect.getsource(Adapter).splitlines() if line.strip()]
    helpers = [inspect.getsource(f).splitlines() for f in (images, rows, theirs)]
    assert len(lines) + sum(map(len, helpers)) <= 35
