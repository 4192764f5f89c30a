"""Schedules in which every root of Eqs. 4, 7, 11, 12 and 15 is rational, for laws that hold with `==`.

√ᾱ_t = (1 − m²)/(1 + m²) with rational m makes √(1−ᾱ_t) = 2m/(1 + m²) rational too, and √α_t is the
quotient of two of them.
"""

from fractions import Fraction

from hypothesis import strategies as st

from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import exact as exact

__all__ = ["numbers", "rational_step", "rational_steps", "small", "spreads"]

numbers = st.fractions(min_value=-3, max_value=3, max_denominator=50)
small = st.fractions(min_value=-1, max_value=1, max_denominator=4)
spreads = st.fractions(min_value=Fraction(1, 4), max_value=2, max_denominator=4)
"""Deviations or variances, where many numbers are multiplied."""


def rational_step(m_prev: Fraction, m: Fraction) -> Step:
    """The step between two levels of noise, 0 ≤ m_prev < m < 1."""
    root_prev, root = ((1 - x**2) / (1 + x**2) for x in (m_prev, m))
    alpha = (root / root_prev) ** 2
    return Step(
        beta=1 - alpha,
        alpha=alpha,
        alpha_bar=root**2,
        alpha_bar_prev=root_prev**2,
        one_minus_alpha_bar=1 - root**2,
        one_minus_alpha_bar_prev=1 - root_prev**2,
    )


@st.composite
def rational_steps(draw: st.DrawFn, *, first: bool | None = None) -> Step:
    """A step t ≥ 2, or with `first=True` the step t = 1, or with None either."""
    levels = st.fractions(min_value=Fraction(1, 50), max_value=Fraction(49, 50), max_denominator=50)
    low, high = sorted(draw(st.lists(levels, min_size=2, max_size=2, unique=True)))
    if first or (first is None and draw(st.booleans())):
        low = Fraction(0)
    return rational_step(low, high)
