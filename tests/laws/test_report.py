"""No line is too long; what is broken comes last, with what follows from it and why."""

import numpy as np
import pytest
from laws.test_cause import Clips, Theirs
from laws.test_mistakes import TIMES

from ddpm_spec.laws import check, report


def printed(adapter: object, capsys: pytest.CaptureFixture[str], times=TIMES) -> str:
    report(adapter, check(adapter, times=times))
    text = capsys.readouterr().out
    # x̂ is two characters and one column.
    assert all(len(line.rstrip().replace("̂", "")) <= 80 for line in text.splitlines())
    return text


def test_what_is_broken_comes_last_with_what_follows_and_why(capsys) -> None:
    text = printed(Clips(), capsys)
    holds, broken = text.split("\nBroken:\n")
    assert "Stated: float32, first time 0, predicts ε, does not clip x̂_0, examples of 1×2×2," in holds
    assert "T and β_t are the paper's." in holds
    assert "posterior/variance" in holds
    root, followers = broken.index("reverse/x-0  Eq. 15:"), broken.index("so also reverse/unclipped: off by")
    assert root < broken.index("off by") < followers
    assert "Known mistake: x̂_0 is clipped wherever it is used (does all of this)" in broken
    assert "No known mistake" not in broken


def test_what_is_lacking_takes_a_line_for_each_part(capsys) -> None:
    class Tables:
        betas = np.linspace(0.01, 0.3, 5)

    text = printed(Tables(), capsys, times=())
    assert "5 steps with β_t from 0.01 to 0.3; the paper has 1,000 steps from 0.0001 to" in text
    assert "  no q_sample: forward (3)\n" in text
    assert text.count("no loss:") == 1
    assert "Broken" not in text


def test_what_no_known_mistake_does_is_said(capsys) -> None:
    class Odd(Theirs):
        def loss(self, net, x_0, k, eps):
            return 1.03 * super().loss(net, x_0, k, eps)

        def prior_term(self, x_0):
            raise RuntimeError("not implemented")

    text = printed(Odd(), capsys)
    assert "raised RuntimeError: not implemented" in text
    assert "No known mistake does this within 1 %." in text
