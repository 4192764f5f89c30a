"""Run the laws on an implementation and say what was found."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from rich.table import Table

from ddpm_spec.laws import bound, forward, objective, posterior, reverse
from ddpm_spec.laws.protocol import Implementation
from ddpm_spec.laws.reference import Case, Reference
from ddpm_spec.terminal.console import plain

__all__ = ["LAWS", "Law", "Result", "check", "report"]


@dataclass(frozen=True)
class Law:
    """One statement about an implementation."""

    name: str
    """The equation that it speaks about and what it says, such as "Eq. 7: …"."""
    cases: Callable[[Reference, Implementation], Iterator[Case]]


@dataclass(frozen=True)
class Result:
    """What a law found in its worst case."""

    law: Law
    deviation: float
    tolerance: float
    """(32 + T) u times how far one rounding could move the measurement: T factors make ᾱ_T."""
    where: str
    error: str = ""
    """What the implementation raised, if it did."""

    @property
    def passed(self) -> bool:
        """The deviation is within what rounding explains."""
        return not self.error and self.deviation <= self.tolerance


def _laws(*modules: ModuleType) -> tuple[Law, ...]:
    """The public functions of these modules, named by the first line of their docstrings."""
    functions = [getattr(module, name) for module in modules for name in module.__all__]
    return tuple(Law((f.__doc__ or "").partition("\n")[0].rstrip("."), f) for f in functions)


LAWS = _laws(forward, posterior, reverse, objective, bound)
"""Every law, in the order of the paper."""


def check(
    implementation: Implementation, unit: float = 2.0**-53, laws: tuple[Law, ...] = LAWS
) -> tuple[Result, ...]:
    """The laws, by default all, on one implementation.

    Args:
        implementation: the adapter, see `protocol.Implementation`.
        unit: the unit roundoff of the implementation's arithmetic and tables, 2⁻²⁴ for float32.
        laws: which ones.

    Raises:
        ValueError: if the tables are not two vectors of one length T ≥ 2, or there are fewer than three
            grey levels. What the implementation raises inside a law is reported, not raised.
    """
    betas, alpha_bars = np.shape(implementation.betas), np.shape(implementation.alpha_bars)
    if len(betas) != 1 or betas != alpha_bars or betas[0] < 2:
        raise ValueError(f"betas {betas} and alpha_bars {alpha_bars}: expected (T,) twice, T at least 2")
    if implementation.levels < 3:
        raise ValueError(f"levels = {implementation.levels}: at least 3 grey levels are needed")
    reference = Reference(implementation)
    roundings = (32 + reference.T) * unit
    return tuple(_worst(law, reference, implementation, roundings) for law in laws)


def _worst(law: Law, reference: Reference, implementation: Implementation, roundings: float) -> Result:
    worst = Result(law, 0.0, 0.0, "everywhere")
    excess = -1.0
    try:
        for deviation, scale, where in law.cases(reference, implementation):
            tolerance = roundings * scale
            if not (np.isfinite(deviation) and np.isfinite(tolerance)):
                return Result(law, np.inf, 0.0, where)
            relative = deviation / tolerance if tolerance else (np.inf if deviation else 0.0)
            if relative > excess:
                worst, excess = Result(law, deviation, tolerance, where), relative
    except Exception as error:  # whatever their code raises is a finding
        return Result(law, np.inf, 0.0, "", f"{type(error).__name__}: {error}")
    return worst


def report(results: tuple[Result, ...]) -> None:
    """Print a table of results, failures last."""
    table = Table("law", "deviation", "rounding explains", "worst at", box=None)
    for result in sorted(results, key=lambda result: not result.passed):
        style = "" if result.passed else "bold red"
        found = result.error or f"{result.deviation:.1e}"
        table.add_row(result.law.name, found, f"{result.tolerance:.1e}", result.where, style=style)
    console = plain()
    console.print(table)
    failed = sum(not result.passed for result in results)
    console.print(f"{len(results) - failed} of {len(results)} laws hold")
