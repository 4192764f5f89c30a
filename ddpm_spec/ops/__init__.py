"""Elementary functions over every number type the formulas are run on.

A formula calls `ops.sqrt(x)` and does not know what `x` is. Tensors take a fast path that
`torch.compile` can see through; every other type is looked up in a table that its own file fills:

| reader of the formulas          | number type            | file               | loaded by          |
|---------------------------------|------------------------|--------------------|--------------------|
| trainer, sampler, bound         | `torch.Tensor`         | `ops/__init__.py`  | always             |
| schedule, plain Python          | `int`, `float`         | `ops/__init__.py`  | always             |
| exact laws                      | `fractions.Fraction`   | `ops/exact.py`     | tests              |
| rounding bounds                 | `mpmath.mpf`           | `ops/multiprecision.py` | tests         |
| proofs                          | `sympy.Expr`           | `ops/symbolic.py`  | `ddpm_spec.proofs` |
| the printed page                | `typeset.Term`         | `ops/typeset.py`   | `ddpm_spec.proofs` |

This is the only room of the house that knows number types.
"""

import math
from collections.abc import Callable
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "Number",
    "cos",
    "exp",
    "infinity",
    "log",
    "log_normal_interval",
    "one",
    "sin",
    "sqrt",
    "tanh",
    "total",
    "two_pi",
    "where",
]

Number = Any
"""Anything with +, −, ×, ÷ and integer powers for which `ops` has a backend."""


def _function(name: str) -> Callable[..., Any]:
    """A table from the number type to the function called `name`, empty but for the error."""

    @singledispatch
    def unknown(x: Number, *_: Number) -> Number:
        raise TypeError(
            f"ops.{name} has no backend for {type(x).__name__}; import the backend's module, "
            "for example ddpm_spec.ops.symbolic for sympy"
        )

    return unknown


# One table a function: a backend adds itself with `TABLE["sqrt"].register(type, function)`.
TABLE: dict[str, Any] = {
    name: _function(name)
    for name in (
        "sqrt",
        "exp",
        "log",
        "sin",
        "cos",
        "tanh",
        "one",
        "total",
        "two_pi",
        "infinity",
        "log_normal_interval",
        "where",
    )
}


def sqrt(x: Number) -> Number:
    """√x, elementwise."""
    return torch.sqrt(x) if isinstance(x, Tensor) else TABLE["sqrt"](x)


def exp(x: Number) -> Number:
    """eˣ, elementwise."""
    return torch.exp(x) if isinstance(x, Tensor) else TABLE["exp"](x)


def log(x: Number) -> Number:
    """The natural logarithm, elementwise."""
    return torch.log(x) if isinstance(x, Tensor) else TABLE["log"](x)


def sin(x: Number) -> Number:
    """sin x, elementwise."""
    return torch.sin(x) if isinstance(x, Tensor) else TABLE["sin"](x)


def cos(x: Number) -> Number:
    """cos x, elementwise."""
    return torch.cos(x) if isinstance(x, Tensor) else TABLE["cos"](x)


def tanh(x: Number) -> Number:
    """The hyperbolic tangent, elementwise."""
    return torch.tanh(x) if isinstance(x, Tensor) else TABLE["tanh"](x)


def one(like: Number) -> Number:
    """1 in the arithmetic of `like`, so that `one(x) / 255` is exact where `x` is exact."""
    return 1 if isinstance(like, Tensor) else TABLE["one"](like)


def total(steps: Number) -> Number:
    """Σ_t over the steps of a path: the last dimension of an array, or a symbolic t = first..T."""
    return steps.sum(dim=-1) if isinstance(steps, Tensor) else TABLE["total"](steps)


def two_pi(like: Number) -> Number:
    """2π in the arithmetic of `like`."""
    return 2 * math.pi if isinstance(like, Tensor) else TABLE["two_pi"](like)


def infinity(like: Number) -> Number:
    """+∞ in the arithmetic of `like`."""
    return math.inf if isinstance(like, Tensor) else TABLE["infinity"](like)


def where(condition: Any, x: Number, y: Number) -> Number:
    """`x` where the condition holds, else `y`."""
    if isinstance(condition, Tensor):
        return torch.where(condition, x, y)
    return TABLE["where"](condition, x, y)


def log_normal_interval(lower: Number, upper: Number) -> Number:
    """log(Φ(upper) − Φ(lower)), the log-probability that a standard normal falls in an interval.

    `lower` may be −∞ and `upper` +∞. Finite, with a finite gradient, wherever the logarithm itself
    is representable: an interval far out in a tail does not become log 0.
    """
    if isinstance(lower, Tensor):
        return _log_normal_interval(lower, upper)
    return TABLE["log_normal_interval"](lower, upper)


def _log_normal_interval(lower: Tensor, upper: Tensor) -> Tensor:
    # In the left tail log Φ keeps its relative precision, in the right tail Φ is 1 to rounding:
    # reflect, so that the end of larger magnitude is on the left.
    reflect = lower + upper > 0
    lower, upper = torch.where(reflect, -upper, lower), torch.where(reflect, -lower, upper)
    log_upper = torch.special.log_ndtr(upper)
    # Φ(−∞) = 0 leaves log Φ(upper). The stand-ins keep the unused branch's gradient finite.
    half_line = torch.isinf(lower)
    log_lower = torch.special.log_ndtr(torch.where(half_line, -1.0, lower))
    gap = torch.where(half_line, -1.0, log_lower - log_upper)
    # log(1 − e^gap): expm1 for a short interval, log1p for a long one.
    short = gap > -math.log(2)
    log_share = torch.where(
        short,
        torch.log(-torch.expm1(torch.where(short, gap, -1.0))),
        torch.log1p(-torch.exp(torch.where(short, -1.0, gap))),
    )
    return log_upper + torch.where(half_line, 0.0, log_share)


def _float_log_normal_interval(lower: float, upper: float) -> float:
    ends = torch.tensor([lower, upper], dtype=torch.float64)
    return _log_normal_interval(ends[0], ends[1]).item()


for _number in (int, float):
    TABLE["sqrt"].register(_number, math.sqrt)
    TABLE["exp"].register(_number, math.exp)
    TABLE["log"].register(_number, math.log)
    TABLE["sin"].register(_number, math.sin)
    TABLE["cos"].register(_number, math.cos)
    TABLE["tanh"].register(_number, math.tanh)
    TABLE["one"].register(_number, lambda like: 1)
    TABLE["two_pi"].register(_number, lambda like: 2 * math.pi)
    TABLE["infinity"].register(_number, lambda like: math.inf)
    TABLE["log_normal_interval"].register(_number, _float_log_normal_interval)
TABLE["where"].register(bool, lambda condition, x, y: x if condition else y)
