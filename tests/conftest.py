"""One recorder for the run; what it saw is written to the evidence when the run ends."""

import os
import sys

if "PYTEST_XDIST_WORKER" in os.environ:
    # A process for each core: what it computes, and what it starts, takes one.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Sympy reads this when it is imported. By itself it remembers 1,000 results; the proofs repeat more.
os.environ.setdefault("SYMPY_CACHE_SIZE", "None")

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from processes import (  # noqa: F401 (hooks)
    RECORDER,
    hold_back_the_last,
    pytest_configure_node,
    pytest_runtestloop,
    pytest_sessionfinish,
    pytest_sessionstart,
    pytest_testnodedown,
    pytest_xdist_auto_num_workers,
)

from ddpm_spec.evidence import Evidence, Recorder
from ddpm_spec.proofs import DERIVATIONS

# A forked process has lost the threads that torch computes with, and would wait for them for ever.
os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))

_QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
settings.register_profile("dev", max_examples=40, **_QUIET)
settings.register_profile("ci", max_examples=100, derandomize=True, **_QUIET)
settings.register_profile("nightly", max_examples=2000, **_QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


@pytest.fixture(scope="session")
def recorder() -> Recorder:
    """Where a test says what it is about; see `ddpm_spec.evidence`."""
    return RECORDER


@pytest.fixture(scope="session")
def proved() -> Evidence:
    """A record of every derivation, on the code as it is."""
    recorder = Recorder()
    for derivation in DERIVATIONS:
        recorder.prove(derivation)
    return Evidence(tuple(recorder.observations.values()))


MACHINERY = {
    "benchmark", "data", "evaluation", "interop", "machine", "older", "package", "reproduction", "runs",
    "site", "terminal", "training", "unet",
}  # fmt: skip
"""The folders of tests that are not about the mathematics."""


LONGEST = ("training/test_default_run.py", "site/test_browser.py", "mutation/test_score.py")
"""These files take minutes, and begin first: at the end one process would wait for the other."""


@cache
def waits(file: Path) -> bool:
    """Whether something in a file of tests is skipped where an optional package is missing."""
    return any(way in file.read_text("utf-8") for way in ("importorskip(", "from foreign import"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """No test gets the judges of images that another has fitted, perhaps in fewer updates."""
    results = sys.modules.get("ddpm_spec.evaluation.results")
    if results:
        results.judges_of.cache_clear()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> Iterator[None]:
    """The proofs are timed before their results are remembered; what judges the record runs at the end."""
    tests = session.config.rootpath / "tests"
    for item in items:
        if waits(item.path):
            item.add_marker("optional")
        aside = item.path.relative_to(tests).parts[0] in MACHINERY
        if not (aside or item.get_closest_marker("slow") or item.get_closest_marker("cli")):
            item.add_marker("mathematics")
    places = {"first": -1, "last": 1}
    order = {tests / name: place for place, name in enumerate(LONGEST)}
    items.sort(
        key=lambda item: (
            sum(places.get(mark.name, 0) for mark in item.iter_markers()),
            order.get(item.path, len(order)),
        )
    )
    yield
    hold_back_the_last(session, items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long the proofs took: all of them are to hold within 30 seconds."""
    proofs = [o.seconds for o in RECORDER.observations.values() if o.kind == "proof"]
    if proofs:
        terminalreporter.write_line(f"{len(proofs)} derivations checked in {sum(proofs):.1f} s")
