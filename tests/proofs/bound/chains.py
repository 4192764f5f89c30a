"""Paths x_0..x_T on real numbers, with the real normal laws along them."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ddpm_spec.formulas import forward, gaussian, posterior
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import one, sqrt

__all__ = ["Chain", "along", "steps_of"]


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


def along(chain: Chain, name: str, first: int = 1) -> np.ndarray:
    """The log-densities of this name for t = first..T."""
    return np.array([chain(name, n) for n in range(first, len(chain.steps) + 1)], dtype=object)


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
