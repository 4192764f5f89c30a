"""Sending a draw: the code of the index, the law of what is shown, and the length, by theorem and by count.

The statistical tests have fixed seeds; each raises a false alarm with probability 1e-7.
"""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ddpm_spec.coding.draws import (
    Array,
    bits_of,
    choose,
    divergence,
    expected_length,
    look_up,
    read_index,
    write_index,
)
from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas.coding import message_length

ALARM = 1e-7


def laws(states: int) -> st.SearchStrategy[Array]:
    """A law on some states, with zeros."""
    numbers = st.lists(st.integers(0, 50), min_size=states, max_size=states).filter(any)
    return numbers.map(lambda x: np.array(x) / sum(x))


@pytest.mark.parametrize(
    ("k", "code"), [(1, "1"), (2, "0100"), (3, "0101"), (4, "01100"), (9, "00100001"), (17, "001010001")]
)
def test_known_codewords(k: int, code: str) -> None:
    assert write_index(k) == code


@given(numbers=st.lists(st.integers(1, 2**40), min_size=1, max_size=8))
def test_indices_are_read_back_in_a_row(numbers: list[int]) -> None:
    bits, at = "".join(map(write_index, numbers)), 0
    assert len(bits) == sum(map(bits_of, numbers))
    for k in numbers:
        read, at = read_index(bits, at)
        assert read == k
    assert at == len(bits)


def test_length_is_what_the_theorem_takes_it_for() -> None:
    for k in range(1, 5000):
        digits = int(math.log2(k) + 1e-12)
        assert bits_of(k) == len(write_index(k)) == digits + 2 * int(math.log2(digits + 1) + 1e-12) + 1
    # Kraft: a prefix code. Powers of two share their lengths.
    assert sum(2.0 ** (j - bits_of(2**j)) for j in range(60)) < 1


@pytest.mark.parametrize("bits", ["", "0", "01", "0110", "00000"])
def test_a_message_cut_short_is_refused(bits: str) -> None:
    with pytest.raises(ValueError, match="ends within the index that begins at bit 0"):
        read_index(bits, 0)


@given(q=laws(6), p=laws(6))
def test_expected_length_is_between_the_divergence_and_the_bound(
    recorder: Recorder, q: Array, p: Array
) -> None:
    """Exactly, for any two laws: no sampling."""
    p = (p + 0.01) / (p + 0.01).sum()
    d = float(divergence(q, p))
    claim = "D ≤ expected length of a message ≤ D + 2 + 2 log₂(D + 2), for any two laws"
    with recorder.observe("property", claim, message_length):
        assert d - 1e-9 <= expected_length(q, p) <= message_length(d)


def test_lengths_at_the_ends() -> None:
    p = np.full(8, 1 / 8)
    assert expected_length(p, p) == pytest.approx(1, abs=1e-15)
    # A certain symbol of probability 1/8: K is geometric with mean 8.
    exact = sum(bits_of(k) * (7 / 8) ** (k - 1) / 8 for k in range(1, 800))
    assert expected_length(np.eye(8)[0], p) == pytest.approx(exact, rel=1e-12)


Q = np.array([0.5, 0.3, 0.15, 0.05, 0.0])
P = np.array([0.1, 0.1, 0.2, 0.3, 0.3])
DRAWS = 4000


def shown(q: Array, p: Array) -> tuple[Array, Array]:
    """Indices and symbols of many messages of one symbol."""
    found = [choose(q[None], p[None], (7, i)) for i in range(DRAWS)]
    return np.array([k for k, _ in found]), np.array([block[0] for _, block in found])


def test_what_is_shown_has_law_q_and_the_stated_length() -> None:
    """χ² on the symbols, also within each value of the index; z on the index and on the length."""
    indices, symbols = shown(Q, P)
    counts = np.bincount(symbols, minlength=5)
    assert counts[4] == 0
    assert scipy.stats.chisquare(counts[:4], DRAWS * Q[:4]).pvalue > ALARM
    ratio = Q / P
    for x in range(4):
        of_x = indices[symbols == x]
        mean = 1 + float(P @ np.maximum(ratio[x] - ratio, 0))
        # Geometric with this mean: variance mean (mean − 1).
        error = math.sqrt(mean * (mean - 1) / len(of_x))
        assert abs(of_x.mean() - mean) <= scipy.stats.norm.isf(ALARM / 2) * error + 1e-12
    lengths = np.array([bits_of(int(k)) for k in indices])
    z = (lengths.mean() - expected_length(Q, P)) / (lengths.std() / math.sqrt(DRAWS))
    assert abs(z) <= scipy.stats.norm.isf(ALARM / 2)
    # The test sees a law that is off: draws from p fail it.
    wrong = np.bincount(shown(P, P)[1], minlength=5)[:4]
    assert scipy.stats.chisquare(wrong, wrong.sum() * Q[:4]).pvalue < ALARM


def test_sender_looks_far_enough() -> None:
    """A symbol that p shows once in a thousand draws and q every other time: stopping early would miss it."""
    q, p, draws = np.array([0.5, 0.5]), np.array([0.999, 0.001]), 400
    rare = sum(int(choose(q[None], p[None], (11, i))[1][0]) for i in range(draws))
    assert scipy.stats.binomtest(rare, draws, 0.5).pvalue > ALARM


def test_receiver_sees_what_the_sender_chose() -> None:
    rng = np.random.default_rng(5)
    for i in range(200):
        q, p = (rng.dirichlet(np.ones(4), size=3) for _ in range(2))
        k, block = choose(q, p, (1, i))
        assert (look_up(k, p, (1, i)) == block).all()


def test_a_symbol_that_p_excludes_is_refused() -> None:
    with pytest.raises(ValueError, match="q gives probability to a symbol that p excludes"):
        choose(P[None], Q[None], (0,))
