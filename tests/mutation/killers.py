"""What judges a mutant: the tests as pytest collects them, and the derivations; what each runs and costs.

A first pass on the code as it is, with functions that say which of their statements run, times each of
them and finds what it reaches. One that does not pass there may judge nothing.
"""

import ast
import contextlib
import importlib
import inspect
import pkgutil
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Literal

import pytest
from _pytest import outcomes
from mutation.mutator import install, marked

from ddpm_spec import diffusion, followups, formulas, proofs, schedule
from ddpm_spec.proofs import engine

__all__ = [
    "ROOMS",
    "ROOT",
    "Killer",
    "derivations",
    "name_of",
    "outcome",
    "part_of",
    "survey",
    "targets",
    "tests",
]

ROOT = Path(__file__).parents[2]

Part = Literal["paper", "followups"]
ROOMS: dict[Part, tuple[str, ...]] = {
    "paper": (
        "coding",
        "formulas",
        "laws",
        "oracles",
        "proofs",
        "test_diffusion.py",
        "test_sampler.py",
        "test_schedule.py",
    ),
    "followups": ("followups/test_exact.py", "followups/test_outside.py"),
}
"""The tests that speak about formulas, and not about the rest of the package, by what they speak about."""
NO_LAWS = {"test_derivations", "test_dependants", "test_rounding", "test_right"}
"""A rounding bound compares a formula with itself; the derivations are killers of their own.

`test_right` asks again, for three implementations, what `test_laws` asks for ours.
"""
DEAR = (
    "test_draws",
    "test_sampler_propagates",
    "test_eq_3_and_eq_5",
    "above_the_entropy",
    "three images",
    "by_a_library",
    "by_quadrature[3]",
    "-50]",
    "-1000]",
    "[1000-paper]",
    "1e_23[times3",
)
"""Tests that take long, or import what does, and need not be asked: what they would kill, others do."""
GRAPH_PROOFS = ("test_the_training_loss_is_eq_14", "test_a_reverse_step_is_algorithm_2")
SECONDS = 0.5
"""Of processor time for one killer, beside four times what it takes without a mutant."""


# ------------------------------------------------------------------------------------------- targets


def targets() -> dict[str, FunctionType]:
    """What is mutated, by name: all formulas, the schedule, and what does mathematics in the model."""
    found: dict[str, FunctionType] = {}
    names = [name for room in (formulas, followups) for name in _modules(room)]
    modules = [importlib.import_module(name) for name in names]
    for module in (*modules, schedule, diffusion):
        for holder in (module, *(c for c in vars(module).values() if inspect.isclass(c))):
            if holder.__name__ != module.__name__ and holder.__module__ != module.__name__:
                continue
            for member in vars(holder).values():
                function = _function(member)
                if function is None or function.__module__ != module.__name__:
                    continue
                if not function.__name__.startswith("__") and _is_written(function, module):
                    found[name_of(function)] = function
    return found


def name_of(function: Callable[..., Any]) -> str:
    """`formulas.posterior.posterior_mean` for a function of the package."""
    return f"{function.__module__.partition('.')[2]}.{function.__qualname__}"


def _modules(package: ModuleType) -> Iterator[str]:
    """The full names of the modules of a package and of the packages in it."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.ispkg:
            yield module.name


def _function(member: Any) -> FunctionType | None:
    """The plain function behind a method, a property or a decorator."""
    if isinstance(member, classmethod | staticmethod):
        member = member.__func__
    if isinstance(member, property):
        member = member.fget
    if isinstance(member, cached_property):
        member = member.func
    member = inspect.unwrap(member) if callable(member) else None
    return member if inspect.isfunction(member) else None


def _is_written(function: FunctionType, module: ModuleType) -> bool:
    return function.__code__.co_filename == module.__file__


# ------------------------------------------------------------------------------------------- killers


@dataclass
class Killer:
    """A test or a derivation: what it runs, what it costs, and what it reaches."""

    name: str
    run: Callable[[], None]
    kind: Literal["proof", "law"]
    about: frozenset[str] = frozenset()
    """The targets that a derivation ends at; it enters others in what it builds on."""
    seconds: float = 0.0
    reaches: set[tuple[str, int]] = field(default_factory=set)
    """The targets that it enters, each with the lines of the statements that it runs there, and with 0."""


class Silent:
    """A recorder that keeps nothing."""

    def observe(self, *_: object) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def needs(self, *_: object) -> None:
        pass


def tests(items: Iterable[pytest.Item]) -> list[Killer]:
    """The collected tests that may kill."""
    found = []
    for item in items:
        parts = item.path.relative_to(ROOT / "tests").with_suffix("").parts
        graph = parts[-1] == "test_graph"
        if graph and not item.name.startswith(GRAPH_PROOFS):
            continue
        if NO_LAWS.intersection(parts) or "rounding" in item.name or any(d in item.nodeid for d in DEAR):
            continue
        # Beside the proofs stand numeric tests; they record what they saw.
        if parts[0] == "proofs" and not graph and "recorder" not in inspect.signature(item.obj).parameters:
            continue
        call = _call(item)
        if call is not None:
            found.append(Killer(item.nodeid, call, "proof" if graph else "law"))
    return found


def _call(item: Any) -> Callable[[], None] | None:
    """The test as a function of nothing; None where it needs a fixture that only pytest can give."""
    values = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    values["recorder"] = Silent()
    wanted = set(inspect.signature(item.obj).parameters)
    if wanted - values.keys() - {"monkeypatch"}:
        return None

    def call() -> None:
        with pytest.MonkeyPatch.context() as patch:
            known = values | {"monkeypatch": patch}
            item.obj(**{name: known[name] for name in wanted})

    return call


def part_of(name: str) -> Part:
    """Whether a target, or a module of derivations, is about what came after the paper."""
    return "followups" if "followups." in name else "paper"


def derivations(parts: Collection[Part]) -> list[Killer]:
    """One killer for each module of derivations: imported anew it builds them anew, then they are checked."""
    found = []
    for name in (name for name in _modules(proofs) if part_of(name) in parts):
        inside = list(_derivations(importlib.import_module(name)))
        about = frozenset(name_of(formula) for derivation in inside for formula in derivation.formulas)
        if inside:
            found.append(Killer(name, lambda name=name: _prove(name), "proof", about))
    return found


def _derivations(module: ModuleType) -> Iterator[engine.Derivation]:
    """Those under a name of their own, and those that stand in a list alone, each once."""
    values = (v if isinstance(v, list | tuple) else [v] for v in vars(module).values())
    members = [member for some in values for member in some if isinstance(member, engine.Derivation)]
    yield from {id(member): member for member in members}.values()


def _prove(name: str) -> None:
    """Import a module of derivations and what it builds on anew; check every derivation in it."""
    engine._normal_mass.cache_clear()
    for stale in _builds_on(name):
        del sys.modules[stale]
        package, _, module = stale.rpartition(".")
        delattr(sys.modules[package], module)
    for derivation in _derivations(importlib.import_module(name)):
        derivation.check()


@cache
def _builds_on(name: str) -> frozenset[str]:
    """The module and those that it imports from the proofs, but for the engine, which keeps no value."""
    tree = ast.parse(inspect.getsource(importlib.import_module(name)))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    named = {f"{node.module}.{alias.name}" for node in imports for alias in node.names}
    named |= {node.module for node in imports}
    kept = {f"ddpm_spec.proofs.{room}" for room in ("engine", "zero", "graph")}
    inside = {other for other in named if other.startswith("ddpm_spec.proofs.") and other in sys.modules}
    return frozenset({name}.union(*(_builds_on(other) for other in inside - kept)))


# ---------------------------------------------------------------------------------------------- runs

Outcome = Literal["passed", "killed", "crashed", "stopped"]
CAUGHT = (AssertionError, engine.FalseStep, outcomes.Failed)


class TooLong(BaseException):
    """The time of a killer is over. Few libraries take it for an error of their own."""


def outcome(killer: Killer) -> Outcome:
    """Whether the test or the proof holds. A failed assertion and a false step kill; the rest is a crash.

    One that takes too long is stopped, whatever it makes of that; this process may be the worse for it.
    """
    rung = False

    def ring(*_: object) -> None:
        nonlocal rung
        rung = True
        raise TooLong

    limit = 4 * killer.seconds + SECONDS if killer.seconds else 0
    signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, limit, limit)
    end: Outcome = "passed"
    try:
        killer.run()
    except CAUGHT:
        end = "killed"
    except (Exception, outcomes.OutcomeException, TooLong):
        end = "crashed"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return "stopped" if rung else end


Finding = tuple[float, set[tuple[str, int]]] | None


def survey(found: list[Killer], functions: dict[str, FunctionType]) -> list[Finding]:
    """The seconds of each killer and what it reaches; None for one that fails on the code as it is."""
    reached: set[tuple[str, int]] = set()
    plain = {name: function.__code__ for name, function in functions.items()}
    for name, function in functions.items():
        install(function, marked(function, lambda line, name=name: reached.add((name, line))))
    findings: list[Finding] = []
    for killer in found:
        reached.clear()
        start = time.perf_counter()
        passed = outcome(killer) == "passed"
        findings.append((time.perf_counter() - start, set(reached)) if passed else None)
    for name, function in functions.items():
        function.__code__ = plain[name]
    return findings
