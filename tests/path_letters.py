"""Numbers for the laws along a path, by the name that is printed, so that a page can be read back."""

import zlib
from collections.abc import Callable

import sympy as sp
from sympy.core.function import AppliedUndef

from ddpm_spec.ops.typeset import T, t
from ddpm_spec.proofs import autoregressive, path
from ddpm_spec.proofs.bound import divergences
from ddpm_spec.proofs.followups import weights
from ddpm_spec.proofs.sums import PathLaw

__all__ = ["PATH_LETTERS", "STEPS", "without_paths"]

STEPS = 4
"""T, where a number is needed."""

_LAWS = {
    law.name: law
    for module in (path, divergences, autoregressive, weights)
    for law in vars(module).values()
    if isinstance(law, PathLaw)
}
_INTEGRAL = 0.77


def _number(tex: str) -> float:
    """A number between ½ and 1½ for a name; q(x_1 | x_0) is one name, whatever it is the law of."""
    return 0.5 + zlib.crc32(tex.encode()) % 997 / 997


def _letters() -> dict[str, float | Callable[[int], float]]:
    letters: dict[str, float | Callable[[int], float]] = {"T": STEPS}
    for law in _LAWS.values():
        for step in (0, 1):
            letters[law(step).tex] = _number(law(step).tex)
        letters[law(T).tex] = _number(law(STEPS).tex)
        for back in (0, 1):
            letters[law(t - back).tex] = lambda k, law=law, back=back: _number(law(k - back).tex)
    joint = r"p_\theta(x_{0:T})"
    letters[rf"\int {joint}\, dx_{{1:T}}"] = _INTEGRAL
    given = r"q(x_{1:T} \mid x_0)"
    letters[rf"\mathbb{{E}}_{{{given}}}\left[\frac{{{joint}}}{{{given}}}\right]"] = _INTEGRAL
    return letters


PATH_LETTERS = _letters()


def without_paths(expression: sp.Expr) -> sp.Expr:
    """The expression at T = STEPS with the number of each law put in."""
    whole = expression.replace(lambda e: e.func.__name__ == "integral", lambda e: sp.Float(_INTEGRAL))
    whole = whole.subs(T, STEPS).doit(integrals=False)
    laws = {value for value in whole.atoms(AppliedUndef) if value.func.__name__ in _LAWS}
    return whole.xreplace(
        {value: sp.Float(_number(_LAWS[value.func.__name__](value.args[0]).tex)) for value in laws}
    )
