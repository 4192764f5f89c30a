"""The laws as tests of somebody's own project."""

import os
import subprocess
import sys
import textwrap
import unittest

import numpy as np
import pytest

from ddpm_spec.laws import LAWS
from ddpm_spec.laws.plain import Plain
from ddpm_spec.laws.testing import Laws, assert_conforms

BETAS = np.linspace(0.02, 0.4, 8)


class Tables:
    betas = BETAS
    alpha_bars = np.cumprod(1 - BETAS)


class Late(Tables):
    alpha_bars = np.concatenate([[1.0], np.cumprod(1 - BETAS)[:-1]])


class Raises(Tables):
    def q_sample(self, x_0, t, eps):
        raise KeyError("x")


def run(adapter: object, known: dict[str, str] | None = None) -> unittest.TestResult:
    class Mine(Laws, unittest.TestCase):
        implementation = adapter
        expected = known or {}

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Mine).run(result)
    return result


def test_one_test_a_law() -> None:
    result = run(Plain(BETAS, 9))
    assert result.wasSuccessful()
    assert result.testsRun == len(LAWS)
    assert len(result.skipped) < result.testsRun - 30


def test_what_is_lacking_is_skipped() -> None:
    result = run(Tables())
    assert result.wasSuccessful()
    assert any("it has no q_sample" in why for _, why in result.skipped)


def test_a_broken_law_fails_with_numbers() -> None:
    ((test, told),) = run(Late()).failures
    assert test.id().endswith("test_forward_product")
    assert "forward/product: Eq. 4" in told
    assert "rounding explains" in told


def test_what_is_raised_fails() -> None:
    told = " ".join(told for _, told in run(Raises()).failures)
    assert "raised KeyError: 'x'" in told


def test_an_expected_deviation_passes_and_must_stay_one() -> None:
    known = {"forward/product": "counted from ᾱ_0"}
    assert run(Late(), known).wasSuccessful()
    ((_, told),) = run(Tables(), known).failures
    assert "forward/product holds, though it was expected to be broken: counted from ᾱ_0" in told


def test_an_unknown_law_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no law 'forward/prodct'"):
        assert_conforms(Tables(), {"forward/prodct": "a slip"})


def test_assert_conforms() -> None:
    assert_conforms(Tables())
    assert_conforms(Late(), {"forward/product": "counted from ᾱ_0"})
    with pytest.raises(AssertionError, match="forward/product"):
        assert_conforms(Late())
    with pytest.raises(AssertionError, match="no law could be judged"):
        assert_conforms(object())


def test_a_class_makes_its_adapter() -> None:
    class Mine(Laws):
        implementation = Late

    assert Mine.results()["forward/product"].outcome == "failed"


def test_pytest_collects_it(tmp_path) -> None:
    file = tmp_path / "test_mine.py"
    file.write_text(
        textwrap.dedent(
            """
            import numpy as np
            from ddpm_spec.laws.testing import Laws

            class Tables:
                betas = np.linspace(0.02, 0.4, 8)
                alpha_bars = np.cumprod(1 - betas)[::-1]

            class TestMine(Laws):
                implementation = Tables()
            """
        ),
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=alone)
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "test_forward_product" in done.stdout
