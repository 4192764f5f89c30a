"""Every number type gives the same value, and an unknown one is refused by name."""

import math
from fractions import Fraction

import mpmath
import pytest
import sympy as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from ddpm_spec import ops
from ddpm_spec.ops import exact, multiprecision, symbolic
from ddpm_spec.ops.typeset import Term, letter

READERS = {
    "tensor": lambda x: torch.tensor(x, dtype=torch.float64),
    "float": float,
    "mpmath": mpf,
    "sympy": sp.Float,
    "term": lambda x: Term(str(x), sp.Float(x)),
}


def value(x: object) -> float:
    """A result of any reader as a float."""
    return float(x.value.evalf() if isinstance(x, Term) else x)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@given(x=st.floats(1e-3, 1e3))
def test_elementary_functions(reader: object, x: float) -> None:
    u = 2.0**-53
    assert value(ops.sqrt(reader(x))) == pytest.approx(math.sqrt(x), rel=4 * u)
    assert value(ops.exp(reader(-x / 100))) == pytest.approx(math.exp(-x / 100), rel=40 * u)
    assert value(ops.log(reader(x))) == pytest.approx(math.log(x), rel=4 * u, abs=4 * u)
    # The reduction by π keeps the absolute error at u, whatever x.
    assert value(ops.sin(reader(x))) == pytest.approx(math.sin(x), rel=4 * u, abs=4 * u)
    assert value(ops.cos(reader(x))) == pytest.approx(math.cos(x), rel=4 * u, abs=4 * u)
    assert value(ops.tanh(reader(x / 100))) == pytest.approx(math.tanh(x / 100), rel=4 * u)
    assert value(ops.two_pi(reader(x))) == pytest.approx(math.tau, rel=4 * u)
    assert value(ops.one(reader(x))) == 1
    assert value(ops.infinity(reader(x))) == math.inf


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@given(lower=st.floats(-5, 5), width=st.floats(0.05, 5))
def test_log_normal_interval(reader: object, lower: float, width: float) -> None:
    expected = multiprecision.log_normal_interval(mpf(lower), mpf(lower + width))
    computed = value(ops.log_normal_interval(reader(lower), reader(lower + width)))
    # The sympy reader forms the difference at 15 digits; the others are stable.
    assert computed == pytest.approx(float(expected), rel=1e-9 if reader in _SYMBOLIC else 1e-13)


_SYMBOLIC = (READERS["sympy"], READERS["term"])


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_where(reader: object) -> None:
    small, large = reader(1.0), reader(2.0)
    condition = small < large
    assert value(ops.where(condition, small, large)) == 1
    assert value(ops.where(small > large, small, large)) == 2


def test_where_keeps_both_branches_of_a_symbol() -> None:
    x = sp.Symbol("x", real=True)
    assert ops.where(x > 0, x, -x).subs(x, -3) == 3


@given(p=st.integers(0, 10**6), q=st.integers(1, 10**6))
def test_exact_root(p: int, q: int) -> None:
    assert exact.sqrt(Fraction(p * p, q * q)) == Fraction(p, q)


@pytest.mark.parametrize("x", [Fraction(2), Fraction(1, 3), Fraction(-4)])
def test_root_that_is_not_rational_is_refused(x: Fraction) -> None:
    with pytest.raises(ValueError, match=f"{x} is not the square of a rational number"):
        ops.sqrt(x)


def test_unknown_number_type_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"ops.sqrt has no backend for str; import the backend's module"):
        ops.sqrt("2")


def test_a_float_in_a_formula_is_refused_on_the_page() -> None:
    with pytest.raises(TypeError, match=r"0\.5: a formula on the page holds integers"):
        letter("x") * 0.5


def test_sympy_cdf_is_the_integral_of_the_density() -> None:
    x = sp.Symbol("x", real=True)
    density = sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)
    assert sp.simplify(sp.diff(symbolic.normal_cdf(x), x) - density) == 0
    assert sp.limit(symbolic.normal_cdf(x), x, -sp.oo) == 0


@given(lower=st.floats(-40, 40), width=st.floats(1e-3, 3))
def test_interval_in_float32_does_not_become_log_zero(lower: float, width: float) -> None:
    ends = torch.tensor([lower, lower + width])
    if ends[0] < ends[1]:
        assert torch.isfinite(ops.log_normal_interval(ends[0], ends[1]))


def test_mpmath_precision_is_left_as_it_was() -> None:
    before = mpmath.mp.dps
    multiprecision.log_normal_interval(mpf(0), mpf(1))
    assert mpmath.mp.dps == before
