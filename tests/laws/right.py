"""An implementation as many repositories have it: time from 0, tables as buffers, the mean by way of x̂_0.

It is one of three that were written independently. No law may fail on it, in any precision.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ddpm_spec.laws import Stated
from ddpm_spec.laws.protocol import Precision

Net = Callable[[Tensor, Tensor], Tensor]


class Buffers(Stated):
    """σ_t² = β_t, or β̃_t. Tables are float64 for float64, and float32 for all else.

    They may be made in `double` precision and then rounded, by way of `logs`, and `cast` when they are used.
    """

    first_time, arrays, shape = 0, "torch", (1, 2, 2)

    def __init__(
        self,
        betas: Tensor,
        precision: Precision,
        *,
        levels: int = 256,
        small: bool = False,
        cast: bool = False,
        double: bool = False,
        logs: bool = False,
    ) -> None:
        self.precision, self.levels, self.cast = precision, levels, cast
        if cast:
            self.tables = precision
        width = torch.float64 if precision == "float64" else torch.float32
        betas = betas.to(torch.float64 if double else width)
        bars = torch.cumsum((1 - betas).log(), dim=0).exp() if logs else torch.cumprod(1.0 - betas, dim=0)
        before = F.pad(bars[:-1], (1, 0), value=1.0)
        self.betas, self.alpha_bars = betas.to(width), bars.to(width)
        self.root, self.noise = bars.sqrt().to(width), (1 - bars).sqrt().to(width)
        self.recip, self.recip_m1 = (1 / bars).sqrt().to(width), (1 / bars - 1).sqrt().to(width)
        posterior_variance = betas * (1 - before) / (1 - bars)
        log_posterior = torch.cat([posterior_variance[1:2], posterior_variance[1:]]).log()
        self.posterior_variance, self.log_posterior = posterior_variance.to(width), log_posterior.to(width)
        self.coef_x_0 = (betas * before.sqrt() / (1 - bars)).to(width)
        self.coef_x_t = ((1 - before) * (1 - betas).sqrt() / (1 - bars)).to(width)
        self.log_variance = self.log_posterior if small else betas.log().to(width)

    def take(self, table: Tensor, k: Tensor | int, x: Tensor) -> Tensor:
        index = torch.as_tensor(k).expand(len(x))
        return table[index].to(x.dtype).view(-1, *[1] * (x.ndim - 1))

    def q_sample(self, x_0: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        if self.cast:
            bars = self.take(self.alpha_bars, k, x_0)
            return bars**0.5 * x_0 + (1 - bars) ** 0.5 * eps
        return self.take(self.root, k, x_0) * x_0 + self.take(self.noise, k, x_0) * eps

    def posterior(self, x_0: Tensor, x_t: Tensor, k: int) -> tuple[Tensor, Tensor]:
        mean = self.take(self.coef_x_0, k, x_t) * x_0 + self.take(self.coef_x_t, k, x_t) * x_t
        return mean, self.posterior_variance[k]

    def predict_x_0(self, x_t: Tensor, k: int, eps: Tensor) -> Tensor:
        return self.take(self.recip, k, x_t) * x_t - self.take(self.recip_m1, k, x_t) * eps

    def variance(self, k: int) -> Tensor:
        return self.log_variance[k].exp()

    def mean(self, net: Net, x_t: Tensor, k: int) -> Tensor:
        eps = net(x_t, torch.full((len(x_t),), k))
        return self.posterior(self.predict_x_0(x_t, k, eps), x_t, k)[0]

    def p_sample(self, net: Net, x_t: Tensor, k: int, z: Tensor) -> Tensor:
        mask = 0.0 if k == 0 else 1.0
        return self.mean(net, x_t, k) + mask * (0.5 * self.log_variance[k]).exp() * z

    def loss(self, net: Net, x_0: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        return F.mse_loss(net(self.q_sample(x_0, k, eps), k), eps)

    def prior_term(self, x_0: Tensor) -> Tensor:
        mean = self.root[-1] * x_0
        log_v = (1 - self.alpha_bars[-1]).log()
        return (0.5 * (log_v.exp() - 1 - log_v + mean**2)).flatten(1).sum(1)

    def bound_term(self, net: Net, x_0: Tensor, k: int, eps: Tensor) -> Tensor:
        x_t = self.q_sample(x_0, torch.full((len(x_0),), k), eps)
        mean, log_v = self.mean(net, x_t, k), self.log_variance[k]
        if k == 0:
            normal, half = (
                torch.distributions.Normal(mean, (0.5 * log_v).exp().to(x_0)),
                1 / (self.levels - 1),
            )
            upper = torch.where(x_0 > 1 - half, 1.0, normal.cdf(x_0 + half))
            lower = torch.where(x_0 < half - 1, 0.0, normal.cdf(x_0 - half))
            return -(upper - lower).clamp(min=torch.finfo(x_0.dtype).tiny).log().flatten(1).sum(1)
        target, log_p = self.posterior(x_0, x_t, k)[0], self.log_posterior[k]
        gap = (target - mean) ** 2 * (-log_v).exp()
        return (0.5 * (log_v - log_p - 1 + (log_p - log_v).exp() + gap)).flatten(1).sum(1)
