"""What torch really executes for a training loss and a reverse step, read back as mathematics.

The formulas are proved by running them on symbols; the schedule's tables, their indices, broadcasting
and the mean over a batch are not formulas. So the shipped functions are traced to ATen operations, and
those are interpreted on arrays of symbols: one symbol for each number of x, ε and z. A table is
recognised by its numbers, an entry of it becomes α_t or ᾱ_t, and the result is compared with the paper's
statement by the zero test. The vocabulary is closed: an operation that is not listed is an error. What
the result does not depend on, such as the branch of a case that is not taken, is not looked at.

The network, the clip and the stop of a gradient are opaque. Each call gives fresh symbols, and the
statement must call the same thing on equal arguments; so it shows where a gradient stops. log(Φ(b) − Φ(a))
is one word: how torch computes it is a matter of rounding.
"""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from unittest.mock import patch

import mpmath
import numpy as np
import sympy as sp
import torch
from mpmath import mpf
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx

from ddpm_spec import ops
from ddpm_spec.choices import LEARNED
from ddpm_spec.followups import learned_variance, v_prediction
from ddpm_spec.formulas import bound, forward, objective, posterior, reverse, sampling
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, symbolic
from ddpm_spec.proofs.engine import FalseStep
from ddpm_spec.proofs.zero import UnitInterval, is_zero

__all__ = [
    "VOCABULARY",
    "Statement",
    "Tables",
    "algorithm_2",
    "bound_term",
    "eq_14",
    "hybrid",
    "network",
    "prove",
    "symbols",
    "trace",
]

Array = np.ndarray[Any, Any]
"""An object array of sympy expressions, or of the floats of a table that is not yet looked up."""

aten = torch.ops.aten

LOG_2 = sp.Symbol("log 2", positive=True)
"""The unit of a bit is a number of its own, of which nothing is used."""


LAMBDA = sp.Rational(1, 1000)
"""λ of the hybrid loss."""


@torch.library.custom_op("ddpm_spec::network", mutates_args=())
def network(x_t: Tensor, t: Tensor, outputs: int = 1) -> Tensor:
    """A network as an operation of its own: it stays in the graph with its arguments and has no inside.

    `outputs` is 2 where it also gives log σ_t², behind the prediction along the channels.
    """
    return x_t.new_zeros((len(x_t), outputs * x_t.shape[1], *x_t.shape[2:]))


_log_normal_interval = ops._log_normal_interval


@torch.library.custom_op("ddpm_spec::log_normal_interval", mutates_args=())
def _interval(lower: Tensor, upper: Tensor) -> Tensor:
    """log(Φ(upper) − Φ(lower)) as one operation."""
    return _log_normal_interval(lower, upper)


def trace(function: Callable[..., Tensor], *inputs: Tensor) -> GraphModule:
    """The ATen graph of a function of tensors. It runs once before, so that casts of tables are made."""
    with patch.object(ops, "_log_normal_interval", _interval):
        function(*inputs)
        graph: GraphModule = make_fx(function)(*inputs)
    graph.graph.eliminate_dead_code()
    return graph


# -------------------------------------------------------------------------------------------- tables


class Tables:
    """The paper's quantities for t = 1..T, formed with 50 digits and rounded once, to tell tables apart."""

    def __init__(self, betas: Sequence[Number]) -> None:
        with mpmath.workdps(50):
            rows = [Step(*map(mpf, (0, 1, 1, 1, 0, 0)))]
            for exact in betas:
                beta, prev = mpf(exact.numerator) / exact.denominator, rows[-1].alpha_bar
                alpha_bar = prev * (1 - beta)
                rows.append(Step(beta, 1 - beta, alpha_bar, prev, 1 - alpha_bar, 1 - prev))
        self.columns = Step(*(np.array(column, dtype=float) for column in zip(*rows, strict=True)))

    def name(self, table: Tensor) -> str:
        """The field of `Step` that a table holds in each of its rows 1..T.

        Raises:
            FalseStep: if it holds none of them. A number may be off by 2T roundings of float64, and by
                half an ulp of the table's own type; neighbouring rows differ by far more.
        """
        numbers, unit = table.double().numpy(), torch.finfo(table.dtype).eps / 2
        slack = 2 * len(numbers) * 2.0**-53 + (unit if table.dtype != torch.float64 else 0)
        for name, column in zip(Step._fields, self.columns, strict=True):
            if numbers.shape == column.shape and (np.abs(numbers - column) <= slack * column)[1:].all():
                return name
        raise FalseStep(f"a table of {len(table)} rows that starts {table[1:4].tolist()} is none of Step's")

    @staticmethod
    def step(t: sp.Expr) -> Step:
        """The quantities of step t as symbols: ᾱ_t = α_t ᾱ_{t−1}, and ᾱ_0 = 1."""
        alpha = UnitInterval(f"alpha_{t}")
        prev = sp.Integer(1) if t == 1 else UnitInterval(f"alpha_bar_{t - 1}")
        return Step(1 - alpha, alpha, alpha * prev, prev, 1 - alpha * prev, 1 - prev)


# ---------------------------------------------------------------------------------------- vocabulary


@dataclass
class Opaque:
    """The calls of what has no inside, in the order in which the graph makes them."""

    calls: list[tuple[str, tuple[Array, ...], Array]] = field(default_factory=list)

    def record(self, name: str, *arguments: Any, outputs: int = 1) -> Array:
        """Fresh symbols for the result of a call, in the shape of its first argument."""
        arrays = tuple(np.asarray(a, dtype=object) for a in arguments)
        shape = list(arrays[0].shape)
        shape[1:2] = [outputs * channels for channels in shape[1:2]]
        result = symbols(f"{name}_{len(self.calls)}", tuple(shape))
        self.calls.append((name, arrays, result))
        return result


def symbols(name: str, shape: tuple[int, ...], **assumptions: bool) -> Array:
    """An array of different symbols, real unless told otherwise."""
    result = np.empty(shape, dtype=object)
    for index in np.ndindex(shape):
        letters = "_".join((name, *map(str, index)))
        result[index] = sp.Symbol(letters, **(assumptions or {"real": True}))
    return result


def _number(x: float) -> sp.Expr:
    """A constant of a graph, exactly: a short fraction by its decimals, ±∞ or a multiple of log 2."""
    if math.isinf(x):
        return sp.oo if x > 0 else -sp.oo
    multiple = round(x / math.log(2))
    if multiple and x == multiple * math.log(2):
        return multiple * sp.log(2)
    fraction = Fraction(repr(x))
    if fraction.denominator > 1024:
        raise FalseStep(f"the constant {x} of the graph is no short fraction")
    return sp.Rational(fraction)


def _scaled(x: Array, alpha: Any) -> Array:
    return x * _number(alpha)


def _cast(x: Array, *, dtype: torch.dtype, **_: Any) -> Array:
    if dtype not in (torch.float32, torch.float64):
        raise FalseStep(f"a number is cast to {dtype}")
    return x


def _mean(x: Array, dims: Sequence[int] | None = None, keepdim: bool = False) -> Array:
    total = x.sum(axis=None if dims is None else tuple(dims), keepdims=keepdim)
    return np.asarray(total * sp.Integer(np.size(total)) / sp.Integer(x.size), dtype=object)


def _sum(x: Array, dims: Sequence[int]) -> Array:
    return np.asarray(x.sum(axis=tuple(dims)), dtype=object)


def _choose(condition: Any, x: Any, y: Any) -> Any:
    return x if condition else y


_sqrt, _exp, _log = (np.frompyfunc(function, 1, 1) for function in (sp.sqrt, sp.exp, sp.log))

VOCABULARY: dict[Any, Callable[..., Any]] = {
    aten.add.Tensor: lambda x, y, *, alpha=1: x + _scaled(y, alpha),
    aten.sub.Tensor: lambda x, y, *, alpha=1: x - _scaled(y, alpha),
    aten.rsub.Scalar: lambda x, y, alpha=1: y - _scaled(x, alpha),
    aten.mul.Tensor: lambda x, y: x * y,
    aten.div.Tensor: lambda x, y: x / y,
    aten.reciprocal.default: lambda x: 1 / x,
    aten.neg.default: lambda x: -x,
    aten.sqrt.default: _sqrt,
    aten.exp.default: _exp,
    aten.log.default: _log,
    aten.pow.Tensor_Scalar: lambda x, n: x**n,
    aten.mean.default: _mean,
    aten.mean.dim: _mean,
    aten.sum.default: lambda x: np.asarray(x.sum(), dtype=object),
    aten.sum.dim_IntList: _sum,
    torch.ops.ddpm_spec.log_normal_interval.default: np.frompyfunc(symbolic.log_normal_interval, 2, 1),
    aten._to_copy.default: _cast,
    aten.full.default: lambda shape, value, **_: np.full(shape, value, dtype=object),
    aten.scalar_tensor.default: lambda value, **_: np.asarray(value, dtype=object),
    aten.view.default: lambda x, shape: x.reshape(shape),
    aten.unsqueeze.default: lambda x, dim: np.expand_dims(x, dim),
    aten.select.int: lambda x, dim, index: np.asarray(np.take(x, index, axis=dim), dtype=object),
    aten.split.Tensor: lambda x, size, dim=0: np.split(x, range(size, x.shape[dim], size), axis=dim),
    aten.cat.default: lambda parts, dim=0: np.concatenate(parts, axis=dim),
    operator.getitem: lambda parts, index: parts[index],
    aten.eq.Scalar: np.frompyfunc(operator.eq, 2, 1),
    aten.gt.Scalar: np.frompyfunc(operator.gt, 2, 1),
    aten.lt.Scalar: np.frompyfunc(operator.lt, 2, 1),
    aten.where.self: np.frompyfunc(_choose, 3, 1),
    aten.slice.Tensor: lambda x, dim=0, start=0, end=None: x[(slice(None),) * dim + (slice(start, end),)],
}
"""The ATen operations that are understood, besides table look-up, clamp, detach and the network."""


STOPS = (aten.detach.default, aten.alias.default)
"""How a graph writes `detach`; torch traces it as the latter, which no other function used here gives."""


@dataclass
class Interpreter:
    """Runs a graph on arrays of symbols."""

    tables: Tables
    opaque: Opaque = field(default_factory=Opaque)

    def run(self, graph: GraphModule, inputs: Sequence[Array]) -> Array:
        """The graph's output for these inputs."""
        values: dict[Node, Any] = {}
        rest = list(inputs)
        for node in graph.graph.nodes:
            if node.op == "placeholder":
                values[node] = rest.pop(0)

        def value(node: Node) -> Any:
            if node not in values:
                values[node] = of(node)
            return values[node]

        def of(node: Node) -> Any:
            if node.op == "get_attr":
                return getattr(graph, str(node.target))
            arguments: Any = node.args
            if node.target == aten.where.self:
                condition, *branches = arguments
                taken = value(condition).astype(bool)
                if taken.all() or not taken.any():
                    return np.broadcast_arrays(value(branches[not taken.all()]), taken)[0]
            return self._call(node.target, torch.fx.node.map_arg(arguments, value), node.kwargs)

        *_, output = graph.graph.nodes
        return np.asarray(torch.fx.node.map_arg(output.args, value)[0], dtype=object)

    def _call(self, target: Any, arguments: Sequence[Any], options: dict[str, Any]) -> Any:
        if target == torch.ops.ddpm_spec.network.default:
            x_t, t, *outputs = arguments
            return self.opaque.record("network", x_t, t, outputs=outputs[0] if outputs else 1)
        if target == aten.index.Tensor and isinstance(arguments[0], Tensor):
            return self._look_up(*arguments)
        if target == aten.clamp.default:
            return self._clamp(*arguments)
        if target in STOPS:
            return self.opaque.record("detach", *arguments)
        if target not in VOCABULARY or any(isinstance(a, Tensor) for a in arguments):
            raise FalseStep(f"{target} is not in the vocabulary for these arguments")
        exact = [_number(a) if isinstance(a, float) else a for a in arguments]
        result = VOCABULARY[target](*exact, **options)
        return result if isinstance(result, list) else np.asarray(result, dtype=object)

    def _look_up(self, table: Tensor, rows: Sequence[Array]) -> Array:
        if len(rows) != 1 or table.ndim != 1:
            raise FalseStep("a table is indexed by t alone")
        name = self.tables.name(table)
        return np.frompyfunc(lambda t: getattr(self.tables.step(t), name), 1, 1)(rows[0])

    def _clamp(self, x: Array, low: int, high: int | None = None) -> Array:
        if high is None and all(sp.sympify(element - low).is_nonnegative for element in x.flat):
            return x
        if all(isinstance(element, int) for element in x.flat):
            return np.asarray(np.clip(x, low, high), dtype=object)
        return self.opaque.record("clamp", x, low, high)


# ------------------------------------------------------------------------------------------ statement

Statement = Callable[..., Array]
"""The paper's lines on arrays: takes `call`, which stands for what is opaque, then x, noise, t and `at`, the
quantities of each example's step in an array that broadcasts against the data."""


def each(formula: Callable[..., Number], *arrays: Any) -> Array:
    """A formula on every element; shapes broadcast."""
    return np.asarray(np.frompyfunc(formula, len(arrays), 1)(*arrays), dtype=object)


# What a network predicts: the target of its training, the mean and x̂_0 that the prediction implies.
TARGETS: dict[str, Callable[..., Number]] = {
    "eps": lambda x_0, eps, at: eps,
    "x_0": lambda x_0, eps, at: x_0,
    "mu": lambda x_0, eps, at: posterior.posterior_mean(x_0, forward.q_sample(x_0, eps, at), at),
    "v": v_prediction.velocity,
}
MEANS: dict[str, Callable[..., Number]] = {
    "eps": reverse.mean_from_eps,
    "x_0": lambda x_t, x_0, at: posterior.posterior_mean(x_0, x_t, at),
    "mu": lambda x_t, mean, at: mean,
    "v": lambda x_t, v, at: posterior.posterior_mean(v_prediction.x_0_from_v(x_t, v, at), x_t, at),
}
IMAGES: dict[str, Callable[..., Number]] = {
    "eps": reverse.predict_x_0,
    "x_0": lambda x_t, x_0, at: x_0,
    "mu": reverse.x_0_from_mean,
    "v": v_prediction.x_0_from_v,
}
VARIANCES: dict[str, Callable[[Step], Number]] = {
    "beta": forward.q_step_variance,
    "beta_tilde": posterior.posterior_variance,
}


def eq_14(prediction: str) -> Statement:
    """‖target − prediction‖² / D at x_t(x_0, ε), averaged over the examples; Eq. 14 for target ε."""

    def statement(call: Callable[..., Array], x_0: Array, eps: Array, t: Array, at: Array) -> Array:
        predicted = call("network", each(forward.q_sample, x_0, eps, at), t)
        target = each(TARGETS[prediction], x_0, eps, at)
        squares = each(objective.simple_loss, target, predicted).reshape(len(t), -1)
        norms: Array = squares.sum(axis=1) / sp.Integer(squares.shape[1])
        return np.asarray(norms.sum() / sp.Integer(len(t)), dtype=object)

    return statement


def algorithm_2(prediction: str, variance: str, *, clip: bool) -> Statement:
    """Lines 3 and 4 of Algorithm 2, by way of Eq. 7 at a clipped x̂_0 if asked."""

    def statement(call: Callable[..., Array], x_t: Array, z: Array, t: Array, at: Array) -> Array:
        mean, sigma_squared = _reverse_law(call, x_t, t, at, prediction, variance, clip)
        return mean if t[0] == 1 else each(sampling.p_sample, mean, sigma_squared, z)

    return statement


def _reverse_law(
    call: Callable[..., Array], x_t: Array, t: Array, at: Array, prediction: str, variance: str, clip: bool
) -> tuple[Array, Array]:
    """Mean and variance of p_θ(x_{t−1} | x_t)."""
    predicted = call("network", x_t, t)
    if variance in LEARNED:
        predicted, deciding = np.split(predicted, 2, axis=1)
    if variance == "learned":
        sigma_squared = each(reverse.learned_variance, deciding)
    elif variance == "learned_range":
        ends = _beta_tilde(t, at), each(forward.q_step_variance, at)
        half = sp.Rational(1, 2)
        sigma_squared = each(learned_variance.interpolated_variance, (deciding + 1) * half, *ends)
    else:
        sigma_squared = each(VARIANCES[variance], at)
    if not clip:
        return each(MEANS[prediction], x_t, predicted, at), sigma_squared
    x_0 = call("clamp", each(IMAGES[prediction], x_t, predicted, at), -1, 1)
    return each(posterior.posterior_mean, x_0, x_t, at), sigma_squared


def _beta_tilde(t: Array, at: Array) -> Array:
    """β̃_t, and β̃_2 in the place of β̃_1, which is 0."""
    later = np.frompyfunc(Tables.step, 1, 1)(np.full(at.shape, 2)) if t[0] == 1 else at
    return each(posterior.posterior_variance, later)


def bound_term(prediction: str, variance: str, levels: int, *, clip: bool) -> Statement:
    """L_{t−1} in bits/dim, averaged over the examples: Eq. 8 with its C for t ≥ 2, Eq. 13 at t = 1.

    σ_t² is fixed or, as in Table 2, learned. At t = 1 β̃_2 stands for β̃_1, which is 0.
    """

    def statement(call: Callable[..., Array], x_0: Array, eps: Array, t: Array, at: Array) -> Array:
        x_t = each(forward.q_sample, x_0, eps, at)
        mean, sigma_squared = _reverse_law(call, x_t, t, at, prediction, variance, clip)
        if t[0] == 1:
            if variance == "beta_tilde":
                sigma_squared = _beta_tilde(t, at)
            nats = each(bound.decoder_term, x_0, mean, sigma_squared, sp.Integer(levels))
        else:
            distance = each(
                bound.mean_distance, each(posterior.posterior_mean, x_0, x_t, at), mean, sigma_squared
            )
            nats = distance + each(
                bound.variance_mismatch, each(posterior.posterior_variance, at), sigma_squared
            )
        dims = x_0[0].size
        bits = each(bound.bits_per_dim, nats.reshape(len(t), -1).sum(axis=1), dims)
        return np.asarray(bits.sum() / sp.Integer(len(t)), dtype=object)

    return statement


def hybrid(prediction: str, variance: str, levels: int, T: int, *, clip: bool) -> Statement:
    """L_hybrid: Eq. 14 and the bound of one answer of the network, with its prediction fixed in the bound."""

    def statement(call: Callable[..., Array], x_0: Array, eps: Array, t: Array, at: Array) -> Array:
        answer = call("network", each(forward.q_sample, x_0, eps, at), t)
        predicted, deciding = np.split(answer, 2, axis=1)
        fixed = np.concatenate((call("detach", predicted), deciding), axis=1)

        def again(answered: Array) -> Callable[..., Array]:
            return lambda name, *arguments: answered if name == "network" else call(name, *arguments)

        simple = eq_14(prediction)(again(predicted), x_0, eps, t, at)
        term = bound_term(prediction, variance, levels, clip=clip)(again(fixed), x_0, eps, t, at)
        return each(learned_variance.hybrid_loss, simple, term, LAMBDA, sp.Integer(T))

    return statement


def prove(graph: GraphModule, statement: Statement, x: Array, noise: Array, t: Array, tables: Tables) -> int:
    """Show that a graph of (x, noise, t) computes what a statement says.

    Returns:
        The number of identities that were proved.

    Raises:
        FalseStep: if an operation is unknown, a table is none of the paper's, something opaque is called
            otherwise than the statement says, or the two results differ.
    """
    interpreter = Interpreter(tables)
    result = interpreter.run(graph, (x, noise, t))
    recorded, proved = iter(interpreter.opaque.calls), 0

    def same(what: str, ours: Array, theirs: Array) -> None:
        nonlocal proved
        if ours.shape != theirs.shape:
            raise FalseStep(f"{what}: shape {ours.shape} in the graph, {theirs.shape} in the paper")
        for a, b in zip(ours.flat, theirs.flat, strict=True):
            verdict = is_zero(sp.sympify(a - b).xreplace({sp.log(2): LOG_2}))
            if not verdict.proved:
                raise FalseStep(f"{what}: {a} in the graph, {b} in the paper: {verdict.method}")
            proved += 1

    def call(name: str, *arguments: Any) -> Array:
        called, ours, symbols_of_result = next(recorded, ("nothing", (), np.empty(0)))
        if called != name or len(ours) != len(arguments):
            raise FalseStep(f"the graph calls {called} where the paper calls {name}")
        for i, (a, b) in enumerate(zip(ours, arguments, strict=True), start=1):
            same(f"argument {i} of {name}", a, np.asarray(b, dtype=object))
        return symbols_of_result

    steps = np.frompyfunc(tables.step, 1, 1)(t.reshape(-1, *(1,) * (x.ndim - 1)))
    same("the result", result, np.asarray(statement(call, x, noise, t, steps), dtype=object))
    if (left := next(recorded, None)) is not None:
        raise FalseStep(f"the graph calls {left[0]} once more than the paper")
    return proved
