"""One recorder for the run; what it saw is written to the evidence when the run ends."""

import os
import time

# Sympy reads this when it is imported. By itself it remembers 1,000 results; the proofs repeat more.
os.environ.setdefault("SYMPY_CACHE_SIZE", "None")

import pytest
import torch
from hypothesis import HealthCheck, settings

from ddpm_spec.evidence import Evidence, Recorder
from ddpm_spec.proofs import DERIVATIONS

# A forked process has lost the threads that torch computes with, and would wait for them for ever.
os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)  # there is a process for each core

_QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
settings.register_profile("dev", max_examples=40, **_QUIET)
settings.register_profile("ci", max_examples=100, derandomize=True, **_QUIET)
settings.register_profile("nightly", max_examples=2000, **_QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))

_RECORDER = Recorder()


@pytest.fixture(scope="session")
def recorder() -> Recorder:
    """Where a test says what it is about; see `ddpm_spec.evidence`."""
    return _RECORDER


@pytest.fixture(scope="session")
def proved() -> Evidence:
    """A record of every derivation, on the code as it is."""
    recorder = Recorder()
    for derivation in DERIVATIONS:
        recorder.prove(derivation)
    return Evidence(tuple(recorder.observations.values()))


_START = pytest.StashKey[float]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Note the time."""
    session.config.stash[_START] = time.monotonic()


MACHINERY = {
    "benchmark", "data", "evaluation", "interop", "machine", "older", "package", "reproduction", "runs",
    "site", "terminal", "training", "unet",
}  # fmt: skip
"""The folders of tests that are not about the mathematics."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The proofs are timed before their results are remembered; what judges the record runs at the end."""
    for item in items:
        aside = item.path.relative_to(item.config.rootpath / "tests").parts[0] in MACHINERY
        if not (aside or item.get_closest_marker("slow") or item.get_closest_marker("cli")):
            item.add_marker("mathematics")
    places = {"first": -1, "last": 1}
    items.sort(key=lambda item: sum(places.get(mark.name, 0) for mark in item.iter_markers()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long the proofs took: all of them are to hold within 30 seconds."""
    proofs = [o.seconds for o in _RECORDER.observations.values() if o.kind == "proof"]
    if proofs:
        terminalreporter.write_line(f"{len(proofs)} derivations checked in {sum(proofs):.1f} s")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what ran. Only a plain `pytest`, of everything, replaces the whole record."""
    config = session.config
    # Under `-n` each process has seen a part; the record stays as it is.
    seen = _RECORDER.observations or _RECORDER.mutation or _RECORDER.waiting
    if not seen or hasattr(config, "workerinput"):
        return
    everything = config.args == config.getini("testpaths") and not config.option.keyword
    seconds = time.monotonic() - config.stash[_START]
    _RECORDER.write(full_run_seconds=seconds if everything and config.option.markexpr == "not slow" else None)
