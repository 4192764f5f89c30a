"""A small suite with the hooks of this one, run by two processes, which write one record."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from processes import pytest_xdist_auto_num_workers

TESTS = Path(__file__).parent

CONFTEST = """
import os, signal
import pytest
from processes import *
from processes import RECORDER, hold_back_the_last

@pytest.fixture
def recorder():
    return RECORDER

@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(session, items):
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
    yield
    hold_back_the_last(session, items)
"""

# Without torch, which each process would import: a formula is a function like any other.
ARITHMETIC = """
def twice(x):
    return x + x

def half(x):
    return x / 2
"""

# Two files, so that each process runs one. Both have the claim "shared".
FILE = """
import os, signal
import pytest
from pathlib import Path
from arithmetic import half, twice

FLAG = Path(__file__).with_suffix(".ran")

@pytest.mark.parametrize("claim", ["{name}", "shared", "shared"])
def test_claim(recorder, claim):
    with recorder.observe("property", claim, twice):
        twice(2)
    FLAG.write_text(os.environ.get("PYTEST_XDIST_WORKER", "alone"))
{more}
"""

JUDGE = """
import pytest

@pytest.mark.last
@pytest.mark.parametrize("claim, examples", [("one", 1), ("two", 1), ("shared", 4)])
def test_examples(recorder, claim, examples):
    assert recorder.observations["property", claim].examples == examples
"""

DIE = """
def test_that_kills():
    if not FLAG.with_suffix(".died").exists():
        FLAG.with_suffix(".died").touch()
        os.kill(os.getpid(), signal.SIGKILL)

def test_after_it():
    pass
"""

DIE_AT_THE_END = """
@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    if os.environ.get("PYTEST_XDIST_WORKER") == "gw1":
        os._exit(0)
"""

OTHERWISE = """
def test_otherwise(recorder):
    with recorder.observe("property", "one", half):
        half(2)
"""

Suite = Callable[..., subprocess.CompletedProcess[str]]
KNOWN = {"run": {"seconds": 300}, "observations": []}


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """What a run before has left."""
    path = tmp_path / "docs" / "check" / "evidence.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(KNOWN))
    return path


@pytest.fixture
def suite(tmp_path: Path, record: Path) -> Suite:
    """Runs the small suite with the options of this one."""
    ours = tomllib.loads((TESTS.parent / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    options = ours | {"pythonpath": [str(TESTS), "."], "filterwarnings": []}
    lines = (f"{name} = {json.dumps(value)}" for name, value in options.items())
    (tmp_path / "pyproject.toml").write_text("\n".join(("[tool.pytest.ini_options]", *lines)))
    (tmp_path / "tests").mkdir()
    (tmp_path / "arithmetic.py").write_text(ARITHMETIC)

    def run(*arguments: str, conftest: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        files = {name: FILE.format(name=name, more=more.get(name, "")) for name in ("one", "two")}
        files = {f"test_{name}": text for name, text in files.items()}
        files |= {"conftest": CONFTEST + conftest, "test_judge": JUDGE + more.get("judge", "")}
        for name, text in files.items():
            (tmp_path / "tests" / f"{name}.py").write_text(text)
        ours = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "xdist"]
        # Each of three processes would load all plugins that are installed.
        environment = ours | {"PYTHONPATH": str(TESTS.parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return subprocess.run(
            [*command, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run


def processes(folder: Path) -> set[str]:
    return {path.read_text() for path in (folder / "tests").glob("*.ran")}


def examples(record: Path) -> dict[str, int]:
    return {o["claim"]: o["examples"] for o in json.loads(record.read_text())["observations"]}


@pytest.mark.cli
@pytest.mark.parametrize(
    "options",
    [[], pytest.param(["-n0"], marks=pytest.mark.slow)],
    ids=["plain", "in one process"],
)
def test_a_run_writes_one_record_and_judges_it(
    suite: Suite, record: Path, tmp_path: Path, options: Sequence[str]
) -> None:
    wrong = "\n@pytest.mark.last\ndef test_wrong(recorder):\n    assert not recorder.observations\n"
    found = suite(*options, judge=wrong)
    assert processes(tmp_path) == ({"alone"} if options else {"gw0", "gw1"}), found.stdout + found.stderr
    assert found.returncode == 1
    assert "1 failed, 9 passed" in found.stdout, "the judges are counted with the others"
    assert examples(record) == {"one": 1, "shared": 4, "two": 1}
    assert json.loads(record.read_text())["run"].keys() >= {"date", "cores", "seconds"}


@pytest.mark.cli
@pytest.mark.parametrize(
    ("options", "changes"),
    [
        pytest.param([], {"conftest": DIE_AT_THE_END}, id="after its tests"),
        pytest.param([], {"two": DIE}, id="in a test", marks=pytest.mark.slow),
        pytest.param(["--max-worker-restart=2"], {"two": DIE}, id="replaced", marks=pytest.mark.slow),
    ],
)
def test_a_process_that_dies_leaves_the_record_as_it_was(
    suite: Suite, record: Path, options: Sequence[str], changes: Any
) -> None:
    found = suite(*options, **changes)
    assert found.returncode == 1, found.stdout
    assert "died with what it had seen: the record is left as it was" in found.stdout
    assert json.loads(record.read_text()) == KNOWN
    if options:
        assert "8 passed" in found.stdout, "another process has run what was left"


@pytest.mark.cli
@pytest.mark.slow
def test_processes_that_speak_about_different_things_fail_the_run(suite: Suite, record: Path) -> None:
    found = suite(two=OTHERWISE)
    assert found.returncode == 1
    assert "“one” is about ('arithmetic.half',), and elsewhere ('arithmetic.twice',)" in found.stdout
    assert json.loads(record.read_text()) == KNOWN


@pytest.mark.cli
@pytest.mark.slow
@pytest.mark.parametrize("processes", [0, 2])
def test_a_partial_run_updates_what_it_ran(suite: Suite, record: Path, processes: int) -> None:
    suite("-k", "one", f"-n{processes}")
    assert examples(record) == {"one": 1, "shared": 2}
    suite("tests/test_two.py", f"-n{processes}", two="\ndef test_wrong():\n    assert False\n")
    assert examples(record) == {"one": 1, "shared": 2, "two": 1}
    assert json.loads(record.read_text())["run"] == KNOWN["run"]


@pytest.mark.cli
@pytest.mark.slow
@pytest.mark.parametrize("processes", [0, 2])
@pytest.mark.parametrize("what", ["a file that cannot be read", "a run that stops"])
def test_less_than_everything_is_no_whole_run(suite: Suite, record: Path, what: str, processes: int) -> None:
    if what == "a run that stops":
        found = suite(f"-n{processes}", "-x", two="\ndef test_wrong():\n    assert False\n")
    else:
        found = suite(f"-n{processes}", two="\n1 / 0")
        assert not examples(record)
    assert found.returncode
    assert json.loads(record.read_text())["run"] == KNOWN["run"]


@pytest.mark.parametrize(
    ("arguments", "cores", "expected"),
    [
        ("", 2, 2),
        ("", 16, 2),
        ("", 1, 0),
        ("-m mathematics", 2, 2),
        ("-v", 2, 2),
        ("tests/ops", 2, 0),
        ("-k word", 2, 0),
        ("-x", 2, 0),
        ("--pdb", 2, 0),
        ("-s", 2, 0),
        ("--deselect tests/ops", 2, 0),
    ],
)
def test_two_processes_are_taken_where_everything_is_asked_for(
    arguments: str, cores: int, expected: int, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    option = pytestconfig._parser.parse_known_args(arguments.split())
    asked: Any = SimpleNamespace(
        option=option,
        args=option.file_or_dir or ["tests"],
        getini={"testpaths": ["tests"]}.get,
        getoption=lambda name, default=None: getattr(option, name, default),
    )
    assert pytest_xdist_auto_num_workers(asked) == expected
