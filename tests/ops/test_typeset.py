"""What a term prints is what it is: read back by a reader of LaTeX that knows nothing of terms."""

import math

import sympy as sp
from hypothesis import assume, given
from hypothesis import strategies as st
from latex import evaluate

from ddpm_spec.ops import log, sqrt
from ddpm_spec.ops.typeset import Level, Term, letter, named, rows

LETTERS = {r"\alpha_t": 0.9, r"\bar\alpha_t": 0.7, "x_0": -1.3, "x_t": 2.1, r"1-\bar\alpha_t": 0.3}


def _letter(tex: str) -> Term:
    return letter(tex, sp.Float(LETTERS[tex]), level=Level.SUM if tex.startswith("1") else Level.ATOM)


_leaves = st.sampled_from(sorted(LETTERS)).map(_letter)


def _extend(terms: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    pairs = st.tuples(terms, terms)
    integers = st.integers(1, 5)
    return st.one_of(
        pairs.map(lambda p: p[0] + p[1]),
        pairs.map(lambda p: p[0] - p[1]),
        pairs.map(lambda p: p[0] * p[1]),
        pairs.map(lambda p: p[0] / p[1] if p[1].value != 0 else p[0]),
        pairs.map(lambda p: rows(*p)),
        st.tuples(terms, integers).map(lambda p: p[1] * p[0]),
        st.tuples(terms, integers).map(lambda p: p[1] - p[0]),
        st.tuples(terms, integers).map(lambda p: p[0] / p[1]),
        st.tuples(terms, st.integers(2, 3)).map(lambda p: p[0] ** p[1]),
        terms.map(lambda t: -t),
        terms.map(lambda t: sqrt(t**2)),
        terms.map(lambda t: log(t**2 + 1)),
    )


@given(term=st.recursive(_leaves, _extend, max_leaves=8))
def test_latex_reads_back_as_the_value(term: Term) -> None:
    value = float(term.value)
    assume(math.isfinite(value) and 1e-6 < abs(value) < 1e6)
    # Sums may cancel: 1e-6 relative catches a misplaced bracket, not a rounding.
    assert math.isclose(evaluate(term.tex, LETTERS), value, rel_tol=1e-6)


def test_a_name_stands_for_its_value() -> None:
    x = _letter("x_0")
    assert named("y", x**2).value == x.value**2
    assert named("y", x**2).tex == "y"
