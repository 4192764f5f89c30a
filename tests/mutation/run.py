"""Runs every mutant of the formulas, the schedule and the model against the proofs and the laws.

`python tests/mutation/run.py RESULT.json [PART OF A NAME …]` from the root of the repository. What is
about the paper is judged by the tests and proofs of the paper, what came after by its own. The tests
are collected by pytest and called as functions. Forks of this process take the functions one by one and
put their mutants in their place, where only what reaches the changed statement runs, the likeliest and
cheapest first, until something fails.
"""

import gc
import inspect
import itertools
import json
import multiprocessing
import multiprocessing.connection
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import HealthCheck, Phase, settings

sys.path.insert(0, str(Path(__file__).parents[1]))

from mutation import killers
from mutation.killers import Killer, name_of, outcome
from mutation.mutator import FORMULAS, Mutant, install, mutants

from ddpm_spec.formulas.step import Step
from ddpm_spec.proofs import zero
from ddpm_spec.proofs.letters import AT

SEVERAL = ("steps", "log_p", "log_q", "images", "later", "weights", "weights_prev")
"""Arguments of formulas that hold a number for each step, or for each image."""
PATIENCE = 0.02
"""Seconds of laws that pass, after which a mutant is compared with the original by algebra."""
HOPELESS = 12
"""Laws that a mutant crashes before it is left as one that merely crashes; as many proofs."""
ENDLESS = 2
"""Of those that do not end in time; they take longest."""


@dataclass
class Verdict:
    """What became of one mutant."""

    proof: str = ""
    """The first proof that failed."""
    law: str = ""
    """The first test that failed."""
    crashes: tuple[str, ...] = ()
    """What ended in another error, or not in time, before anything killed."""
    stopped: int = 0
    """How many of them did not end in time."""
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


class Judge:
    """Runs the mutants of one function against what reaches them."""

    def __init__(self, function: FunctionType, proved: bool) -> None:
        self.function, self.original = function, function.__code__
        self.name = name_of(function)
        self.proved = proved or not function.__module__.startswith(FORMULAS)
        """Whether no proof need be asked about what a law kills: one mutant of each formula will do."""
        self.tries: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()

    def verdict(self, mutant: Mutant, reaching: list[Killer]) -> Verdict:
        """What becomes of a mutant; the function is whole again afterwards."""
        laws, proofs = ([k for k in reaching if k.kind == kind] for kind in ("law", "proof"))
        verdict = Verdict()
        install(self.function, mutant.tree)
        try:
            self._ask_laws(laws, verdict, mutant)
            if not (verdict.equivalent or (verdict.law and self.proved)):
                self._ask(sorted(proofs, key=self._distance), verdict)
            if verdict.survived:
                verdict.equivalent = _equal(self.function, mutant, self.original)
        finally:
            self.function.__code__ = self.original
        self.proved |= bool(verdict.proof)
        return verdict

    def _ask_laws(self, laws: list[Killer], verdict: Verdict, mutant: Mutant) -> None:
        """The laws, the likeliest and cheapest first; after a while, whether there is anything to find."""
        spent = 0.0
        for law in sorted(laws, key=self._price):
            if self._ask([law], verdict) or self._is_hopeless(verdict, 0):
                return
            spent += law.seconds
            if spent > PATIENCE >= spent - law.seconds and not verdict.crashes:
                verdict.equivalent = _equal(self.function, mutant, self.original)
                if verdict.equivalent:
                    return

    def _distance(self, proof: Killer) -> tuple[bool, float]:
        """First the derivations that end at the function, then those that only build on it."""
        return self.name not in proof.about, proof.seconds

    def _price(self, law: Killer) -> float:
        """Expected seconds for a kill, from what the law has done to the other mutants of the function."""
        return max(law.seconds, 2e-4) * (self.tries[law.name] + 2) / (self.kills[law.name] + 1)

    def _ask(self, some: list[Killer], verdict: Verdict) -> bool:
        """Whether one of them kills."""
        crashes = len(verdict.crashes)
        for killer in some:
            end = outcome(killer)
            self.tries[killer.name] += 1
            if end == "killed":
                self.kills[killer.name] += 1
                setattr(verdict, killer.kind, killer.name)
                return True
            if end != "passed":
                verdict.crashes += (killer.name,)
                verdict.stopped += end == "stopped"
            if self._is_hopeless(verdict, crashes):
                break
        return False

    def _is_hopeless(self, verdict: Verdict, crashes: int) -> bool:
        """Whether there is no point in asking more, after so many crashes before."""
        return verdict.stopped >= ENDLESS or len(verdict.crashes) == crashes + HOPELESS


# ------------------------------------------------------------------------------------------- equality


def _equal(function: FunctionType, mutant: Mutant, original: CodeType) -> bool:
    """Whether the two codes of a formula, run on letters, are the same by the zero test.

    A call of a formula with two arguments exchanged is the same where that formula is symmetric in them.
    """
    changed = function.__code__
    try:
        if mutant.exchanged is not None and _symmetric(function, *mutant.exchanged):
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


def _symmetric(function: FunctionType, name: str, place: int) -> bool:
    """Whether what a formula calls by this name is a formula that two neighbours may change places in."""
    called = eval(name, function.__globals__)
    if not inspect.isfunction(called):
        return False
    letters = _letters(called)
    swapped = [*letters[:place], *letters[place : place + 2][::-1], *letters[place + 2 :]]
    return zero.is_zero(called(*letters) - called(*swapped)).proved


def _letters(function: FunctionType) -> list[Any]:
    """Symbols for a formula's arguments.

    Raises:
        TypeError: for a function of tensors.
    """
    if not function.__module__.startswith(FORMULAS):
        raise TypeError
    names = inspect.signature(function).parameters
    at = Step(*(letter.value for letter in AT))
    several = {n: np.array(sp.symbols(f"{n}:3", real=True)) for n in SEVERAL}
    known = several | {"at": at}
    return [known.get(n, sp.Symbol(n, positive="variance" in n or None, real=True)) for n in names]


# -------------------------------------------------------------------------------------------- workers

Task = tuple[FunctionType, Mutant, list[Killer]]


def judge_in_turn(tasks: list[Task], fresh: bool, proved: bool) -> tuple[list[Verdict], bool]:
    """Verdicts on mutants of one function, as far as this process can be trusted, and whether it still can.

    A test that failed on a mutant must pass again on the original, or something that a mutant left behind
    may have failed it. What passes is judged by a fresh process, which has seen no other mutant.
    """
    verdicts: list[Verdict] = []
    judge = Judge(tasks[0][0], proved)
    for _, mutant, reaching in tasks:
        verdict = judge.verdict(mutant, reaching)
        names = (verdict.proof, verdict.law, *verdict.crashes[:1])
        clean = all(outcome(killer) == "passed" for killer in reaching if killer.name in names)
        if not fresh and (verdict.survived or not clean):
            return verdicts, False
        verdicts.append(verdict)
        if verdict.stopped or not clean:
            return verdicts, False
        fresh = False
    return verdicts, True


def serve(pipe: Any, tasks: list[Task]) -> None:
    """Judge what the pipe asks for, until it asks for nothing or this process cannot be trusted."""
    fresh = True
    while (asked := pipe.recv()) is not None:
        numbers, proved = asked
        found, clean = judge_in_turn([tasks[n] for n in numbers], fresh, proved)
        pipe.send((found, clean))
        if not clean:
            return
        fresh = False


def _child(work: Callable[..., None], *arguments: Any) -> tuple[Any, Any]:
    """Start a function of a pipe in a fork of this process: the pipe's other end, and the process."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()

    def run() -> None:
        # Before autograd starts its threads: they race to rebuild the pool that the fork has lost.
        torch.set_num_threads(1)
        work(there, *arguments)

    process = context.Process(target=run)
    process.start()
    there.close()
    return here, process


def forked(tasks: list[Task], workers: int) -> list[Verdict]:
    """A verdict for each task, from forks of this process that take one function after the other."""
    gc.collect()
    gc.freeze()
    verdicts: dict[int, Verdict] = {}
    running: dict[Any, tuple[list[int], Any]] = {}
    waiting = [list(some) for _, some in itertools.groupby(range(len(tasks)), key=lambda n: tasks[n][0])]
    proved: set[FunctionType] = set()

    def hand_over(pipe: Any, process: Any) -> None:
        numbers = waiting.pop()
        pipe.send((numbers, tasks[numbers[0]][0] in proved))
        running[pipe] = numbers, process

    while waiting or running:
        while waiting and len(running) < workers:
            hand_over(*_child(serve, tasks))
        for pipe in multiprocessing.connection.wait(list(running)):
            numbers, process = running.pop(pipe)
            try:
                found, clean = pipe.recv()
            except EOFError:  # The process died: alone, the mutant that did it will be known.
                clean, alone = False, len(numbers) == 1
                found = [Verdict(crashes=("the process died",))] if alone else []
                waiting += [] if alone else [[n] for n in numbers]
                numbers = numbers if alone else []
            verdicts |= zip(numbers, found, strict=False)
            if any(verdict.proof for verdict in found):
                proved.add(tasks[numbers[0]][0])
            if numbers[len(found) :]:
                waiting.append(numbers[len(found) :])
            if clean and waiting:
                hand_over(pipe, process)
            else:
                if clean:
                    pipe.send(None)
                process.join()
    return [verdicts[number] for number in range(len(tasks))]


# ------------------------------------------------------------------------------------------- campaign

COLUMNS = ("mutants", "killed", "proof", "law", "crashed", "equivalent", "survived")
"""`proof` and `law` count first kills: one proof has to kill a mutant of each formula, then laws will do."""


def fit(proofs: list[Killer], laws: list[Killer], functions: dict[str, FunctionType]) -> list[Killer]:
    """Those that hold without a mutant, with what they cost and reach, which a first pass finds.

    The laws are surveyed in a fork, the proofs here: afterwards this process remembers their zero tests.
    """
    pipe, process = _child(lambda pipe: pipe.send(killers.survey(laws, functions)))
    findings = killers.survey(proofs, functions) + pipe.recv()
    process.join()
    kept = []
    for killer, finding in zip(proofs + laws, findings, strict=True):
        if finding is not None:
            killer.seconds, killer.reaches = finding
            kept.append(killer)
    return kept


def campaign(items: list[pytest.Item], functions: dict[str, FunctionType], workers: int) -> dict[str, Any]:
    """The score of each function, and what was not killed."""
    start = time.perf_counter()
    found = killers.derivations({killers.part_of(name) for name in functions}) + killers.tests(items)
    proofs, laws = ([killer for killer in found if killer.kind == kind] for kind in ("proof", "law"))
    kept = fit(proofs, laws, functions)
    names, tasks = [], []
    for name, function in functions.items():
        for mutant in mutants(function):
            names.append(name)
            reaching = [killer for killer in kept if (name, mutant.statement) in killer.reaches]
            tasks.append((function, mutant, reaching))
    verdicts = forked(tasks, workers)
    scores: dict[str, dict[str, int]] = {}
    left: dict[str, list[str]] = {"survived": [], "crashed": [], "equivalent": []}
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
        "equivalents": left["equivalent"],
        "unfit": [killer.name for killer in found if killer not in kept],
        "killers": len(kept),
        "seconds": round(time.perf_counter() - start, 1),
    }


class Collected:
    """A pytest plugin that runs the campaign on what was collected instead of the tests."""

    def __init__(self, path: Path, functions: dict[str, FunctionType], workers: int) -> None:
        self.path, self.functions, self.workers = path, functions, workers

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted("a file of tests could not be collected")
        result = campaign(session.items, self.functions, self.workers)
        self.path.write_text(json.dumps(result, ensure_ascii=False, indent=1))
        return True


def main() -> int:
    """Collect the fast tests and run the campaign on them."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
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
    every = killers.targets().items()
    functions = {name: function for name, function in every if any(word in name for word in only)}
    rooms = [room for part in sorted(map(killers.part_of, functions)) for room in killers.ROOMS[part]]
    options = ["-n0", "-q", "-s", "--noconftest", "--assert=plain", "-p", "no:cacheprovider", "--no-summary"]
    options += ["-m", "not slow and not cli and not browser"]
    options += [f"--rootdir={killers.ROOT}", "-c", str(killers.ROOT / "pyproject.toml")]
    plugin = Collected(path, functions, os.cpu_count() or 1)
    return pytest.main(
        [*options, *(str(killers.ROOT / "tests" / room) for room in dict.fromkeys(rooms))], [plugin]
    )


if __name__ == "__main__":
    sys.exit(main())
