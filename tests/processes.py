"""One record of a run, however many processes it takes.

A plain `python -m pytest` takes two, if there are cores for them; see `pytest_xdist_auto_num_workers`. Each
of them hands over what it has seen when it ends. The process that started them, and runs no tests of its
own, puts that together, runs the tests that judge the record, and writes it.
"""

import os
import time
from typing import Any

import pytest

from ddpm_spec.evidence import Recorder

__all__ = [
    "RECORDER",
    "hold_back_the_last",
    "is_whole",
    "pytest_configure_node",
    "pytest_runtestloop",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_testnodedown",
    "pytest_xdist_auto_num_workers",
]

RECORDER = Recorder()

_START = pytest.StashKey[float]()
_HANDED = pytest.StashKey[dict[str, Any]]()
"""What each process has handed over; nothing while it runs, and for ever if it dies."""

_NARROWING = (
    "keyword", "deselect", "ignore", "ignore_glob", "lf", "stepwise", "continue_on_collection_errors"
)  # fmt: skip
_BY_HAND = ("maxfail", "usepdb", "trace", "setuponly", "setupplan")


def _is_everything(config: pytest.Config) -> bool:
    """Whether the command names no tests and leaves none out, but for their marks."""
    named = config.args != config.getini("testpaths")
    return not named and not any(config.getoption(name, None) for name in _NARROWING)


def is_whole(config: pytest.Config) -> bool:
    """Whether this is a plain `pytest`, of everything that is not slow."""
    return _is_everything(config) and config.option.markexpr == "not slow"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two processes for the whole suite; one for a person who looks at a few tests or for a fault."""
    by_hand = config.option.capture == "no" or any(config.getoption(name, None) for name in _BY_HAND)
    return 2 if _is_everything(config) and not by_hand and (os.cpu_count() or 1) > 1 else 0


def pytest_sessionstart(session: pytest.Session) -> None:
    """Note the time."""
    session.config.stash[_START] = time.monotonic()


def hold_back_the_last(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Leave the tests that judge the record to the process that knows the whole of it."""
    config = session.config
    if not hasattr(config, "workerinput"):
        return
    if session.testsfailed and not config.option.continue_on_collection_errors:
        items.clear()  # a file that cannot be read stops the run, as it does in one process
    last = [item for item in items if item.get_closest_marker("last")]
    items[:] = [item for item in items if item not in last]
    config.workeroutput["last"] = [item.nodeid for item in last]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Another process is started, at the beginning or in place of one that died."""
    node.config.stash.setdefault(_HANDED, {})[node.gateway.id] = None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A process has ended; what a dead one has seen is lost, whoever runs the rest of its tests."""
    node.config.stash[_HANDED][node.gateway.id] = None if error else node.workeroutput


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Any:
    """After the other processes, put together what they saw, and judge that."""
    handed = session.config.stash.setdefault(_HANDED, {})
    try:
        result = yield
    finally:
        # A run that was stopped has a record too, of what it ran.
        lost = [name for name, output in handed.items() if output is None]
        if handed and not lost:
            _merge(session, [output["seen"] for output in handed.values()])
    if lost:
        _fail(session, f"{' and '.join(lost)} died with what it had seen: the record is left as it was")
    _judge(session, next((output["last"] for output in handed.values()), []))
    return result


def _fail(session: pytest.Session, why: str) -> None:
    session.shouldfail = why
    raise session.Failed(why)


def _merge(session: pytest.Session, seen: list[dict[str, Any]]) -> None:
    if session.config.option.dist == "each":
        _fail(session, "each process ran every test: the record is left as it was")
    try:
        RECORDER.merge(seen)
    except AssertionError as error:
        _fail(session, str(error))


def _judge(session: pytest.Session, tests: list[str]) -> None:
    """Run the tests that the other processes left."""
    if not tests:
        return
    session.config.pluginmanager.get_plugin("terminalreporter").ensure_newline()
    run_there = session.testscollected
    items = session.perform_collect([str(session.config.rootpath / test) for test in tests])
    session.testscollected += run_there
    for place, item in enumerate(items):
        following = items[place + 1] if place + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write what ran. Only a plain `pytest`, of everything and to its end, replaces the whole record."""
    config = session.config
    if hasattr(config, "workerinput"):
        config.workeroutput["seen"] = RECORDER.handed()
    elif RECORDER.observations or RECORDER.mutation or RECORDER.waiting:
        ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        stopped = session.shouldfail or session.shouldstop or not ended
        seconds = time.monotonic() - config.stash[_START]
        record = config.rootpath / "docs" / "check" / "evidence.json"
        RECORDER.write(record, full_run_seconds=seconds if is_whole(config) and not stopped else None)
