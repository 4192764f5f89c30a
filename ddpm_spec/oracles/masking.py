"""The masking diffusion of §4.3 (claim C8): x_t is x_0 with its first t coordinates blank, and T = D.

Every law is a finite table and every average a finite sum, over any numbers that `ops` knows: with exact
ones the bound comes out exactly, as logarithms of rationals.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ddpm_spec.formulas import bound
from ddpm_spec.ops import Number, log, one

__all__ = ["Law", "Masking", "Model", "State", "copying"]

State = tuple[int | None, ...]
"""One image; None is a blank coordinate."""

Law = Mapping[State, Number]
"""The probability of each state that has one."""

Model = Callable[[int, State], Law]
"""p_θ(x_{t−1} | x_t), from t in 1..T and x_t."""


def copying(conditional: Callable[[int, State], Mapping[int, Number]]) -> Model:
    """The reverse process that keeps what x_t shows and draws coordinate t from `conditional(t, x_t)`.

    That is an autoregressive model, in the order D, D−1, …, 1: x_t shows the coordinates after t.
    """

    def model(t: int, x_t: State) -> Law:
        return {(*x_t[: t - 1], value, *x_t[t:]): p for value, p in conditional(t, x_t).items()}

    return model


@dataclass(frozen=True)
class Masking:
    """The forward process for data with these probabilities, p(x_T) being certain of the blank image."""

    data: Law
    """q(x_0); probabilities are positive and sum to 1."""

    @property
    def T(self) -> int:
        """The number of coordinates, which is the number of steps."""
        return len(next(iter(self.data)))

    def masked(self, x_0: State, t: int) -> State:
        """x_t, which x_0 determines."""
        return (None,) * t + x_0[t:]

    def marginal(self, t: int) -> Law:
        """q(x_t), t in 0..T."""
        law: dict[State, Number] = {}
        for x_0, q in self.data.items():
            x_t = self.masked(x_0, t)
            law[x_t] = law[x_t] + q if x_t in law else q
        return law

    def reverse(self, t: int, x_t: State) -> Law:
        """q(x_{t−1} | x_t), t in 1..T."""
        whole = self.marginal(t)[x_t]
        return {x: q / whole for x, q in self.marginal(t - 1).items() if self.masked(x, t) == x_t}

    def entropy(self) -> Number:
        """H(x_0) in nats."""
        return -sum(q * log(q) for q in self.data.values())

    def path_bound(self, model: Model, x_0: State) -> Number:
        """Eq. 3 on the one path that starts at x_0, in nats."""
        path = [self.masked(x_0, t) for t in range(self.T + 1)]
        p = [model(t, path[t])[path[t - 1]] for t in range(1, self.T + 1)]
        certain = log(one(p[0]))
        return bound.path_bound(certain, np.array([log(x) for x in p]), np.array([certain] * self.T))

    def divergence_bound(self, model: Model, x_0: State) -> Number:
        """Eq. 5 at x_0: the forward process posterior is certain of the image with one blank less."""
        path = [self.masked(x_0, t) for t in range(self.T + 1)]
        certain = one(self.data[x_0])
        steps = [kl({path[t - 1]: certain}, model(t, path[t])) for t in range(2, self.T + 1)]
        prior = kl({path[-1]: certain}, self._prior())
        return bound.divergence_bound(prior, np.array(steps), -log(model(1, path[1])[x_0]))

    def marginal_bound(self, model: Model) -> Number:
        """Eq. 16, averaged over the data, in nats."""
        steps = [self.step(model, t) for t in range(1, self.T + 1)]
        prior = kl(self.marginal(self.T), self._prior())
        return bound.marginal_bound(prior, np.array(steps), self.entropy())

    def _prior(self) -> Law:
        """p(x_T)."""
        return {(None,) * self.T: one(next(iter(self.data.values())))}

    def step(self, model: Model, t: int) -> Number:
        """E_q D_KL(q(x_{t−1} | x_t) ‖ p_θ(x_{t−1} | x_t)), t in 1..T."""
        return sum(q * kl(self.reverse(t, x_t), model(t, x_t)) for x_t, q in self.marginal(t).items())

    def average(self, function: Callable[[State], Number]) -> Number:
        """The average of a function of x_0 over the data."""
        return sum(q * function(x_0) for x_0, q in self.data.items())


def kl(q: Law, p: Law) -> Number:
    """D_KL(q ‖ p) of two finite laws, in nats."""
    return sum(mass * (log(mass) - log(p[x])) for x, mass in q.items())
