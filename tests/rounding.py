"""|f(x) computed − f(x)| ≤ c (1 + κ) u |f(x)|, the form in which a formula states its rounding error.

κ is the condition number Σ |xᵢ ∂f/∂xᵢ| / |f|, from float64 autograd of the same function; the reference
is the same function at 50 digits on the same inputs, so an error of the inputs does not count.
"""

from collections.abc import Callable, Sequence

import mpmath
import torch

from ddpm_spec.ops import Number
from ddpm_spec.ops import multiprecision as multiprecision

__all__ = ["UNIT", "check_rounding", "rounding_error"]

UNIT = {torch.float64: 2.0**-53, torch.float32: 2.0**-24}
"""The unit roundoff u: half the distance from 1 to the next number."""


def rounding_error(
    function: Callable[..., Number], inputs: Sequence[float], dtype: torch.dtype
) -> tuple[float, float]:
    """The error of `function(*inputs)` in units of u |f|, and κ."""
    arguments = [torch.tensor(x, dtype=torch.float64).to(dtype) for x in inputs]
    exact_inputs = [mpmath.mpf(x.item()) for x in arguments]
    with mpmath.workdps(50):
        reference = function(*exact_inputs)
        error = abs(mpmath.mpf(function(*arguments).item()) - reference)
        if reference == 0:
            return (0.0 if error == 0 else float("inf")), 0.0
        leaves = [x.double().requires_grad_() for x in arguments]
        gradients = torch.autograd.grad(function(*leaves), leaves, allow_unused=True)
        kappa = sum(
            abs(x.item() * g.item()) for x, g in zip(arguments, gradients, strict=True) if g is not None
        ) / abs(reference)
        return float(error / (UNIT[dtype] * abs(reference))), float(kappa)


def check_rounding(
    function: Callable[..., Number], inputs: Sequence[float], dtype: torch.dtype, c: float = 2
) -> None:
    """Assert the bound at one point."""
    error, kappa = rounding_error(function, inputs, dtype)
    assert error <= c * (1 + kappa), f"error {error:.2f} u|f|, bound {c * (1 + kappa):.2f}, at {list(inputs)}"
