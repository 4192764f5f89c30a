"""The paper's letters as terms: how each is printed, and what it is in the proofs.

α_t and ᾱ_{t−1} are free in (0, 1); everything else that carries an index t is defined from them, so
that an identity that needs β_t = 1 − α_t or ᾱ_t = α_t ᾱ_{t−1} finds it.
"""

import sympy as sp

from ddpm_spec.formulas.step import Step
from ddpm_spec.ops.typeset import Level, Term, letter
from ddpm_spec.proofs.zero import UnitInterval

__all__ = [
    "AT",
    "AT_1",
    "EPS",
    "EPS_HAT",
    "ONE",
    "SIGMA_SQUARED",
    "X_0",
    "X_PREV",
    "X_T",
    "ZERO",
    "Z",
    "positive",
]


def positive(tex: str) -> Term:
    """A quantity that is positive and otherwise free, such as a variance."""
    return letter(tex, sp.Symbol(tex, positive=True))


ZERO, ONE = letter("0", sp.Integer(0)), letter("1", sp.Integer(1))
X_0, X_T, X_PREV = letter("x_0"), letter("x_t"), letter("x_{t-1}")
EPS, EPS_HAT, Z = letter(r"\epsilon"), letter(r"\epsilon_\theta"), letter("z")
SIGMA_SQUARED = positive(r"\sigma_t^2")

_alpha, _alpha_bar_prev = UnitInterval("alpha_t"), UnitInterval("alpha_bar_{t-1}")
_alpha_bar = _alpha * _alpha_bar_prev

AT = Step(
    beta=letter(r"\beta_t", 1 - _alpha),
    alpha=letter(r"\alpha_t", _alpha),
    alpha_bar=letter(r"\bar\alpha_t", _alpha_bar),
    alpha_bar_prev=letter(r"\bar\alpha_{t-1}", _alpha_bar_prev),
    one_minus_alpha_bar=letter(r"1-\bar\alpha_t", 1 - _alpha_bar, level=Level.SUM),
    one_minus_alpha_bar_prev=letter(r"1-\bar\alpha_{t-1}", 1 - _alpha_bar_prev, level=Level.SUM),
)
"""A step t in 2..T."""

AT_1 = Step(
    beta=letter(r"\beta_1", 1 - _alpha),
    alpha=letter(r"\alpha_1", _alpha),
    alpha_bar=letter(r"\bar\alpha_1", _alpha),
    alpha_bar_prev=letter(r"\bar\alpha_0", sp.Integer(1)),
    one_minus_alpha_bar=letter(r"1-\bar\alpha_1", 1 - _alpha, level=Level.SUM),
    one_minus_alpha_bar_prev=letter(r"1-\bar\alpha_0", sp.Integer(0), level=Level.SUM),
)
"""The step t = 1, where ᾱ_0 = 1."""
