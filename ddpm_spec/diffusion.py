"""The model: a schedule, the formulas and a network.

Every line of mathematics here is a call into `formulas`; this file decides only which step goes
where. Time is 1-based: t = 1..T.
"""

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, get_args

import torch
from torch import Tensor

from ddpm_spec.choices import LEARNED, Convention, Prediction, Variance
from ddpm_spec.followups import ddim, learned_variance, v_prediction
from ddpm_spec.formulas import (
    bound,
    decoder,
    forward,
    gaussian,
    interpolation,
    objective,
    posterior,
    reverse,
    sampling,
)
from ddpm_spec.formulas.step import Step
from ddpm_spec.schedule import Schedule, is_traced

__all__ = ["BoundTerms", "Diffusion", "Network", "told"]

Network = Callable[[Tensor, Tensor], Tensor]
"""Takes x_t of shape (B, C, H, W), float32 or float64, and integer t of shape (B,) in 1..T.

It returns the prediction in that shape, for a learned variance followed by what decides σ_t² along the
channels, in whatever dtype it computes in; the caller casts.
"""

HYBRID = 0.001
"""λ of L_hybrid = L_simple + λ L_vlb (Nichol and Dhariwal 2021)."""


class BoundTerms(NamedTuple):
    """The bound of Eq. 5, in nats per example."""

    prior: Tensor
    """L_T, shape (B,)."""
    steps: Tensor
    """L_1..L_{T−1}, shape (B, T − 1); column k is L_{k+1}, the term of t = k + 2."""
    decoder: Tensor
    """L_0, shape (B,)."""

    @property
    def total(self) -> Tensor:
        """L = L_T + Σ L_{t−1} + L_0, shape (B,)."""
        return bound.divergence_bound(self.prior, self.steps, self.decoder)


@dataclass(frozen=True)
class Diffusion:
    """The forward process, the reverse process and the bound of one model (§2–§3).

    Every method checks what it is given, which takes some microseconds. A wrong argument often fits: a time
    of 0 or −1 is a row of the tables too, and a smaller tensor broadcasts. So a ValueError is raised for a
    time outside 1..T (on a GPU as `Schedule.check` says), for images or noise that are not floats, and for a
    shape that is not the one described, also of what the network returns. Nothing is checked while torch
    compiles, exports or traces: call the program once without that, and a mistake is found.

    Raises:
        TypeError: if the schedule is no `Schedule`.
        ValueError: if a choice is none of those named.
    """

    schedule: Schedule
    variance: Variance = "beta"
    """σ_t²; at t = 1, where β̃_1 = 0 leaves Eq. 13 undefined, β̃_2 stands in."""
    prediction: Prediction = "eps"
    convention: Convention = "paper"

    def __post_init__(self) -> None:
        if not isinstance(self.schedule, Schedule):
            raise TypeError(
                f"schedule is of type {type(self.schedule).__name__}; "
                "give a Schedule, such as linear_schedule()"
            )
        for name, choices in (("variance", Variance), ("prediction", Prediction), ("convention", Convention)):
            if getattr(self, name) not in get_args(choices):
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose from {get_args(choices)}")

    @property
    def learns_variance(self) -> bool:
        """Whether the network decides σ_t²."""
        return self.variance in LEARNED

    def q_sample(self, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """x_t ~ q(x_t | x_0) for noise ε, Eq. 4. Shapes (B, …), t of shape (B,) in 1..T."""
        self._check(t, x_0=x_0, eps=eps)
        return forward.q_sample(x_0, eps, self.schedule.rows(t, like=x_0))

    def _check(self, t: int | Tensor, **tensors: Tensor) -> None:
        """Refuse what would fit and be wrong. The first of the tensors says what shape the others have."""
        self.schedule.check(t)
        if is_traced():
            return
        first = next(iter(tensors))
        batch = tensors[first].shape
        for name, x in tensors.items():
            if not x.is_floating_point():
                raise ValueError(
                    f"{name} is of {x.dtype}; it must be floats, and images in [−1, 1]: "
                    "x / 127.5 − 1 for 256 grey levels"
                )
            if x.shape != batch:
                raise ValueError(
                    f"{name} has shape {tuple(x.shape)}; it must be {tuple(batch)}, as of {first}"
                )
        if isinstance(t, Tensor) and t.ndim and t.shape != batch[:1]:
            raise ValueError(
                f"t has shape {tuple(t.shape)}; it must be {tuple(batch[:1])}, a time for each image"
            )

    def _ask(self, network: Network, x_t: Tensor, t: Tensor) -> Tensor:
        """What the network returns, in the dtype of x_t."""
        answer = network(x_t, t)
        if is_traced():
            return answer.to(x_t.dtype)
        if not isinstance(answer, Tensor):
            raise TypeError(f"the network returned a {type(answer).__name__}; it must return a tensor")
        batch, channels, *image = x_t.shape
        right = (batch, channels * (2 if self.learns_variance else 1), *image)
        if answer.shape != right:
            raise ValueError(
                f"the network returned shape {tuple(answer.shape)} for x_t of {tuple(x_t.shape)}; "
                f"with variance {self.variance!r} it must be {right}"
            )
        return answer.to(x_t.dtype)

    # ------------------------------------------------------------------------------------ training

    def loss(self, network: Network, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """The squared error in what is predicted, averaged over coordinates and batch: a scalar.

        For a network that predicts the noise this is L_simple, Eq. 14, divided by D (Algorithm 1).
        `x_0`: (B, C, H, W) in [−1, 1]; `t`: (B,) in 1..T; `eps`: like x_0, ε ~ N(0, I). The error is formed
        in float32 or better, whatever the network computes in.

        Raises:
            ValueError: for a learned variance, which a squared error gives no gradient.
        """
        if self.learns_variance:
            raise ValueError("a squared error gives a learned variance no gradient; train it on the bound")
        self._check(t, x_0=x_0, eps=eps)
        at = self.schedule.rows(t, like=x_0)
        x_t = forward.q_sample(x_0, eps, at)
        predicted = self._ask(network, x_t, t)
        return objective.simple_loss(self._target(x_0, x_t, eps, at), predicted).mean()

    def _target(self, x_0: Tensor, x_t: Tensor, eps: Tensor, at: Step) -> Tensor:
        """What the network is to predict."""
        if self.prediction == "mu":
            return posterior.posterior_mean(x_0, x_t, at)
        if self.prediction == "v":
            return v_prediction.velocity(x_0, eps, at)
        return x_0 if self.prediction == "x_0" else eps

    def bound_loss(self, network: Network, x_0: Tensor, t: Tensor, eps: Tensor, levels: int) -> Tensor:
        """L_{t−1} of Eq. 5 in bits/dim, averaged over the batch: a scalar.

        Takes what `loss` takes. For t uniform in 1..T its mean is (L − L_T)/T.
        """
        nats = self.bound_term(network, x_0, t, eps, levels)
        return bound.bits_per_dim(nats, x_0.shape[1:].numel()).mean()

    def hybrid_loss(self, network: Network, x_0: Tensor, t: Tensor, eps: Tensor, levels: int) -> Tensor:
        """L_simple + λ L_vlb of Nichol and Dhariwal 2021, by which a variance is learned: a scalar.

        Takes what `loss` takes. The mean learns from the squared error alone: no gradient of the bound
        reaches it. L_simple is divided by D; L_vlb, the whole bound in bits/dim, is T times `bound_loss`.

        Raises:
            ValueError: for a fixed variance, which has nothing to learn.
        """
        if not self.learns_variance:
            raise ValueError(f"variance is {self.variance!r}; a hybrid loss is for one that is learned")
        self._check(t, x_0=x_0, eps=eps)
        at = self.schedule.rows(t, like=x_0)
        x_t = forward.q_sample(x_0, eps, at)
        predicted, deciding = self._ask(network, x_t, t).chunk(2, dim=1)
        simple = objective.simple_loss(self._target(x_0, x_t, eps, at), predicted).mean()
        answer = torch.cat((predicted.detach(), deciding), dim=1)
        term = self.bound_loss(lambda x, t: answer, x_0, t, eps, levels)
        return learned_variance.hybrid_loss(simple, term, HYBRID, self.schedule.T)

    # ------------------------------------------------------------------------------ reverse process

    def reverse_law(self, network: Network, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of p_θ(x_{t−1} | x_t), Eq. 1: from the predicted noise by Eq. 11.

        `x_t`: (B, C, H, W); `t`: (B,) in 1..T. Where x̂_0 is predicted, or clipped by the official
        convention, the mean is Eq. 7 at x̂_0, which is Eq. 11 where nothing is clipped.

        Returns:
            The mean, in the shape of x_t and its dtype, float32 where that is half precision, and σ_t², which
            broadcasts against it.

        Raises:
            ValueError: if σ_1² would be β̃_2 in a chain of one step, which has none.
        """
        self._check(t, x_t=x_t)
        x_t = _wide(x_t)
        at = self.schedule.rows(t, like=x_t)
        predicted, deciding = self._answer(network, x_t, t)
        return self._mean(predicted, x_t, at), self._variance(deciding, t, at, like=x_t)

    def predict_x_0(self, network: Network, x_t: Tensor, t: Tensor) -> Tensor:
        """x̂_0, which the prediction implies: Eq. 15 for predicted noise, clipped where the convention clips.

        Takes what `reverse_law` takes. A predicted mean holds little of x̂_0 at large t: give x_t in float64.
        """
        self._check(t, x_t=x_t)
        x_t = _wide(x_t)
        predicted, _ = self._answer(network, x_t, t)
        return self._x_0(predicted, x_t, self.schedule.rows(t, like=x_t))

    def _answer(self, network: Network, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the network predicts, and what decides a learned variance."""
        answer = self._ask(network, x_t, t)
        if not self.learns_variance:
            return answer, None
        predicted, deciding = answer.chunk(2, dim=1)
        return predicted, deciding

    def _mean(self, predicted: Tensor, x_t: Tensor, at: Step) -> Tensor:
        if self.convention == "paper" and self.prediction == "eps":
            return reverse.mean_from_eps(x_t, predicted, at)
        if self.convention == "paper" and self.prediction == "mu":
            return predicted
        return posterior.posterior_mean(self._x_0(predicted, x_t, at), x_t, at)

    def _x_0(self, predicted: Tensor, x_t: Tensor, at: Step) -> Tensor:
        if self.prediction == "eps":
            predicted = reverse.predict_x_0(x_t, predicted, at)
        elif self.prediction == "mu":
            predicted = reverse.x_0_from_mean(x_t, predicted, at)
        elif self.prediction == "v":
            predicted = v_prediction.x_0_from_v(x_t, predicted, at)
        return predicted if self.convention == "paper" else predicted.clamp(-1, 1)

    def _variance(self, deciding: Tensor | None, t: Tensor, at: Step, *, like: Tensor) -> Tensor:
        if self.variance == "learned":
            return reverse.learned_variance(deciding)
        beta = forward.q_step_variance(at)
        if self.variance == "beta" and self.convention == "paper":
            return beta
        if self.schedule.T == 1:
            raise ValueError("σ_1² would be β̃_2, which a chain of one step has not; give it a second step")
        # β̃_1 is 0; at t = 1 the step at t = 2 stands in.
        beta_tilde = posterior.posterior_variance(self.schedule.rows(t.clamp(min=2), like=like))
        if self.variance == "beta_tilde":
            return beta_tilde
        if deciding is not None:
            return learned_variance.interpolated_variance((deciding + 1) / 2, beta_tilde, beta)
        return torch.where(t.reshape(beta.shape) == 1, beta_tilde, beta)

    @torch.no_grad()
    def p_sample(self, network: Network, x_t: Tensor, t: int, z: Tensor) -> Tensor:
        """x_{t−1} ~ p_θ(x_{t−1} | x_t): one step of Algorithm 2.

        `x_t`: (B, C, H, W); `z`: like x_t, z ~ N(0, I). At t = 1 no noise is added, whatever z is. The
        result has the dtype of x_t, float32 where that is half precision.
        """
        self._check(t, x_t=x_t, z=x_t if t == 1 else z)
        x_t, times = _wide(x_t), _times(t, x_t)
        at = self.schedule.rows(times, like=x_t)
        predicted, deciding = self._answer(network, x_t, times)
        mean = self._mean(predicted, x_t, at)
        return mean if t == 1 else sampling.p_sample(mean, self._variance(deciding, times, at, like=x_t), z)

    @torch.no_grad()
    def ddim_step(self, network: Network, x_t: Tensor, t: int, z: Tensor, eta: float) -> Tensor:
        """x_{t−1} by (12) of DDIM, with σ² = η²β̃_t of (16) in the place of the model's variance.

        Takes what `p_sample` takes; η in [0, 1]. η = 0 adds no noise, η = 1 is `p_sample` with σ_t² = β̃_t.
        At t = 1 that is 0.
        """
        self._check(t, x_t=x_t, z=x_t if t == 1 else z)
        x_t = _wide(x_t)
        x_0 = self.predict_x_0(network, x_t, _times(t, x_t))
        # In float64: over a long step 1 − ᾱ_s − σ² is a small difference, which a rounding may make negative.
        at = Step(*(table[t] for table in self.schedule.steps))
        variance = torch.minimum(ddim.ddim_variance(eta, at), at.one_minus_alpha_bar_prev)
        return sampling.p_sample(ddim.ddim_mean(x_0, x_t, variance, at), variance, z)

    def visiting(self, times: Sequence[int]) -> "Diffusion":
        """The chain of fewer and longer steps that visits these times only; its network is `told` them.

        Whatever holds of this chain holds of that one: it can be sampled and has a bound.

        Raises:
            ValueError: as `Schedule.visiting`; for log σ_t² as Table 2 learns it, which is that of one step.
        """
        if self.variance == "learned" and len(times) < self.schedule.T:
            raise ValueError("variance is 'learned', which is that of single steps; visit all times")
        return replace(self, schedule=self.schedule.visiting(times))

    def sample(
        self,
        network: Network,
        noise: Callable[[int], Tensor],
        *,
        times: Sequence[int] = (),
        eta: float | None = None,
    ) -> Iterator[Tensor]:
        """Algorithm 2: yields x_{T−1}, …, x_0, each of shape (B, C, H, W).

        `noise(t)` returns x_T ~ N(0, I) for t = T + 1 and the step's z ~ N(0, I) for t in T..2, all of
        that shape.

        `times`: those to visit, if not all: of 1..T, ascending, the last T. Then x_t at these is yielded, and
        x_0; `noise` is asked for these. `eta`: η in [0, 1], for DDIM's steps in the place of Algorithm 2's.

        Raises:
            ValueError: as `visiting`, or if η is out of range.
        """
        if eta is not None and not 0 <= eta <= 1:
            raise ValueError(f"eta is {eta}; it must be in [0, 1]")
        x_T, chain, named = noise(self.schedule.T + 1), self, noise
        if times and eta is None:
            chain = self.visiting(times)
        elif times:  # DDIM brings its own variance, whatever the model has learned
            chain = replace(self, schedule=self.schedule.visiting(times))
        if times:
            network, named = told(network, times), lambda k: noise(times[k - 1])
        yield from chain.decode(network, x_T, chain.schedule.T, named, eta)

    def decode(
        self, network: Network, x_t: Tensor, t: int, noise: Callable[[int], Tensor], eta: float | None = None
    ) -> Iterator[Tensor]:
        """Algorithm 2 from x_t on: yields x_{t−1}, …, x_0. `noise` as in `sample`, for t..2."""
        self._check(t, x_t=x_t)
        step = self.p_sample if eta is None else functools.partial(self.ddim_step, eta=eta)
        for s in range(t, 0, -1):
            x_t = step(network, x_t, s, noise(s) if s > 1 else x_t)
            yield x_t

    def interpolate(
        self,
        network: Network,
        latents: tuple[Tensor, Tensor],
        weight: float | Tensor,
        t: int,
        noise: Callable[[int], Tensor],
    ) -> Tensor:
        """An image between two (§4.4): their x_t mixed with this weight on the second, and decoded.

        `latents`: what `q_sample` gives for the two images at t, (B, C, H, W); kept while the weight moves.
        `weight`: λ in [0, 1], one or (B, 1, 1, 1); 0 and 1 are reconstructions. `noise` as in `decode`.
        """
        first, second = latents
        self._check(t, first=first, second=second)
        if isinstance(weight, Tensor) and weight.ndim not in (0, first.ndim):
            raise ValueError(f"weight has shape {tuple(weight.shape)}; give one number, or (B, 1, 1, 1)")
        *_, x_0 = self.decode(network, interpolation.mix(first, second, weight), t, noise)
        return x_0

    # ------------------------------------------------------------------------------------ the bound

    def bound_term(self, network: Network, x_0: Tensor, t: Tensor, eps: Tensor, levels: int) -> Tensor:
        """L_{t−1} of Eq. 5 at the x_t that ε gives, in nats per example, shape (B,).

        `t`: (B,) in 1..T. L_0 by the discrete decoder for t = 1, a divergence for t in 2..T. One draw of
        ε gives an unbiased estimate of the expectation over q. Formed in the dtype of x_0, float32 where that
        is half precision.
        """
        x_t = self.q_sample(x_0, t, eps)
        x_0 = _wide(x_0)
        mean, variance = self.reverse_law(network, x_t, t)
        if self.schedule.T == 1:
            return _per_example(self._decoder_term(x_0, mean, variance, levels))
        # At t = 1 the posterior is a point; the divergence of t = 2 keeps the unused branch finite.
        at = self.schedule.rows(t.clamp(min=2), like=x_0)
        step = bound.step_term(x_0, x_t, mean, variance, at)
        first = t.reshape(-1, *[1] * (x_0.ndim - 1)) == 1
        return _per_example(torch.where(first, self._decoder_term(x_0, mean, variance, levels), step))

    def _decoder_term(self, x_0: Tensor, mean: Tensor, variance: Tensor, levels: int) -> Tensor:
        if levels < 2:
            raise ValueError(f"levels is {levels}; an image has at least 2 grey levels")
        if self.convention == "paper":
            return bound.decoder_term(x_0, mean, variance, levels)
        return -decoder.log_bin_probability_tanh(x_0, mean, variance, levels)

    @torch.no_grad()
    def bound(self, network: Network, x_0: Tensor, levels: int, noise: Callable[[int], Tensor]) -> BoundTerms:
        """Every term of Eq. 5 on these examples, in nats: T network calls, float64 but for the network.

        `x_0`: (B, C, H, W), `levels` grey levels scaled to [−1, 1]. `noise(t)` returns ε for step t.
        """
        self._check(self.schedule.T, x_0=x_0)
        x_0 = x_0.double()
        terms = [
            self.bound_term(network, x_0, _times(t, x_0), noise(t).double(), levels)
            for t in range(1, self.schedule.T + 1)
        ]
        last = self.schedule.rows(_times(self.schedule.T, x_0), like=x_0)
        prior, steps = (
            _per_example(bound.prior_term(x_0, last)),
            torch.stack(terms, dim=1)[:, 1:].contiguous(),
        )
        return BoundTerms(prior, steps, terms[0])

    @torch.no_grad()
    def path_bound(
        self, network: Network, x_0: Tensor, levels: int, noise: Callable[[int], Tensor]
    ) -> Tensor:
        """The same bound as it is defined, by Eq. 3, from one path x_1..x_T drawn step by step from Eq. 2.

        In nats per example, shape (B,); T network calls. Its expectation is that of `bound`, its
        variance is larger, and it shares only the network's mean with it: a check, not a way to report.
        Takes what `bound` takes; `noise(t)` is the noise of step t.
        """
        self._check(self.schedule.T, x_0=x_0)
        x_t = x_0 = x_0.double()
        log_p, log_q = [], []
        for t in range(1, self.schedule.T + 1):
            x_prev, time = x_t, _times(t, x_0)
            at, z = self.schedule.rows(time, like=x_0), noise(t)
            self._check(t, x_0=x_0, noise=z)
            q = forward.q_step_mean(x_prev, at), forward.q_step_variance(at)
            x_t = sampling.p_sample(*q, z.double())
            mean, variance = self.reverse_law(network, x_t, time)
            if t == 1:
                log_p.append(-_per_example(self._decoder_term(x_0, mean, variance, levels)))
            else:
                log_p.append(_per_example(gaussian.log_density(x_prev, mean, variance)))
            log_q.append(_per_example(gaussian.log_density(x_t, *q)))
        log_prior = _per_example(gaussian.log_density(x_t, torch.zeros_like(x_t), torch.ones_like(x_t)))
        return bound.path_bound(log_prior, torch.stack(log_p, dim=1), torch.stack(log_q, dim=1))


def told(network: Network, times: Sequence[int]) -> Network:
    """The network for the chain that is `visiting` these times: at its step k it is told times[k−1]."""
    return lambda x_t, k: network(x_t, torch.tensor(times, device=k.device)[k - 1])


def _times(t: int, x: Tensor) -> Tensor:
    """t for every example of x."""
    return torch.full((len(x),), operator.index(t), device=x.device)


def _wide(x: Tensor) -> Tensor:
    """x in float32 or better, which is what the network takes."""
    return x if x.dtype == torch.float64 else x.float()


def _per_example(terms: Tensor) -> Tensor:
    """Sum over all but the first dimension."""
    return terms.flatten(1).sum(dim=1)
