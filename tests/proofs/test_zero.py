"""The zero test: true identities are proved, false ones refuted, the rest is not called proved."""

import pytest
import sympy as sp

from ddpm_spec.proofs.zero import UnitInterval, is_zero

A, B = UnitInterval("a"), UnitInterval("b")
X, Y = sp.symbols("x y", real=True)
V = sp.Symbol("v", positive=True)

TRUE = {
    "roots multiply": sp.sqrt(A) * sp.sqrt(B) - sp.sqrt(A * B),
    "a root of a difference": sp.sqrt(1 - A * B) ** 2 - (1 - A * B),
    "roots of quotients": sp.sqrt((1 - B) / (1 - A * B) * (1 - A)) * sp.sqrt(1 - A * B)
    - sp.sqrt(1 - B) * sp.sqrt(1 - A),
    "a rationalised denominator": 1 / (sp.sqrt(A) + 1) - (sp.sqrt(A) - 1) / (A - 1),
    "data variables": (X - sp.sqrt(A) * Y) ** 2 - X**2 + 2 * sp.sqrt(A) * X * Y - A * Y**2,
    "logarithms": sp.log(2 * sp.pi * V) - sp.log(V) - sp.log(2) - sp.log(sp.pi),
    "a logarithm of a root": sp.log(sp.sqrt(1 - A * B)) - sp.log(1 - A * B) / 2,
    "logarithm and rest": sp.log(V * A) - sp.log(V) - sp.log(A) + (X + 1) ** 2 - X**2 - 2 * X - 1,
    "a factor of all logarithms": sp.log(V * A) / (X + B) - sp.log(V) / (X + B) - sp.log(A) / (X + B),
    "lengths in bits": (sp.log(V * A) + X) / sp.log(2) - sp.log(V) / sp.log(2) - (sp.log(A) + X) / sp.log(2),
    "a function of equal arguments": sp.erf((X**2 - 1) / (2 * V)) * V - V * sp.erf((X - 1) * (X + 1) / V / 2),
    "a function in a logarithm": sp.log(V * (1 + sp.erf(X))) - sp.log(V) - sp.log(sp.erf(X) + 1),
    "an addition theorem": sp.sin(X + Y) * sp.sin(X - Y) - sp.sin(X) ** 2 + sp.sin(Y) ** 2,
    "sines below a fraction": sp.cos(2 * X) / sp.cos(X) ** 2 - 1 + sp.sin(X) ** 2 / sp.cos(X) ** 2,
    "nothing": sp.Integer(0),
    "numbers": sp.sqrt(8) - 2 * sp.sqrt(2),
}
FALSE = {
    "a dropped root": sp.sqrt(A) - A,
    "a flipped sign": (X - Y) ** 2 - (X + Y) ** 2,
    "a root of a square": sp.sqrt(X**2) - X,
    "a sum of roots": sp.sqrt(A) + sp.sqrt(B) - sp.sqrt(A + B),
    "a lost constant": sp.log(2 * V) - sp.log(V),
    "lengths in bits and nats": sp.log(V * A) / sp.log(2) - sp.log(V) / sp.log(2) - sp.log(A),
    "logarithms with a factor each": sp.log(V * A) / X - sp.log(V) / X - sp.log(A) / (X + B),
    "a function of another argument": sp.erf(X + V) - sp.erf(X - V),
    "an index off by one": sp.sqrt(1 - A * B) - sp.sqrt(1 - B),
    "a sum of sines": sp.sin(X + Y) - sp.sin(X) - sp.sin(Y),
    "a small error": sp.sqrt(A) * sp.sqrt(B) - sp.sqrt(A * B) * (1 + sp.Rational(1, 10**20)),
}


@pytest.mark.parametrize("expression", TRUE.values(), ids=TRUE)
def test_true_identities_are_proved(expression: sp.Expr) -> None:
    assert is_zero(expression).proved


@pytest.mark.parametrize("expression", FALSE.values(), ids=FALSE)
def test_false_identities_are_refuted(expression: sp.Expr) -> None:
    verdict = is_zero(expression)
    assert verdict.outcome == "not zero"
    assert " at " in verdict.method, "a refutation names the point"


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        (sp.exp(X + 1) - sp.E * sp.exp(X), "the reduced numerator is not 0"),
        (sp.sqrt((X - Y) ** 2 + 1) * 2 - sp.sqrt(4 * (X - Y) ** 2 + 4), "sign"),
        (
            sp.expand(X * (sp.log(V * A) - sp.log(V) - sp.log(A)) - Y * sp.log(V * B) + Y * sp.log(V))
            + Y * sp.log(B),
            "no rational ratio",
        ),
        (sp.log(V) * sp.log(V**2) - 2 * sp.log(V) ** 2, ""),
    ],
)
def test_what_is_outside_the_class_is_not_called_proved(expression: sp.Expr, why: str) -> None:
    """All are true identities, so the algebra must say that it did not decide them."""
    verdict = is_zero(expression)
    if expression != 0:
        assert verdict.outcome == "zero at the points tried"
        assert why in verdict.method


def test_a_difference_too_small_for_the_points_is_not_proved() -> None:
    """Below the resolution of 30 digits the algebra, not the evaluation, has the last word."""
    verdict = is_zero(sp.sqrt(A) * sp.sqrt(B) - sp.sqrt(A * B) * (1 + sp.Rational(1, 10**40)))
    assert not verdict.proved
    wave = sp.sin(X + Y) - sp.sin(X) * sp.cos(Y) - sp.cos(X) * sp.sin(Y)
    assert not is_zero(wave + sp.sin(X) / sp.Integer(10) ** 40).proved
