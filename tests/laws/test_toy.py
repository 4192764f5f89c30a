"""How someone else's implementation is plugged in, and what is said of its mistakes."""

import inspect

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ddpm_spec.laws import Stated, check
from ddpm_spec.laws.reference import Reference, spread
from ddpm_spec.laws.runner import roots
from ddpm_spec.laws.subject import Subject


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


class Adapter(Stated):
    first_time, arrays, shape, levels = 0, "torch", (1, 2, 2), 5

    def __init__(self, toy: Toy) -> None:
        self.betas, self.alpha_bars = toy.beta, toy.bar
        self.q_sample, self.posterior, self.predict_x_0 = toy.noise_images, toy.q_posterior, toy.clean
        self.p_sample, self.loss = toy.denoise_step, toy.training_loss
        self.prior_term, self.bound_term = toy.prior_kl, toy.vlb_term


def test_three_mistakes_are_named_and_measured() -> None:
    results = check(Adapter(Toy()))
    by_id = {result.law.id: result for result in results}
    failed = {law.id: by_id[law.id] for law in roots(results)}
    assert list(failed) == ["posterior/variance", "reverse/last-step", "objective/squared-error"]
    assert [result.law.name.partition(":")[0] for result in failed.values()] == [
        "Eq. 7",
        "Algorithm 2",
        "Eq. 14",
    ]

    posterior = failed["posterior/variance"]
    # The worst step is the one that stands out most against rounding; there the variance lacks its divisor.
    k, toy = posterior.where - 1, Toy()
    lacking = toy.beta[k] * (1 - toy.bar_prev[k]) * toy.bar[k] / (1 - toy.bar[k])
    assert posterior.deviation == pytest.approx(lacking.item(), rel=1e-9)

    last = failed["reverse/last-step"]
    z = Reference(Subject(Adapter(toy))).z
    assert last.deviation == pytest.approx(0.01**0.5 * abs(z).max(), rel=1e-9)

    # The law's errors are as large as 1.9; smooth L1 takes half the square of one, or its size less a half.
    errors = spread(3, 4, 1.9, start=200)
    smooth = np.where(abs(errors) < 1, errors**2 / 2, abs(errors) - 0.5)
    loss = failed["objective/squared-error"]
    assert loss.deviation == pytest.approx((errors**2 - smooth).mean(), rel=1e-9)


def test_the_adapter_is_short() -> None:
    lines = [line for line in inspect.getsource(Adapter).splitlines() if line.strip()]
    assert len(lines) <= 10
