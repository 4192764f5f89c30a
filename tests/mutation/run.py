"""Runs every mutant of the formulas, the schedule and the model against the proofs and the laws.

`python tests/mutation/run.py RESULT.json [PART OF A NAME …]` from the root of the repository. The tests
are collected by pytest and called as functions. A first pass, with functions that say that they were
entered, times each test and finds which functions it reaches. Then each mutant gets a process of its own,
forked from this one, where only the tests that reach the function run, the cheapest first, until one fails.
"""

import ast
import contextlib
import gc
import importlib
import inspect
import itertools
import json
import multiprocessing
import multiprocessing.connection
import os
import pkgutil
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Literal

import numpy as np
import pytest
import sympy as sp
import torch
from _pytest import outcomes
from hypothesis import HealthCheck, Phase, settings

sys.path.insert(0, str(Path(__file__).parents[1]))

from mutation.mutator import Mutant, install, marked, mutants

import ddpm_spec.formulas
from ddpm_spec import diffusion, schedule
from ddpm_spec.formulas.step import Step
from ddpm_spec.proofs import engine, zero
from ddpm_spec.proofs.letters import AT

ROOT = Path(__file__).parents[2]

# What speaks about the package and not about a formula. A rounding bound compares a formula with itself.
NO_LAWS = {"mutation", "ops", "site", "training", "unet"}
NO_LAWS |= {"test_derivations", "test_evidence", "test_graph", "test_paper", "test_rounding", "test_spine"}
GRAPH_PROOFS = ("test_the_training_loss_is_eq_14", "test_a_reverse_step_is_algorithm_2")
SEVERAL = ("steps", "log_p", "log_q")
"""Arguments of formulas that hold a number for each step."""
TOGETHER = 16
"""Mutants of one function that a process is given at once; a fork costs as much as several of them."""
PATIENCE = 8
"""Killers that are tried before a mutant is compared with the original by algebra."""
HOPELESS = 5
"""Killers that a mutant crashes before it is left as one that merely crashes."""
SECONDS = 2
"""Of processor time for one test, beside twice what it takes without a mutant; then it has crashed."""


class Silent:
    """A recorder that keeps nothing."""

    def observe(self, *_: object) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


# ------------------------------------------------------------------------------------------- targets


def targets() -> dict[str, FunctionType]:
    """What is mutated, by name: all formulas, the schedule, and what does mathematics in the model."""
    found: dict[str, FunctionType] = {}
    names = [module.name for module in pkgutil.iter_modules(ddpm_spec.formulas.__path__)]
    modules = [importlib.import_module(f"ddpm_spec.formulas.{name}") for name in names]
    for module in (*modules, schedule, diffusion):
        for holder in (module, *(c for c in vars(module).values() if inspect.isclass(c))):
            if holder.__name__ != module.__name__ and holder.__module__ != module.__name__:
                continue
            for member in vars(holder).values():
                function = _function(member)
                if function is None or function.__module__ != module.__name__:
                    continue
                if not function.__name__.startswith("__") and _is_written(function, module):
                    found[f"{module.__name__.partition('.')[2]}.{function.__qualname__}"] = function
    return found


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


# --------------------------------------------------------------------------------------------- tests


@dataclass
class Killer:
    """A test or a derivation: what it runs, what it costs, and which targets it enters."""

    name: str
    run: Callable[[], None]
    kind: str
    """proof or law"""
    seconds: float = 0.0
    reaches: set[str] = field(default_factory=set)


def killers(items: Iterable[pytest.Item]) -> list[Killer]:
    """The collected tests that may kill, and the derivations."""
    found = []
    for item in items:
        parts = item.path.relative_to(ROOT / "tests").with_suffix("").parts
        graph = parts[-1] == "test_graph" and item.name.startswith(GRAPH_PROOFS)
        law = not NO_LAWS.intersection(parts) and "rounding" not in item.name
        if parts[0] == "proofs":  # Beside the proofs stand numeric tests; they record what they saw.
            law = law and "recorder" in inspect.signature(item.obj).parameters
        if graph or law:
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


def derivations() -> list[Killer]:
    """One killer for each module of derivations: imported anew it builds them anew, then they are checked."""
    package = importlib.import_module("ddpm_spec.proofs")
    names = [f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
    return [
        Killer(name, lambda name=name: _prove(name), "proof")
        for name in names
        if list(_derivations(importlib.import_module(name)))
    ]


def _derivations(module: ModuleType) -> Iterator[engine.Derivation]:
    for value in vars(module).values():
        for member in value if isinstance(value, list | tuple) else [value]:
            if isinstance(member, engine.Derivation):
                yield member


def _prove(name: str) -> None:
    """Import a module of derivations and what it builds on anew; check every derivation in it."""
    engine._normal_mass.cache_clear()
    package = sys.modules["ddpm_spec.proofs"]
    for stale in _builds_on(name):
        del sys.modules[stale]
        delattr(package, stale.rpartition(".")[2])
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

Outcome = Literal["passed", "killed", "crashed"]
CAUGHT = (AssertionError, engine.FalseStep, outcomes.Failed)


def outcome(killer: Killer) -> Outcome:
    """Whether the test or the proof holds. A failed assertion and a false step kill; the rest is a crash."""
    signal.setitimer(signal.ITIMER_VIRTUAL, 2 * (killer.seconds or SECONDS) + SECONDS)
    try:
        killer.run()
    except CAUGHT:
        return "killed"
    except (Exception, outcomes.OutcomeException):
        return "crashed"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return "passed"


Finding = tuple[float, set[str]] | None


def survey(found: list[Killer], functions: dict[str, FunctionType]) -> list[Finding]:
    """The seconds of each killer and what it enters; None for one that fails on the code as it is."""
    entered: set[str] = set()
    plain = {name: function.__code__ for name, function in functions.items()}
    for name, function in functions.items():
        install(function, marked(function, lambda name=name: entered.add(name)))
    findings: list[Finding] = []
    for killer in found:
        entered.clear()
        start = time.process_time()
        passed = outcome(killer) == "passed"
        findings.append((time.process_time() - start, set(entered)) if passed else None)
    for name, function in functions.items():
        function.__code__ = plain[name]
    return findings


def fit(proofs: list[Killer], laws: list[Killer], functions: dict[str, FunctionType]) -> list[Killer]:
    """All killers that may judge, the cheapest first; the two kinds are surveyed side by side.

    The proofs run in this process, which afterwards remembers their zero tests.
    """
    pipe, process = _child(survey, laws, functions)
    findings = survey(proofs, functions) + pipe.recv()
    process.join()
    kept = []
    for killer, finding in zip(proofs + laws, findings, strict=True):
        if finding is not None:
            killer.seconds, killer.reaches = finding
            kept.append(killer)
    return sorted(kept, key=lambda killer: killer.seconds)


def _child(function: Callable[..., Any], *arguments: Any) -> tuple[Any, Any]:
    """Start a function in a fork of this process: the pipe for its result, and the process."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)

    def work() -> None:
        # Before autograd starts its threads: they race to rebuild the pool that the fork has lost.
        torch.set_num_threads(1)
        there.send(function(*arguments))

    process = context.Process(target=work)
    process.start()
    there.close()
    return here, process


@dataclass
class Verdict:
    """What became of one mutant."""

    proof: str = ""
    """The first proof that failed."""
    law: str = ""
    """The first test that failed."""
    crashes: tuple[str, ...] = ()
    """What ended in another error before anything killed."""
    equivalent: bool = False

    @property
    def killed(self) -> bool:
        """Caught by a proof or by a law."""
        return bool(self.proof or self.law)

    @property
    def crashed(self) -> bool:
        """Stopped by an error and by no assertion."""
        return bool(self.crashes) and not (self.killed or self.equivalent)

    @property
    def survived(self) -> bool:
        """Neither caught nor shown to be the same function."""
        return not (self.killed or self.crashed or self.equivalent)


def judge(function: FunctionType, mutant: Mutant, reaching: list[Killer], both: bool) -> Verdict:
    """Run what reaches the function on a mutant until one kills it, or one proof and one law with `both`.

    Whether it is the same function after all is asked when the cheapest tests have not killed it.
    """
    verdict, original = Verdict(), function.__code__
    install(function, mutant.tree)
    for number, killer in enumerate(reaching):
        if number == PATIENCE and not verdict.killed and _equal(function, mutant, original):
            break
        if getattr(verdict, killer.kind) or (verdict.killed and not both):
            continue
        found = outcome(killer)
        if found == "killed":
            setattr(verdict, killer.kind, killer.name)
        if found == "crashed":
            verdict.crashes += (killer.name,)
        if len(verdict.crashes) == HOPELESS:
            break
    verdict.equivalent = not verdict.killed and _equal(function, mutant, original)
    return verdict


def _equal(function: FunctionType, mutant: Mutant, original: CodeType) -> bool:
    """Whether the two codes of a formula, run on letters, are the same by the zero test.

    A call of a formula with two arguments exchanged is the same where that formula is symmetric in them.
    """
    changed = function.__code__
    try:
        if mutant.exchanged is not None:
            name, place = mutant.exchanged
            called = eval(name, function.__globals__)
            letters = _letters(called)
            swapped = [*letters[:place], *letters[place : place + 2][::-1], *letters[place + 2 :]]
            if zero.is_zero(called(*letters) - called(*swapped)).proved:
                return True
        values = []
        for code in (original, changed):
            function.__code__ = code
            values.append(function(*_letters(function)))
        return zero.is_zero(values[1] - values[0]).proved
    except Exception:
        return False
    finally:
        function.__code__ = changed


def _letters(function: FunctionType) -> list[Any]:
    """Symbols for a formula's arguments.

    Raises:
        TypeError: for a function of tensors.
    """
    if not function.__module__.startswith("ddpm_spec.formulas"):
        raise TypeError
    names = inspect.signature(function).parameters
    at = Step(*(letter.value for letter in AT))
    several = {n: np.array(sp.symbols(f"{n}:3", real=True)) for n in SEVERAL}
    known = several | {"at": at}
    return [known.get(n, sp.Symbol(n, positive="variance" in n or None, real=True)) for n in names]


Task = tuple[FunctionType, Mutant, list[Killer]]


def judge_in_turn(tasks: list[Task], met: set[str]) -> list[Verdict]:
    """Verdicts on mutants of one function, one after the other, as far as this process can be trusted.

    A test that failed on a mutant must pass again on the original, or something that a mutant left behind
    may have failed it. A mutant that passes is judged by a process that has seen no other.
    """
    verdicts: list[Verdict] = []
    for function, mutant, reaching in tasks:
        original = function.__code__
        verdict = judge(function, mutant, reaching, both=len(met) < 2)
        function.__code__ = original
        names = (verdict.proof, verdict.law, *verdict.crashes[:1])
        clean = all(outcome(killer) == "passed" for killer in reaching if killer.name in names)
        if verdicts and not (clean and (verdict.killed or verdict.crashed)):
            break
        verdicts.append(verdict)
        met |= {kind for kind in ("proof", "law") if getattr(verdict, kind)}
        if not clean:
            break
    return verdicts


def forked(tasks: list[Task], workers: int) -> list[Verdict]:
    """A verdict for each task, from forks of this process.

    Until a function has lost one mutant to a proof and one to a law, both are tried.
    """
    gc.collect()
    gc.freeze()
    verdicts: dict[int, Verdict] = {}
    running: dict[Any, tuple[list[int], Any]] = {}
    met: dict[FunctionType, set[str]] = {function: set() for function, _, _ in tasks}
    waiting: list[list[int]] = []
    for _, numbers in itertools.groupby(range(len(tasks)), key=lambda number: tasks[number][0]):
        some = list(numbers)
        waiting += [some[i : i + TOGETHER] for i in range(0, len(some), TOGETHER)]
    while waiting or running:
        while waiting and len(running) < workers:
            numbers = waiting.pop()
            function = tasks[numbers[0]][0]
            pipe, process = _child(judge_in_turn, [tasks[n] for n in numbers], met[function])
            running[pipe] = numbers, process
        for pipe in multiprocessing.connection.wait(list(running)):
            numbers, process = running.pop(pipe)
            try:
                found = pipe.recv()
            except EOFError:  # The process died: alone, the mutant that did it will be known.
                found = [Verdict(crashes=("the process died",))] if len(numbers) == 1 else []
            process.join()
            verdicts |= zip(numbers, found, strict=False)
            for verdict in found:
                met[tasks[numbers[0]][0]] |= {kind for kind in ("proof", "law") if getattr(verdict, kind)}
            rest = numbers[len(found) :]
            waiting += [[n] for n in rest] if not found else [rest] if rest else []
    return [verdicts[number] for number in range(len(tasks))]


def campaign(items: list[pytest.Item], only: list[str], workers: int) -> dict[str, Any]:
    """The score of each function, and what was not killed."""
    start = time.perf_counter()
    _remember_zero_tests()
    functions = {name: function for name, function in targets().items() if any(word in name for word in only)}
    tests = killers(items)
    proofs = derivations() + [killer for killer in tests if killer.kind == "proof"]
    laws = [killer for killer in tests if killer.kind == "law"]
    found = fit(proofs, laws, functions)
    names, tasks = [], []
    for name, function in functions.items():
        reaching = [killer for killer in found if name in killer.reaches]
        for mutant in mutants(function):
            names.append(name)
            tasks.append((function, mutant, reaching))
    verdicts = forked(tasks, workers)
    scores: dict[str, dict[str, int]] = {}
    left: dict[str, list[str]] = {"survived": [], "crashed": []}
    for name, (_, mutant, reaching), verdict in zip(names, tasks, verdicts, strict=True):
        score = scores.setdefault(name, dict.fromkeys(COLUMNS, 0))
        score["mutants"] += 1
        score["proof"] += bool(verdict.proof)
        score["law"] += bool(verdict.law)
        for column in ("killed", "crashed", "equivalent", "survived"):
            score[column] += getattr(verdict, column)
        for fate, mutants_left in left.items():
            if getattr(verdict, fate):
                unseen = "" if reaching else ", which no test reaches"
                mutants_left.append(f"{name}, line {mutant.line}{unseen}: {mutant.change}")
    return {
        "total": {column: sum(score[column] for score in scores.values()) for column in COLUMNS},
        "functions": scores,
        "survivors": left["survived"],
        "crashes": left["crashed"],
        "unfit": [killer.name for killer in (*proofs, *laws) if killer not in found],
        "killers": len(found),
        "seconds": round(time.perf_counter() - start, 1),
    }


COLUMNS = ("mutants", "killed", "proof", "law", "crashed", "equivalent", "survived")
# `proof` and `law` count first kills: once each kind has killed one mutant of a function, the cheaper serves.


def _remember_zero_tests() -> None:
    """The zero test is a pure function: what a mutant leaves as it was is decided once."""
    plain = zero.is_zero
    remembered = cache(plain)
    for name, module in list(sys.modules.items()):
        if name.startswith("ddpm_spec.proofs") and getattr(module, "is_zero", None) is plain:
            module.is_zero = remembered


class Collected:
    """A pytest plugin that runs the campaign on what was collected instead of the tests."""

    def __init__(self, path: Path, only: list[str], workers: int) -> None:
        self.path, self.only, self.workers = path, only, workers

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        result = campaign(session.items, self.only, self.workers)
        self.path.write_text(json.dumps(result, ensure_ascii=False, indent=1))
        return True


def main() -> int:
    """Collect the fast tests and run the campaign on them."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGVTALRM, _too_long)
    settings.register_profile(
        "mutation",
        max_examples=5,
        phases=[Phase.explicit, Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutation")
    path, only = Path(sys.argv[1]), sys.argv[2:] or [""]
    options = ["-q", "-s", "--noconftest", "--assert=plain", "-p", "no:cacheprovider", "--no-summary"]
    options += [
        "-m",
        "not slow and not cli and not browser",
        f"--rootdir={ROOT}",
        "-c",
        str(ROOT / "pyproject.toml"),
    ]
    ignored = [f"--ignore={ROOT / 'tests' / room}" for room in NO_LAWS]
    plugin = Collected(path, only, os.cpu_count() or 1)
    return pytest.main([*options, *ignored, str(ROOT / "tests")], plugins=[plugin])


def _too_long(*_: object) -> None:
    raise TimeoutError


if __name__ == "__main__":
    sys.exit(main())
