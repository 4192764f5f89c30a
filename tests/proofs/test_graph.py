"""What torch runs is Eq. 14 divided by D, Algorithm 2, Eq. 8 and L_hybrid; a wrong program is refused."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from torch import Tensor
from torch.fx import GraphModule

from ddpm_spec.diffusion import Diffusion
from ddpm_spec.evidence import Recorder
from ddpm_spec.followups import learned_variance, v_prediction
from ddpm_spec.formulas import bound, decoder, forward, gaussian, objective, posterior, reverse, sampling
from ddpm_spec.formulas.step import Step
from ddpm_spec.proofs import FalseStep
from ddpm_spec.proofs.graph import (
    VARIANCES,
    Statement,
    Tables,
    algorithm_2,
    bound_term,
    eq_14,
    hybrid,
    network,
    prove,
    symbols,
    trace,
)
from ddpm_spec.schedule import Schedule, linear_schedule

T = 1000
SCHEDULE = linear_schedule(T)
# §4 with exact numbers: β_1 = 1/10000, β_T = 1/50, evenly spaced.
TABLES = Tables(
    [Fraction(1, 10_000) + Fraction(199, 10_000) * Fraction(t - 1, T - 1) for t in range(1, T + 1)]
)

PLAIN = algorithm_2("eps", "beta", clip=False)

# Two examples as wide as the batch: a coefficient broadcast along the width would fit.
SHAPE = (2, 1, 1, 2)
X, NOISE = symbols("x", SHAPE), symbols("noise", SHAPE)
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


# Each prediction with one variance, each variance for a network that predicts the noise; both conventions.
CASES = [
    ("eps", "beta", "paper"),
    ("eps", "beta", "official"),
    ("eps", "beta_tilde", "paper"),
    ("eps", "beta_tilde", "official"),
    ("eps", "learned", "paper"),
    ("eps", "learned", "official"),
    ("eps", "learned_range", "paper"),
    ("x_0", "beta", "paper"),
    ("x_0", "beta", "official"),
    ("mu", "beta", "paper"),
    ("mu", "beta", "official"),
    ("v", "beta", "paper"),
    ("v", "beta", "official"),
]


OF_VARIANCE = VARIANCES | {
    "learned": reverse.learned_variance,
    "learned_range": learned_variance.interpolated_variance,
}


def loss_graph(model: Any, dtype: torch.dtype = torch.float32) -> GraphModule:
    """t is an input of this graph: it is the same for every t."""
    x_0, eps, t = torch.zeros(SHAPE, dtype=dtype), torch.ones(SHAPE, dtype=dtype), torch.tensor([1, T])
    return trace(lambda x_0, eps, t: model.loss(network, x_0, t, eps), x_0, eps, t)


def step_graph(model: Any, t: int, dtype: torch.dtype = torch.float32) -> GraphModule:
    """t is a constant of this graph, and the input t goes unused."""
    x_t, z, times = torch.zeros(SHAPE, dtype=dtype), torch.ones(SHAPE, dtype=dtype), torch.tensor([t, t])
    outputs = 2 if getattr(model, "learns_variance", False) else 1
    return trace(
        lambda x_t, z, times: model.p_sample(lambda x, t: network(x, t, outputs), x_t, t, z), x_t, z, times
    )


def prove_loss(graph: GraphModule, prediction: str = "eps") -> int:
    times = symbols("t", (2,), integer=True, positive=True)
    return prove(graph, eq_14(prediction), X, NOISE, times, TABLES)


def prove_step(graph: GraphModule, t: int, statement: Statement = PLAIN) -> int:
    return prove(graph, statement, X, NOISE, np.full(2, t, dtype=object), TABLES)


@DTYPES
@pytest.mark.parametrize("prediction", ["eps", "x_0", "mu", "v"])
def test_the_training_loss_is_eq_14_divided_by_D(
    recorder: Recorder, prediction: Any, dtype: torch.dtype
) -> None:
    claim = "the ATen graph of the training loss is Eq. 14 divided by D, for every t"
    if prediction != "eps":
        claim += f", with {prediction} in the place of the noise"
    graph = loss_graph(Diffusion(SCHEDULE, prediction=prediction), dtype)
    formulas = [objective.simple_loss, forward.q_sample]
    formulas += [v_prediction.velocity] if prediction == "v" else []
    with recorder.observe("graph proof", claim, *formulas):
        prove_loss(graph, prediction)


@pytest.mark.parametrize(("prediction", "variance", "convention"), CASES)
def test_a_reverse_step_is_algorithm_2(
    recorder: Recorder, prediction: Any, variance: Any, convention: Any
) -> None:
    """At t = 1 there is no noise. Officially the mean is Eq. 7 at the clipped prediction of x_0.

    What is proved at t = 2 holds for every larger t: the graphs differ in one number, that of the row.
    """
    clip = convention == "official"
    model = Diffusion(SCHEDULE, variance, prediction, convention)
    claim = f"the ATen graph of a reverse step is Algorithm 2: {prediction} predicted, σ² {variance}"
    formulas = {sampling.p_sample}
    formulas |= {OF_VARIANCE[variance]}
    formulas |= (
        {posterior.posterior_mean} if clip else {reverse.mean_from_eps} if prediction == "eps" else set()
    )
    formulas |= {v_prediction.x_0_from_v} if prediction == "v" else set()
    graphs = {t: step_graph(model, t) for t in (1, 2, T)}
    with recorder.observe("graph proof", claim + ", with the clip" * clip, *formulas):
        for t in (1, 2):
            prove_step(graphs[t], t, algorithm_2(prediction, variance, clip=clip))
        assert without_t(graphs[2], 2) == without_t(graphs[T], T)


LEVELS = 17
# At t = 1 the data are grey levels, both ends among them; later they are letters, and so is t.
GREY = np.array([-1, sp.Rational(3, 8), 0, 1], dtype=object).reshape(SHAPE)
FIRST, LATER = np.full(2, 1, dtype=object), symbols("k", (2,), integer=True, nonnegative=True) + 2


@cache
def bound_graph(program: Callable[..., Tensor], dtype: torch.dtype = torch.float32) -> GraphModule:
    """Of a function of (x_0, t, ε). t is an input: the graph is the same for every t."""
    x_0, eps, t = torch.zeros(SHAPE, dtype=dtype), torch.ones(SHAPE, dtype=dtype), torch.tensor([1, T])
    return trace(lambda x_0, eps, t: program(x_0, t, eps), x_0, eps, t)


def shipped_bound(model: Diffusion) -> Callable[..., Tensor]:
    outputs = 2 if model.learns_variance else 1
    return lambda x_0, t, eps: model.bound_loss(lambda x, t: network(x, t, outputs), x_0, t, eps, LEVELS)


def prove_bound(graph: GraphModule, statement: Statement, *, first: bool) -> int:
    if first:
        return prove(graph, statement, GREY, NOISE, FIRST, TABLES)
    return prove(graph, statement, X, NOISE, LATER, TABLES)


@pytest.mark.parametrize(
    ("prediction", "variance", "convention"),
    [case for case in CASES if case[2] == "paper" or case[1] == "beta"],
)
def test_the_bound_as_a_loss_is_eq_8(
    recorder: Recorder, prediction: Any, variance: Any, convention: Any
) -> None:
    """For every t ≥ 2 Eq. 8 with its C, at t = 1 Eq. 13; with the official clip only the former.

    The official code has another cdf in the place of Eq. 13.
    """
    clip = convention == "official"
    statement = bound_term(prediction, variance, LEVELS, clip=clip)
    claim = f"the ATen graph of the bound as a loss is Eq. 8: {prediction} predicted, σ² {variance}"
    formulas = [bound.mean_distance, bound.variance_mismatch, bound.bits_per_dim, posterior.posterior_mean]
    graph = bound_graph(shipped_bound(Diffusion(SCHEDULE, variance, prediction, convention)))
    with recorder.observe("graph proof", claim + ", with the clip" * clip, *formulas):
        prove_bound(graph, statement, first=False)
    if not clip:
        claim = (
            f"at t = 1 the ATen graph of the bound as a loss is Eq. 13: {prediction} predicted, σ² {variance}"
        )
        with recorder.observe("graph proof", claim, decoder.log_bin_probability, bound.decoder_term):
            prove_bound(graph, statement, first=True)


def test_the_bound_as_a_loss_in_float64_is_eq_8() -> None:
    graph = bound_graph(shipped_bound(Diffusion(SCHEDULE)), torch.float64)
    for first in (True, False):
        prove_bound(graph, bound_term("eps", "beta", LEVELS, clip=False), first=first)


def shipped_hybrid(model: Diffusion) -> Callable[..., Tensor]:
    return lambda x_0, t, eps: model.hybrid_loss(lambda x, t: network(x, t, 2), x_0, t, eps, LEVELS)


HYBRIDS = [
    ("eps", "learned_range", "paper"),
    ("eps", "learned_range", "official"),
    ("eps", "learned", "paper"),
    ("x_0", "learned_range", "paper"),
    ("mu", "learned_range", "paper"),
    ("v", "learned_range", "paper"),
]


@pytest.mark.parametrize(("prediction", "variance", "convention"), HYBRIDS)
def test_the_hybrid_loss_is_both_losses(
    recorder: Recorder, prediction: Any, variance: Any, convention: Any
) -> None:
    """Of one answer of the network, with the prediction behind a stop of the gradient in the bound alone."""
    clip = convention == "official"
    claim = (
        f"the ATen graph of the hybrid loss is L_simple + λTL_{{t−1}}: {prediction} predicted, σ² {variance}"
    )
    graph = bound_graph(shipped_hybrid(Diffusion(SCHEDULE, variance, prediction, convention)))
    statement = hybrid(prediction, variance, LEVELS, T, clip=clip)
    with recorder.observe("graph proof", claim + ", with the clip" * clip, learned_variance.hybrid_loss):
        prove_bound(graph, statement, first=False)
        if not clip:
            prove_bound(graph, statement, first=True)


def test_the_hybrid_loss_in_float64_is_both_losses() -> None:
    graph = bound_graph(shipped_hybrid(Diffusion(SCHEDULE, "learned_range")), torch.float64)
    for first in (True, False):
        prove_bound(graph, HYBRID, first=first)


def without_t(graph: GraphModule, t: int) -> list[str]:
    """The lines of a graph with the one constant tensor that holds t made anonymous."""
    full = f"torch.ops.aten.full.default([2], {t}, "
    lines = graph.code.splitlines()
    assert sum(full in line for line in lines) == 1
    return [line.replace(full, "full(t, ") for line in lines]


def test_a_reverse_step_in_float64_is_algorithm_2() -> None:
    prove_step(step_graph(Diffusion(SCHEDULE), T, torch.float64), T)


# ------------------------------------------------------------------------------------- wrong programs


@dataclass(frozen=True)
class Wrong:
    """The shipped model with one step done otherwise."""

    noised: Callable[..., Tensor] = lambda x_0, eps, at: forward.q_sample(x_0, eps, at)
    error: Callable[..., Tensor] = lambda eps, eps_hat: objective.simple_loss(eps, eps_hat).mean()
    mean: Callable[..., Tensor] = lambda x_t, eps_hat, at: reverse.mean_from_eps(x_t, eps_hat, at)
    draw: Callable[..., Tensor] = lambda mean, variance, z, t: sampling.p_sample(mean, variance, z)
    network: Callable[..., Tensor] = lambda x, t: network(x, t)
    schedule: Schedule = SCHEDULE
    shift: int = 0

    def loss(self, _: Any, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        x_t = self.noised(x_0, eps, self.schedule.rows(t - self.shift if self.shift else t, like=x_0))
        return self.error(eps, self.network(x_t, t))

    def p_sample(self, _: Any, x_t: Tensor, t: int, z: Tensor) -> Tensor:
        time = torch.full((len(x_t),), t)
        at = self.schedule.rows(time - self.shift if self.shift else time, like=x_t)
        return self.draw(self.mean(x_t, self.network(x_t, time), at), at.beta, z, t)


def with_tables(**other: Tensor) -> Schedule:
    """The paper's schedule with some of its tables replaced."""
    return Schedule(SCHEDULE.steps._replace(**other))


steps = SCHEDULE.steps


def along_the_width(x_0: Tensor, eps: Tensor, at: Step) -> Tensor:
    flat = Step(*(column.reshape(-1) for column in at))
    return forward.q_sample(x_0, eps, flat)


def test_what_the_wrong_programs_are_made_from_is_right() -> None:
    prove_loss(loss_graph(Wrong()))
    prove_step(step_graph(Wrong(), 7), 7)
    prove_step(step_graph(clipped(-1, 1), 7), 7, algorithm_2("eps", "beta", clip=True))


WRONG_LOSSES = {
    "t − 1": (Wrong(shift=1), "argument 1 of network"),
    "ᾱ_{t−1} for ᾱ_t": (
        Wrong(schedule=with_tables(alpha_bar=steps.alpha_bar_prev)),
        "argument 1 of network",
    ),
    "tables a row off": (
        Wrong(schedule=with_tables(alpha_bar=steps.alpha_bar.roll(-1))),
        "none of Step's",
    ),
    "another schedule": (Wrong(schedule=linear_schedule(T, 1e-4, 0.0201)), "none of Step's"),
    "a table in half precision": (
        Wrong(schedule=with_tables(alpha_bar=steps.alpha_bar.bfloat16().double())),
        "none of Step's",
    ),
    "along the width": (Wrong(noised=along_the_width), "argument 1 of network"),
    "the variance for its root": (
        Wrong(noised=lambda x_0, eps, at: forward.q_mean(x_0, at) + at.one_minus_alpha_bar * eps),
        "argument 1 of network",
    ),
    "a network that sees x_0": (Wrong(noised=lambda x_0, eps, at: x_0), "argument 1 of network"),
    "a network that sees t − 1": (Wrong(network=lambda x, t: network(x, t - 1)), "argument 2 of network"),
    "two calls": (Wrong(network=lambda x, t: network(network(x, t), t)), "result|once more|argument"),
    "a sum": (Wrong(error=lambda e, e_hat: objective.simple_loss(e, e_hat).sum()), "the result"),
    "no mean": (Wrong(error=lambda e, e_hat: objective.simple_loss(e, e_hat)), "shape"),
    "a mean over examples only": (
        Wrong(error=lambda e, e_hat: objective.simple_loss(e, e_hat).mean(dim=0)),
        "shape",
    ),
    "the sign of ε": (Wrong(error=lambda e, e_hat: objective.simple_loss(e, -e_hat).mean()), "the result"),
    "a factor": (
        Wrong(error=lambda e, e_hat: 0.5 * objective.simple_loss(e, e_hat).mean()),
        "the result",
    ),
    "a decimal": (Wrong(error=lambda e, e_hat: 1.1 * objective.simple_loss(e, e_hat).mean()), "the result"),
    "a factor that is no fraction": (
        Wrong(error=lambda e, e_hat: 1.0001 * objective.simple_loss(e, e_hat).mean()),
        "no short fraction",
    ),
    "another norm": (Wrong(error=lambda e, e_hat: (e - e_hat).abs().mean()), "aten.abs.default"),
}


@pytest.mark.parametrize(("model", "message"), WRONG_LOSSES.values(), ids=WRONG_LOSSES)
def test_a_wrong_loss_is_refused(model: Wrong, message: str) -> None:
    with pytest.raises(FalseStep, match=message):
        prove_loss(loss_graph(model))


WRONG_STEPS = {
    "t − 1": (Wrong(shift=1), "the result"),
    "β̃_t for β_t": (
        Wrong(
            schedule=with_tables(beta=steps.one_minus_alpha_bar_prev / steps.one_minus_alpha_bar * steps.beta)
        ),
        "none of Step's",
    ),
    "1 − ᾱ_{t−1} for 1 − ᾱ_t": (
        Wrong(schedule=with_tables(one_minus_alpha_bar=steps.one_minus_alpha_bar_prev)),
        "the result",
    ),
    "the sign of ε": (Wrong(mean=lambda x, e, at: reverse.mean_from_eps(x, -e, at)), "the result"),
    "σ² for σ": (Wrong(draw=lambda mean, variance, z, t: mean + variance * z), "the result"),
    "no noise": (Wrong(draw=lambda mean, variance, z, t: mean), "the result"),
    "a clip that nobody asked for": (
        Wrong(mean=lambda x, e, at: reverse.mean_from_eps(x, e, at).clamp(-1, 1)),
        "the result",
    ),
}


@pytest.mark.parametrize(("model", "message"), WRONG_STEPS.values(), ids=WRONG_STEPS)
def test_a_wrong_step_is_refused(model: Wrong, message: str) -> None:
    with pytest.raises(FalseStep, match=message):
        prove_step(step_graph(model, 7), 7)


def clipped(low: float, high: float) -> Wrong:
    return Wrong(
        mean=lambda x, e, at: posterior.posterior_mean(reverse.predict_x_0(x, e, at).clamp(low, high), x, at)
    )


WRONG_CLIPS = {
    "to [0, 1]": (clipped(0, 1), "argument 2 of clamp"),
    "to [−1, 2]": (clipped(-1, 2), "argument 3 of clamp"),
    "of the mean": (
        Wrong(mean=lambda x, e, at: reverse.mean_from_eps(x, e, at).clamp(-1, 1)),
        "argument 1 of clamp",
    ),
    "none": (Wrong(), "calls nothing where the paper calls clamp"),
}


@pytest.mark.parametrize(("model", "message"), WRONG_CLIPS.values(), ids=WRONG_CLIPS)
def test_a_wrong_clip_is_refused(model: Wrong, message: str) -> None:
    statement = algorithm_2("eps", "beta", clip=True)
    with pytest.raises(FalseStep, match=message):
        prove_step(step_graph(model, 7), 7, statement)


def test_noise_in_the_last_step_is_refused() -> None:
    with pytest.raises(FalseStep, match="the result"):
        prove_step(step_graph(Wrong(), 1), 1)


@pytest.mark.parametrize(
    ("model", "statement"),
    [
        (Diffusion(SCHEDULE, "beta"), algorithm_2("eps", "beta_tilde", clip=False)),
        (Diffusion(SCHEDULE, "learned"), algorithm_2("eps", "beta", clip=False)),
        (Diffusion(SCHEDULE, "learned_range"), algorithm_2("eps", "learned", clip=False)),
        (Diffusion(SCHEDULE, "learned"), algorithm_2("eps", "learned_range", clip=False)),
        (Diffusion(SCHEDULE, prediction="v"), algorithm_2("x_0", "beta", clip=False)),
        (Diffusion(SCHEDULE, prediction="mu"), PLAIN),
        (Diffusion(SCHEDULE, prediction="x_0"), algorithm_2("mu", "beta", clip=False)),
        (Diffusion(SCHEDULE, prediction="x_0", convention="official"), algorithm_2("eps", "beta", clip=True)),
    ],
)
def test_another_option_is_refused(model: Diffusion, statement: Statement) -> None:
    with pytest.raises(FalseStep):
        prove_step(step_graph(model, 7), 7, statement)


def a_bound(
    step: Callable[..., Tensor] = bound.step_term,
    decoder: Callable[..., Tensor] = bound.decoder_term,
    in_bits: Callable[..., Tensor] = lambda nats: bound.bits_per_dim(nats, 2),
    least: int = 2,
    levels: int = LEVELS,
) -> Callable[..., Tensor]:
    """The bound as a loss, with σ² = β, put together from parts that may be wrong."""

    def program(x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        at = SCHEDULE.at(t, like=x_0)
        x_t = forward.q_sample(x_0, eps, at)
        law = reverse.mean_from_eps(x_t, network(x_t, t), at), at.beta
        later = step(x_0, x_t, *law, SCHEDULE.at(t.clamp(min=least), like=x_0))
        first = t.reshape(-1, 1, 1, 1) == 1
        nats = torch.where(first, decoder(x_0, *law, levels), later).flatten(1).sum(dim=1)
        return in_bits(nats).mean()

    return program


def without_c(x_0: Tensor, x_t: Tensor, mean: Tensor, variance: Tensor, at: Step) -> Tensor:
    return bound.mean_distance(posterior.posterior_mean(x_0, x_t, at), mean, variance)


def laws_swapped(x_0: Tensor, x_t: Tensor, mean: Tensor, variance: Tensor, at: Step) -> Tensor:
    law = posterior.posterior_mean(x_0, x_t, at), posterior.posterior_variance(at)
    return gaussian.kl(mean, variance, *law)


def of_the_step_before(x_0: Tensor, x_t: Tensor, mean: Tensor, variance: Tensor, at: Step) -> Tensor:
    posterior_law = posterior.posterior_mean(x_0, x_t, at), at.beta
    return gaussian.kl(*posterior_law, mean, variance)


BOUND = bound_term("eps", "beta", LEVELS, clip=False)
WRONG_BOUNDS: dict[str, tuple[Callable[..., Tensor], bool, str]] = {
    "no C": (a_bound(step=without_c), False, "the result"),
    "the laws swapped": (a_bound(step=laws_swapped), False, "the result"),
    "β for the variance of the posterior": (a_bound(step=of_the_step_before), False, "the result"),
    "the posterior of a later step": (a_bound(least=3), False, "the graph calls clamp"),
    "nats": (a_bound(in_bits=lambda nats: nats), False, "the result"),
    "nats at t = 1": (a_bound(in_bits=lambda nats: nats), True, "the result"),
    "bits an image": (a_bound(in_bits=lambda nats: bound.bits_per_dim(nats, 1)), False, "the result"),
    "twice": (a_bound(in_bits=lambda nats: 2 * bound.bits_per_dim(nats, 2)), True, "the result"),
    "a divergence at t = 1": (
        a_bound(decoder=lambda x_0, mean, variance, _: (x_0 - mean) ** 2),
        True,
        "the result",
    ),
    "a probability, not its cost": (a_bound(decoder=decoder.log_bin_probability), True, "the result"),
    "other bins": (a_bound(levels=9), True, "the result"),
    "another variance": (shipped_bound(Diffusion(SCHEDULE, "beta_tilde")), False, "the result"),
    "another first variance": (shipped_bound(Diffusion(SCHEDULE, "beta_tilde")), True, "the result"),
    "the official first term": (
        shipped_bound(Diffusion(SCHEDULE, convention="official")),
        True,
        "no short fraction",
    ),
    "another prediction": (shipped_bound(Diffusion(SCHEDULE, prediction="x_0")), False, "the result"),
}


@pytest.mark.parametrize("first", [True, False])
def test_what_the_wrong_bounds_are_made_from_is_right(first: bool) -> None:
    prove_bound(bound_graph(a_bound()), BOUND, first=first)


@pytest.mark.parametrize(("program", "first", "message"), WRONG_BOUNDS.values(), ids=WRONG_BOUNDS)
def test_a_wrong_bound_is_refused(program: Callable[..., Tensor], first: bool, message: str) -> None:
    with pytest.raises(FalseStep, match=message):
        prove_bound(bound_graph(program), BOUND, first=first)


RANGE = Diffusion(SCHEDULE, "learned_range")


def a_hybrid(
    together: Callable[..., Tensor] = lambda simple, term: simple + 0.001 * (T * term),
    halves: Callable[[Tensor], Any] = lambda answer: answer.chunk(2, dim=1),
    fixed: Callable[[Tensor], Tensor] = lambda predicted: predicted.detach(),
    deciding: Callable[[Tensor], Tensor] = lambda deciding: deciding,
    learned: Callable[[Tensor, Tensor], Tensor] = lambda predicted, fixed: predicted,
    again: Callable[..., Tensor] = lambda answer, x, t: answer,
    model: Diffusion = RANGE,
) -> Callable[..., Tensor]:
    """The hybrid loss, put together from parts that may be wrong."""

    def program(x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        x_t = model.q_sample(x_0, t, eps)
        predicted, decides = halves(network(x_t, t, 2))
        answer = torch.cat((fixed(predicted), deciding(decides)), dim=1)
        simple = objective.simple_loss(eps, learned(predicted, answer.chunk(2, dim=1)[0])).mean()
        return together(simple, model.bound_loss(lambda x, t: again(answer, x, t), x_0, t, eps, LEVELS))

    return program


HYBRID = hybrid("eps", "learned_range", LEVELS, T, clip=False)
WRONG_HYBRIDS = {
    "no λ": (a_hybrid(lambda simple, term: simple + T * term), "the result"),
    "another λ": (a_hybrid(lambda simple, term: simple + 0.002 * (T * term)), "the result"),
    "λ on the wrong loss": (a_hybrid(lambda simple, term: 0.001 * simple + T * term), "the result"),
    "the bound not times T": (a_hybrid(lambda simple, term: simple + 0.001 * term), "the result"),
    "the bound alone": (a_hybrid(lambda simple, term: 0.001 * (T * term)), "the result"),
    "no bound": (a_hybrid(lambda simple, term: simple), "calls nothing where the paper calls detach"),
    "less the bound": (a_hybrid(lambda simple, term: simple - 0.001 * (T * term)), "the result"),
    "the halves swapped": (
        a_hybrid(halves=lambda answer: answer.chunk(2, dim=1)[::-1]),
        "argument 1 of detach",
    ),
    "the gradient not stopped": (
        a_hybrid(fixed=lambda predicted: predicted),
        "calls nothing where the paper calls detach",
    ),
    "the gradient stopped in both losses": (a_hybrid(learned=lambda predicted, fixed: fixed), "the result"),
    "the gradient of the variance stopped": (
        a_hybrid(deciding=lambda deciding: deciding.detach()),
        "the result",
    ),
    "two calls": (
        a_hybrid(again=lambda answer, x, t: network(x, t, 2)),
        "calls network where the paper calls detach",
    ),
    "another variance": (a_hybrid(model=Diffusion(SCHEDULE, "learned")), "the result"),
    "another prediction": (
        a_hybrid(model=Diffusion(SCHEDULE, "learned_range", prediction="x_0")),
        "the result",
    ),
}


@pytest.mark.parametrize("first", [True, False])
def test_what_the_wrong_hybrids_are_made_from_is_right(first: bool) -> None:
    prove_bound(bound_graph(a_hybrid()), HYBRID, first=first)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("program", "message"), WRONG_HYBRIDS.values(), ids=WRONG_HYBRIDS)
def test_a_wrong_hybrid_is_refused(program: Callable[..., Tensor], message: str, first: bool) -> None:
    with pytest.raises(FalseStep, match=message):
        prove_bound(bound_graph(program), HYBRID, first=first)


@pytest.mark.parametrize(("trained", "said"), [("mu", "x_0"), ("v", "eps"), ("v", "x_0"), ("x_0", "v")])
def test_another_target_is_refused(trained: Any, said: str) -> None:
    with pytest.raises(FalseStep, match="the result"):
        prove_loss(loss_graph(Diffusion(SCHEDULE, prediction=trained)), said)
