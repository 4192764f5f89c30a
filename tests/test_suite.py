"""`-m mathematics` takes the tests of the mathematics, and none of the machinery."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from proofs.test_dependants import BROKEN

TESTS = Path(__file__).parent


def test_what_is_named_machinery_is_there(pytestconfig: pytest.Config) -> None:
    conftest: Any = pytestconfig.pluginmanager.get_plugin(str(TESTS / "conftest.py"))
    assert {name for name in conftest.MACHINERY if not (TESTS / name).is_dir()} == set()
    assert {name for name in conftest.LONGEST if not (TESTS / name).is_file()} == set()


def test_what_waits_for_a_package_is_marked(
    pytestconfig: pytest.Config, request: pytest.FixtureRequest
) -> None:
    """The gate runs it again when every package is there."""
    conftest: Any = pytestconfig.pluginmanager.get_plugin(str(TESTS / "conftest.py"))
    assert conftest.waits(TESTS / "interop/test_export.py")
    assert conftest.waits(TESTS / "training/test_log.py")
    assert not conftest.waits(TESTS / "ops/test_backends.py")
    for item in request.session.items:
        assert conftest.waits(item.path) == (item.get_closest_marker("optional") is not None)


@pytest.mark.cli
def test_the_fast_part_is_the_mathematics() -> None:
    """In each of four places: mathematics, mathematics with slow tests, machinery, a test of a command."""
    places = ["ops", "proofs/test_dependants.py", "unet", "test_suite.py"]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-m", "mathematics", *places]
    found = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    counts = dict(line.rsplit(": ", 1) for line in found.stdout.splitlines() if ": " in line)
    files = {Path(name).relative_to("tests").as_posix() for name in counts}
    assert files == {
        "ops/test_backends.py",
        "ops/test_typeset.py",
        "proofs/test_dependants.py",
        "test_suite.py",
    }
    assert counts["tests/test_suite.py"] == "2"  # this one runs a command
    assert counts["tests/proofs/test_dependants.py"] == str(len(BROKEN))  # without the slow ones
