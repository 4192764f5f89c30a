"""The record of what was run, and the status of each node of the paper that follows from it.

A test opens `Recorder.observe(kind, claim, formulas…)` around one example. The recorder watches which
formulas the interpreter really enters there and refuses an example that does not run what it speaks
about; `Recorder.prove` checks a derivation. What they saw is written to `docs/check/evidence.json`. A
record counts only while the hash of its formulas' code is the hash of the code at hand.

Tests can run in several processes, each with a recorder of its own. `Recorder.handed` is what one of them
has seen, and `Recorder.merge` puts these together as if one process had seen it all.

`python -m ddpm_spec.evidence OTHER.json` compares that record with another one: the status of every node
of the paper and of every result that came after it, and what is said and seen of every claim.
"""

import ast
import datetime
import hashlib
import inspect
import json
import math
import os
import platform
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Literal, get_args

from ddpm_spec import followups, formulas
from ddpm_spec.errors import InputError
from ddpm_spec.terminal.commands import words
from ddpm_spec.terminal.console import run_command

if TYPE_CHECKING:
    from ddpm_spec.literature import Followup
    from ddpm_spec.paper import Formula, Node

__all__ = [
    "PATH",
    "Evidence",
    "Kind",
    "Observation",
    "Recorder",
    "Status",
    "formula_hash",
    "load",
    "mutation_hash",
    "rests_on",
]

PATH = Path(__file__).parents[1] / "docs" / "check" / "evidence.json"

Kind = Literal["proof", "graph proof", "exact law", "rounding bound", "oracle", "property"]
Outcome = Literal["passed", "numerical", "failed"]
"""From good to bad. `numerical`: a step of a derivation held at the points tried but was not decided by
algebra."""
Status = Literal[
    "proved", "checked numerically", "definition", "assumed", "failed", "outdated", "no evidence"
]


@dataclass(frozen=True)
class Observation:
    """What one claim was seen to do, over all the examples of a run."""

    kind: Kind
    claim: str
    """In words, for the reader of the site."""
    formulas: tuple[str, ...]
    """The formulas that ran, such as `posterior.posterior_mean`."""
    hash: str
    """Of the formulas' code, and of a derivation's lines."""
    nodes: tuple[str, ...] = ()
    """For a proof, the nodes that it establishes."""
    examples: int = 0
    """Examples tried, or steps of a derivation checked."""
    outcome: Outcome = "passed"
    seconds: float = 0.0
    date: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What makes two observations the same claim."""
        return self.kind, self.claim

    @property
    def badness(self) -> int:
        """The place of the outcome among outcomes; the worst of several is the one that counts."""
        return get_args(Outcome).index(self.outcome)


def combined(parts: Sequence[Observation]) -> Observation:
    """One claim from all that was seen of it, in whatever order and by however many processes.

    Examples and seconds add up, and the worst outcome stays. A derivation that was checked again has not
    been checked more: of its checks the worst counts.

    Raises:
        AssertionError: if the parts are not about the same formulas, or saw different code.
    """
    _agree(parts)
    worst = max(parts, key=lambda part: (part.badness, part.examples, part.seconds))
    if worst.kind == "proof":
        return worst
    # fsum rounds once, so that the sum does not depend on the order.
    return replace(
        worst,
        examples=sum(part.examples for part in parts),
        seconds=math.fsum(part.seconds for part in parts),
    )


def _agree(parts: Sequence[Observation]) -> None:
    """Refuse parts of one claim that cannot be put together."""
    for name in ("formulas", "hash", "nodes"):
        values = sorted({getattr(part, name) for part in parts})
        if len(values) > 1:
            what = "is about" if name == "formulas" else f"has the {name}"
            raise AssertionError(f"“{parts[0].claim}” {what} {values[0]}, and elsewhere {values[1]}")


@dataclass(frozen=True)
class Evidence:
    """A record: observations, and the circumstances of the last full run."""

    observations: tuple[Observation, ...] = ()
    run: dict[str, Any] = field(default_factory=dict)
    """Date, commit, versions, cores and seconds of the last full run; empty if there was none."""
    mutation: dict[str, Any] = field(default_factory=dict)
    """The score of the last mutation run: wrong versions of each function, and what refused them."""
    waiting: dict[tuple[str, str], str] = field(default_factory=dict)
    """The claims, by kind and words, whose tests were skipped for want of an optional package: its name."""

    @property
    def score_is_current(self) -> bool:
        """Whether the functions that the score speaks about are those at hand."""
        return self.mutation.get("hash") == mutation_hash()

    def of(self, node: "Node") -> tuple[Observation, ...]:
        """The observations that speak about a node."""
        names = {formula_name(formula) for formula in node.formulas}
        return tuple(
            o
            for o in self.observations
            if (node.id in o.nodes if o.kind == "proof" else names.intersection(o.formulas))
        )

    def status(self, node: "Node") -> Status:
        """What the record says of a node; a definition or an assumption is one only while it is tested."""
        found = self.of(node)
        if any(o.outcome == "failed" for o in found):
            return "failed"
        if any(not is_current(o) for o in found):
            return "outdated"
        derivations = {d.title for d in _derivations() if node.id in d.nodes}
        proved = {o.claim for o in found if o.kind == "proof" and o.outcome == "passed"}
        if derivations and derivations <= proved:
            return "proved"
        if not found:
            return "no evidence"
        if node.assumption:
            return "assumed"
        return "definition" if node.definition else "checked numerically"

    def statuses(self) -> dict[str, Status]:
        """The status of every node of the paper by id."""
        nodes, _ = _indices()
        return {key: self.status(node) for key, node in nodes.items()}

    def beyond(self) -> dict[str, Status]:
        """The status of every result that came after the paper by id."""
        _, later = _indices()
        return {key: self.status(node) for key, node in later.items()}


def load(path: Path = PATH) -> Evidence:
    """The record in a file; an empty one where there is no file."""
    if not path.exists():
        return Evidence()
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Evidence(_observations(data), data["run"], data.get("mutation", {}), _waits(data))


def _waits(data: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(kind, claim): package for kind, claim, package in data.get("waiting", [])}


def _observations(data: dict[str, Any]) -> tuple[Observation, ...]:
    """Back from what JSON, or another process, makes of them."""
    tuples = ("formulas", "nodes")
    return tuple(Observation(**(o | {name: tuple(o[name]) for name in tuples})) for o in data["observations"])


class Recorder:
    """Collects the observations of one process."""

    def __init__(self) -> None:
        self.observations: dict[tuple[str, str], Observation] = {}
        self.mutation: dict[str, Any] = {}
        """The score of the functions whose mutants this run judged."""
        self.waiting: dict[tuple[str, str], str] = {}

    def needs(self, package: str, kind: Kind, claim: str) -> None:
        """Note that this claim cannot be tried where an optional package is not installed.

        The test says so before it is skipped. A comparison of records then knows why the claim is not there.
        """
        if find_spec(package) is None:
            self.waiting[kind, claim] = package

    @contextmanager
    def observe(self, kind: Kind, claim: str, *formulas: "Formula") -> Iterator[None]:
        """Count what happens inside as one example of a claim about these formulas.

        Raises:
            AssertionError: if one of the formulas did not run; whatever is raised inside is recorded
                as a failure and goes on.
        """
        names = tuple(sorted(formula_name(formula) for formula in formulas))
        seen = self.observations.get((kind, claim))
        # There are thousands of examples, and a hash takes a while.
        code = seen.hash if seen else formula_hash(formulas)
        example = Observation(kind, claim, names, code, examples=1)
        _agree([seen or example, example])
        outcome: Outcome | None = None
        start = time.perf_counter()
        try:
            with _entered() as codes:
                yield
            idle = [formula.__name__ for formula in formulas if formula.__code__ not in codes]
            if idle:
                raise AssertionError(f"“{claim}” never ran {', '.join(idle)}")
            outcome = "passed"
        except Exception:
            outcome = "failed"
            raise
        finally:
            # A test that is cut short (Ctrl-C, hypothesis stopping a draw) is no example of anything.
            if outcome is not None:
                self._add(replace(example, outcome=outcome, seconds=time.perf_counter() - start))

    def prove(self, derivation: Any) -> Any:
        """Check a derivation, record the outcome and return the proof.

        Raises:
            FalseStep: if a step is false, which is recorded as a failure.
        """
        observation = Observation(
            "proof",
            derivation.title,
            tuple(sorted(formula_name(formula) for formula in derivation.formulas)),
            derivation_hash(derivation),
            derivation.nodes,
        )
        try:
            proof = derivation.check()
        except Exception:
            self._add(replace(observation, outcome="failed"))
            raise
        outcome: Outcome = "passed" if proof.proved else "numerical"
        examples = len(proof.checks) + 1
        self._add(replace(observation, examples=examples, outcome=outcome, seconds=proof.seconds))
        return proof

    def _add(self, observation: Observation) -> None:
        seen = self.observations.get(observation.key)
        self.observations[observation.key] = combined([seen, observation] if seen else [observation])

    def add_score(self, score: dict[str, Any]) -> None:
        """Add the score of some functions, as `Evidence.mutation` has it but for the date."""
        self.mutation = _laid_over(self.mutation, score)

    def handed(self) -> dict[str, Any]:
        """What this process has seen, in types that can be sent to another one."""
        return {
            "observations": [asdict(o) for o in self.observations.values()],
            "mutation": self.mutation,
            "waiting": [(*key, package) for key, package in self.waiting.items()],
        }

    def merge(self, processes: Iterable[dict[str, Any]]) -> None:
        """Put what several processes have handed over in place of what this recorder holds.

        The order of the processes makes no difference.

        Raises:
            AssertionError: if two processes saw the same claim, but not of the same formulas or code.
        """
        handed = list(processes)
        parts: dict[tuple[str, str], list[Observation]] = {}
        for observation in (o for data in handed for o in _observations(data)):
            parts.setdefault(observation.key, []).append(observation)
        observations = {key: combined(parts[key]) for key in parts}
        scores = sorted((d["mutation"] for d in handed if d["mutation"]), key=lambda one: list(one["parts"]))
        functions = [name for score in scores for name in score["functions"]]
        if len(set(functions)) < len(functions) or len({score["hash"] for score in scores}) > 1:
            raise AssertionError("two processes judged the mutants of one function, or of different code")
        self.observations, self.mutation = observations, {}
        self.waiting = {key: package for data in handed for key, package in _waits(data).items()}
        for score in scores:
            self.add_score(score)

    def write(self, path: Path = PATH, *, full_run_seconds: float | None = None) -> None:
        """Write the record: what ran replaces what was known of it, a full run replaces everything."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        fresh = {k: replace(o, date=now, seconds=round(o.seconds, 2)) for k, o in self.observations.items()}
        known = load(path)
        run, waiting = known.run, self.waiting
        if full_run_seconds is None:
            fresh = {o.key: o for o in known.observations} | fresh
            waiting = known.waiting | waiting
        else:
            run = _circumstances(now, full_run_seconds)
        observations = [asdict(fresh[key]) for key in sorted(fresh)]
        path.parent.mkdir(parents=True, exist_ok=True)
        score = _laid_over(known.mutation, self.mutation) | {"date": now} if self.mutation else known.mutation
        waits = [(*key, waiting[key]) for key in sorted(waiting.keys() - fresh.keys())]
        data = {"run": run, "mutation": score, "waiting": waits, "observations": observations}
        text = json.dumps(data, indent=1, ensure_ascii=False)
        beside = path.with_suffix(".tmp")
        beside.write_text(text + "\n")
        beside.replace(path)


def _laid_over(known: dict[str, Any], score: dict[str, Any]) -> dict[str, Any]:
    """A new score of some functions over what is known of the others, if that is of the same code."""
    if known.get("hash") != score["hash"]:
        known = {"functions": {}, "survivors": [], "parts": {}}
    # A survivor is a line that begins with the name of its function.
    kept = [one for one in known["survivors"] if one.partition(",")[0] not in score["functions"]]
    return {
        "hash": score["hash"],
        "functions": known["functions"] | score["functions"],
        "survivors": kept + score["survivors"],
        "parts": known["parts"] | score["parts"],
    }


@contextmanager
def _entered() -> Iterator[set[CodeType]]:
    """The code objects that are entered while the context is open."""
    codes: set[CodeType] = set()

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            codes.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield codes
    finally:
        sys.setprofile(before)


def _circumstances(now: str, seconds: float) -> dict[str, Any]:
    # The record itself is not what was tested.
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/check/evidence.json")
    commit = _git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")
    loaded = [name for name in ("torch", "sympy", "hypothesis") if name in sys.modules]
    return {
        "date": now,
        "commit": commit or "not in a git checkout",
        "seconds": round(seconds),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in loaded},
    }


def _git(*words: str) -> str:
    """What git answers about this checkout; nothing where there is none."""
    asked = subprocess.run(  # noqa: S603
        ["git", *words],  # noqa: S607
        cwd=PATH.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip()


# ------------------------------------------------------------------------------------------- hashes


# The rooms whose code a record is about.
_HASHED = ("ddpm_spec.formulas.", "ddpm_spec.coding.", "ddpm_spec.followups.")


def formula_name(formula: "Formula") -> str:
    """`posterior.posterior_mean` for the function of that name in `formulas/posterior.py`."""
    return f"{formula.__module__.rpartition('.')[2]}.{formula.__name__}"


def is_current(observation: Observation) -> bool:
    """Whether the code that was observed is the code at hand."""
    if observation.kind == "proof":
        derivation = {d.title: d for d in _derivations()}.get(observation.claim)
        return derivation is not None and derivation_hash(derivation) == observation.hash
    formulas = _formulas()
    return all(name in formulas for name in observation.formulas) and observation.hash == formula_hash(
        formulas[name] for name in observation.formulas
    )


def formula_hash(formulas: Iterable["Formula"]) -> str:
    """A hash of the code of these formulas and of every formula that they call, without docstrings."""
    code = {name: _code(formula) for name, formula in _with_called(formulas).items()}
    return hashlib.sha256("\n".join(code[name] for name in sorted(code)).encode()).hexdigest()[:16]


def _with_called(formulas: Iterable["Formula"]) -> dict[str, "Formula"]:
    """These formulas and every formula that they call, by name."""
    closure: dict[str, Formula] = {}
    pending = list(formulas)
    while pending:
        formula = pending.pop()
        if formula_name(formula) in closure:
            continue
        closure[formula_name(formula)] = formula
        called: Iterable[Any] = (formula.__globals__.get(name) for name in formula.__code__.co_names)
        pending += [f for f in called if inspect.isfunction(f) and f.__module__.startswith(_HASHED)]
    return closure


def rests_on(derivation: Any) -> set[str]:
    """The names of the formulas that a derivation runs, by itself or in the lemmas that it applies."""
    own = set(_with_called(derivation.formulas))
    return own.union(*(rests_on(lemma) for lemma in derivation.lemmas))


def derivation_hash(derivation: Any) -> str:
    """A hash of a derivation's lines, of its end, of the formulas that it ran, and of its lemmas."""
    parts = [line.tex for line in derivation.lines] + [derivation.end.tex, formula_hash(derivation.formulas)]
    parts += [derivation_hash(lemma) for lemma in derivation.lemmas]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def mutation_hash() -> str:
    """A hash of the code that mutants are made of, without docstrings: formulas, schedule and model.

    The formulas are the paper's and those that came after it.
    """
    room = Path(__file__).parent
    code = []
    files = [file for name in ("formulas", "followups") for file in sorted((room / name).glob("*.py"))]
    for file in (*files, room / "schedule.py", room / "diffusion.py"):
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                node.body = [part for part in node.body if not _is_text(part)]
        code.append(ast.dump(tree))
    return hashlib.sha256("\n".join(code).encode()).hexdigest()[:16]


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _code(formula: "Formula") -> str:
    return _dumped(formula.__code__)


@cache
def _dumped(code: CodeType) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)  # noqa: S101
    if ast.get_docstring(function) is not None:
        function.body = function.body[1:]
    return ast.dump(tree)


@cache
def _formulas() -> dict[str, "Formula"]:
    """Every formula by name, those that no node of the paper states included."""
    modules = [
        import_module(m.name)
        for room in (formulas, followups)
        for m in iter_modules(room.__path__, f"{room.__name__}.")
    ]
    functions = [vars(module)[name] for module in modules for name in module.__all__]
    nodes, _ = _indices()
    functions += [formula for node in nodes.values() for formula in node.formulas]
    return {formula_name(f): f for f in functions if inspect.isfunction(f)}


# Imported when they are needed: a record can be loaded and written without torch and sympy, which take
# seconds to import. The status of a node can't be told without them.


def _indices() -> tuple[dict[str, "Node"], dict[str, "Followup"]]:
    """The nodes of the paper and those that came after it, by id."""
    from ddpm_spec.literature import FOLLOWUPS
    from ddpm_spec.paper import NODES

    return NODES, FOLLOWUPS


def _derivations() -> tuple[Any, ...]:
    from ddpm_spec.proofs import DERIVATIONS
    from ddpm_spec.proofs.followups import DERIVATIONS as BEYOND

    return (*DERIVATIONS, *BEYOND)


# --------------------------------------------------------------------------------------- comparison

_COMPARED = ("formulas", "nodes", "outcome")
"""What two records must say alike of a claim; examples, seconds, dates and hashes may differ."""


def _compare(args: list[str]) -> int:
    """0 where two records say the same of every node and of every claim, else 1."""
    [name] = words(args, "evidence", "OTHER.json")
    if not PATH.exists():
        raise InputError(f"there is no record at {PATH}; run this from a checkout of the repository")
    try:
        json.loads(Path(name).read_text(encoding="utf-8"))["observations"]
        here, other = load(), load(Path(name))
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{name} holds no record; name a file like docs/check/evidence.json") from None
    waiting = _waiting(here, other)
    for (kind, claim), package in waiting.items():
        print(f"not tried here, needs {package}: {kind}, {claim}")
    other = replace(other, observations=tuple(o for o in other.observations if o.key not in waiting))
    different = [*_other_statuses(here, other, name), *_other_claims(here, other, name)]
    for line in different:
        print(line)
    if not different:
        nodes, later = _indices()
        print(f"{len(nodes) + len(later)} statuses and {len(here.observations)} claims agree")
    return 1 if different else 0


def _waiting(here: Evidence, other: Evidence) -> dict[tuple[str, str], str]:
    """The claims that only the other record has, as their tests met a package that is still not installed."""
    missing = {o.key for o in other.observations} - {o.key for o in here.observations}
    return {key: name for key, name in here.waiting.items() if key in missing and find_spec(name) is None}


def _other_statuses(here: Evidence, other: Evidence, name: str) -> Iterator[str]:
    """A line for each node whose status differs."""
    ours, theirs = (record.statuses() | record.beyond() for record in (here, other))
    nodes, later = _indices()
    for key, node in (nodes | later).items():
        if ours[key] != theirs[key]:
            yield f"{node.name}: {theirs[key]} in {name}, {ours[key]} in this run"


def _other_claims(here: Evidence, other: Evidence, name: str) -> Iterator[str]:
    """A line for each claim that one of the records lacks, and for each thing said differently of one."""
    ours, theirs = ({o.key: o for o in record.observations} for record in (here, other))
    for key in sorted(ours.keys() | theirs.keys()):
        named = ", ".join(key)
        if key not in ours:
            yield f"missing in this run: {named}"
        elif key not in theirs:
            yield f"new in this run: {named}"
        else:
            for said in _COMPARED:
                was, is_ = getattr(theirs[key], said), getattr(ours[key], said)
                if was != is_:
                    yield f"{named}: {said} {_said(was)} in {name}, {_said(is_)} in this run"


def _said(said: str | tuple[str, ...]) -> str:
    return said if isinstance(said, str) else " ".join(said) or "none"


def main(args: list[str]) -> int:
    """Compare the record with another one: 0 where they say the same, 1 where they do not."""
    return run_command(_compare, args)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
