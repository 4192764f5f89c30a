"""The record says what ran: nothing else can put a status there."""

import json
import linecache
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm_spec import evidence
from ddpm_spec.evidence import Evidence, Observation, Recorder, formula_hash, formula_name, load
from ddpm_spec.formulas import bound, forward, posterior, reverse
from ddpm_spec.literature import FOLLOWUPS
from ddpm_spec.paper import NODES
from ddpm_spec.proofs import FalseStep
from ddpm_spec.proofs import posterior as posterior_proofs
from ddpm_spec.proofs.followups import multistep as multistep_proofs
from ddpm_spec.schedule import linear_schedule


def a_step() -> object:
    steps = linear_schedule(5).steps
    return type(steps)(*(table[3].item() for table in steps))


def test_an_example_that_does_not_run_its_formula_is_refused() -> None:
    recorder = Recorder()
    with (
        pytest.raises(AssertionError, match="“a claim” never ran posterior_mean"),
        recorder.observe("property", "a claim", posterior.posterior_mean, posterior.posterior_variance),
    ):
        posterior.posterior_variance(a_step())
    assert recorder.observations["property", "a claim"].outcome == "failed"


def test_examples_are_counted_and_one_failure_stays() -> None:
    recorder = Recorder()
    for wrong in (False, True, False):
        try:
            with recorder.observe("property", "a claim", posterior.posterior_variance):
                posterior.posterior_variance(a_step())
                assert not wrong
        except AssertionError:
            pass
    assert recorder.observations["property", "a claim"].examples == 3
    assert recorder.observations["property", "a claim"].outcome == "failed"


def test_an_example_that_is_cut_short_is_none() -> None:
    recorder = Recorder()
    with (
        pytest.raises(KeyboardInterrupt),
        recorder.observe("property", "a claim", posterior.posterior_variance),
    ):
        raise KeyboardInterrupt
    assert not recorder.observations


def test_one_claim_is_about_the_same_formulas_each_time() -> None:
    recorder = Recorder()
    with recorder.observe("property", "a claim", posterior.posterior_variance):
        posterior.posterior_variance(a_step())
    with (
        pytest.raises(AssertionError, match="is about"),
        recorder.observe("property", "a claim", reverse.mean_from_eps),
    ):
        pass


def test_statuses_follow_from_the_derivations(proved: Evidence) -> None:
    statuses = proved.statuses()
    assert statuses["eq-4"] == statuses["eq-6"] == statuses["eq-7"] == "proved"
    assert statuses["lemma-gaussian-sum"] == "proved"
    assert statuses["eq-3"] == statuses["eq-16"] == statuses["c-8"] == "proved"
    assert statuses["lemma-jensen"] == "no evidence", "an assumption counts only when its formulas were run"
    assert statuses["eq-2"] == "no evidence", "a definition counts only when its formulas were run"


def test_half_an_induction_proves_nothing(proved: Evidence) -> None:
    record = proved
    only_base = Evidence(tuple(o for o in record.observations if "from $t-1$" not in o.claim))
    assert only_base.status(NODES["eq-4"]) != "proved"


def test_numbers_alone_are_called_numbers() -> None:
    recorder = Recorder()
    with recorder.observe("property", "a claim", posterior.posterior_variance):
        posterior.posterior_variance(a_step())
    record = Evidence(tuple(recorder.observations.values()))
    assert record.status(NODES["eq-7"]) == "checked numerically"


def test_a_step_that_is_only_numerical_proves_nothing(proved: Evidence) -> None:
    record = proved
    weakened = tuple(replace(o, outcome="numerical") if "eq-7" in o.nodes else o for o in record.observations)
    assert Evidence(weakened).status(NODES["eq-7"]) == "checked numerically"


def test_a_definition_is_one_when_its_formulas_ran() -> None:
    recorder = Recorder()
    with recorder.observe("property", "a claim", forward.q_step_variance):
        forward.q_step_variance(a_step())
    assert Evidence(tuple(recorder.observations.values())).status(NODES["eq-2"]) == "definition"


def test_an_assumption_is_called_one_when_its_formulas_ran() -> None:
    recorder = Recorder()
    with recorder.observe("property", "a claim", bound.path_bound):
        bound.path_bound(torch.zeros(()), torch.zeros(2), torch.zeros(2))
    assert Evidence(tuple(recorder.observations.values())).status(NODES["lemma-jensen"]) == "assumed"


def test_one_failure_fails_the_node(proved: Evidence) -> None:
    record = proved
    failed = Observation("property", "x", ("posterior.posterior_mean",), "", outcome="failed")
    assert Evidence((*record.observations, failed)).status(NODES["eq-7"]) == "failed"


def test_a_false_proof_is_recorded_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(at: object) -> object:
        return at.beta  # type: ignore[attr-defined]

    monkeypatch.setattr(posterior.posterior_variance, "__code__", wrong.__code__)
    recorder = Recorder()
    with pytest.raises(FalseStep):
        recorder.prove(posterior_proofs._posterior())
    assert Evidence(tuple(recorder.observations.values())).status(NODES["eq-7"]) == "failed"


def _hash_of(source: str) -> str:
    """The hash of posterior_variance if its source were this."""
    file = f"<{source}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec"), module := {"__name__": posterior.__name__})
    return formula_hash([module["posterior_variance"]])


SOURCE = 'def posterior_variance(at):\n    """Doc."""\n    return at.one_minus_alpha_bar_prev / at.beta\n'


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda s: s.replace("Doc.", "Another docstring."), True),
        (lambda s: s.replace("    return", "    # a comment\n    return"), True),
        (lambda s: s.replace("_prev", ""), False),
        (lambda s: s.replace("/", "*"), False),
    ],
    ids=["docstring", "comment", "name", "operator"],
)
def test_hash_is_of_the_code(change: Callable[[str], str], same: bool) -> None:
    assert change(SOURCE) != SOURCE
    assert (_hash_of(change(SOURCE)) == _hash_of(SOURCE)) is same


def test_hash_covers_what_a_formula_calls() -> None:
    """q_sample calls q_mean, which calls linear_mean."""
    alone = formula_hash([forward.q_variance])
    assert formula_hash([forward.q_sample]) == formula_hash(
        [forward.q_sample, forward.q_mean, forward.linear_mean, forward.q_variance]
    )
    assert formula_hash([forward.q_sample]) != alone


def test_other_code_than_was_observed_is_outdated(proved: Evidence) -> None:
    record = proved
    stale = tuple(replace(o, hash="0" * 16) if "eq-7" in o.nodes else o for o in record.observations)
    statuses = Evidence(stale).statuses()
    assert statuses["eq-7"] == "outdated"
    assert statuses["eq-4"] == "proved"


def test_a_partial_run_updates_what_it_ran_and_a_full_run_replaces_all(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    first, second, third = Recorder(), Recorder(), Recorder()
    for recorder, claims in ((first, "ab"), (second, "bc"), (third, "c")):
        for claim in claims:
            with recorder.observe("property", claim, posterior.posterior_variance):
                posterior.posterior_variance(a_step())
    first.write(path, full_run_seconds=1.0)
    run = load(path).run
    assert {"date", "commit", "cores", "python", "torch"} <= run.keys()
    second.write(path)
    assert [o.claim for o in load(path).observations] == ["a", "b", "c"]
    assert load(path).run == run
    third.write(path, full_run_seconds=2.0)
    assert [o.claim for o in load(path).observations] == ["c"]
    assert not list(tmp_path.glob("*.tmp"))


# --------------------------------------------------------------------------------- several processes

PROOF = Observation("proof", "p", ("forward.q_variance",), "0" * 16, ("eq-4",))
examples = st.builds(
    lambda claim, outcome, seconds: Observation(
        "property", claim, (claim,), claim * 16, examples=1, outcome=outcome, seconds=seconds
    ),
    claim=st.sampled_from("abc"),
    outcome=st.sampled_from(["passed", "failed"]),
    seconds=st.floats(0, 1e6),
)
checks = st.builds(
    lambda outcome, seconds: replace(
        PROOF, outcome=outcome, examples=0 if outcome == "failed" else 7, seconds=seconds
    ),
    outcome=st.sampled_from(["passed", "numerical", "failed"]),
    seconds=st.floats(0, 1e6),
)
PROCESSES = st.lists(st.lists(examples | checks), max_size=4)


def seen(observations: Iterable[Observation]) -> Recorder:
    recorder = Recorder()
    for observation in observations:
        recorder._add(observation)
    return recorder


def merged(processes: Iterable[Iterable[Observation]]) -> Recorder:
    """As one process gets it from the others, which send text."""
    recorder = Recorder()
    recorder.merge([json.loads(json.dumps(seen(process).handed())) for process in processes])
    return recorder


@given(PROCESSES)
def test_several_processes_see_what_one_sees(processes: list[list[Observation]]) -> None:
    together = merged(processes).observations
    alone = seen(observation for process in processes for observation in process).observations
    assert together.keys() == alone.keys()
    for key, observation in together.items():
        assert replace(observation, seconds=0) == replace(alone[key], seconds=0)
        assert observation.seconds == pytest.approx(alone[key].seconds)


@given(PROCESSES, st.randoms())
def test_the_order_of_the_processes_does_not_change_the_file(processes: Any, random: Random) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "_circumstances", lambda _, seconds: {"seconds": seconds})
        clock = SimpleNamespace(now=lambda zone: datetime(2020, 6, 19, tzinfo=zone))
        patch.setattr(evidence, "datetime", SimpleNamespace(datetime=clock, UTC=UTC))
        files = [Path(folder) / name for name in "ab"]
        merged(processes).write(files[0], full_run_seconds=1.0)
        random.shuffle(processes)
        merged(processes).write(files[1], full_run_seconds=1.0)
        assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_seconds_add_up_the_same_in_every_order(order: tuple[int, ...]) -> None:
    example = Observation("property", "a", ("a",), "0" * 16, examples=1)
    processes = [[replace(example, seconds=(0.1, 0.2, 0.3)[place])] for place in order]
    assert merged(processes).observations["property", "a"].seconds == 0.6


@given(PROCESSES)
def test_a_process_that_saw_nothing_adds_nothing(processes: list[list[Observation]]) -> None:
    assert merged([*processes, []]).observations == merged(processes).observations


def test_a_claim_of_two_processes_adds_up_and_the_worst_outcome_stays() -> None:
    example = Observation("property", "a", ("a",), "0" * 16, examples=3, seconds=1.5)
    one, two, proof = replace(example, outcome="failed"), replace(example, seconds=0.25), PROOF
    both = merged([[one, proof], [two, replace(proof, outcome="numerical")]]).observations
    assert both["property", "a"] == replace(example, examples=6, seconds=1.75, outcome="failed")
    assert both["proof", "p"] == replace(proof, outcome="numerical")


def test_a_derivation_that_is_checked_again_is_not_checked_more() -> None:
    recorder = Recorder()
    derivation = posterior_proofs._posterior()
    first = len(recorder.prove(derivation).checks)
    recorder.prove(derivation)
    assert recorder.observations["proof", derivation.title].examples == first + 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"formulas": ("b",)}, r"“a” is about \('a',\), and elsewhere \('b',\)"),
        ({"hash": "1" * 16}, r"“a” has the hash 0{16}, and elsewhere 1{16}"),
        ({"nodes": ("eq-2",)}, r"“a” has the nodes"),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_processes_that_speak_about_different_things_are_refused(change: Any, words: str, order: int) -> None:
    example = Observation("property", "a", ("a",), "0" * 16)
    with pytest.raises(AssertionError, match=words):
        merged([[example], [replace(example, **change)]][::order])


def test_no_file_is_no_evidence(tmp_path: Path) -> None:
    record = load(tmp_path / "none.json")
    assert set(record.statuses().values()) == {"no evidence"}


# --------------------------------------------------------------------------------------- comparison

Record = dict[str, Any]
"""A record as the file has it."""
Compare = Callable[[Callable[[Record], None]], tuple[int, list[str]]]
LAW = ("property", "a law of our own")


@pytest.fixture
def recorded(tmp_path: Path, proved: Evidence, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The record of this run: the paper's derivations, those of one later result, and a law."""
    path = tmp_path / "here.json"
    recorder = Recorder()
    recorder.observations = {o.key: o for o in proved.observations}
    for derivation in multistep_proofs.DERIVATIONS:
        recorder.prove(derivation)
    with recorder.observe(*LAW, posterior.posterior_variance):
        posterior.posterior_variance(a_step())
    recorder.write(path, full_run_seconds=0)
    monkeypatch.setattr(evidence, "PATH", path)
    monkeypatch.setattr(evidence.load, "__defaults__", (path,))
    return path


@pytest.fixture
def compare(recorded: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Compare:
    """The exit status and the lines of a comparison with this record after a change to it."""
    monkeypatch.chdir(recorded.parent)

    def compared(change: Callable[[Record], None]) -> tuple[int, list[str]]:
        data = json.loads(recorded.read_text())
        change(data)
        Path("other.json").write_text(json.dumps(data))
        code = evidence.main(["other.json"])
        return code, capsys.readouterr().out.splitlines()

    return compared


def find(data: Record, kind: str, claim: str) -> Record:
    (found,) = (o for o in data["observations"] if (o["kind"], o["claim"]) == (kind, claim))
    return found


def without(data: Record, lost: Callable[[Record], bool]) -> None:
    data["observations"] = [o for o in data["observations"] if not lost(o)]


def test_two_records_that_say_the_same_agree(compare: Compare) -> None:
    """How often, how fast and when a claim was tried is not compared."""

    def change(data: Record) -> None:
        for o in data["observations"]:
            o |= {"examples": 7, "seconds": 1e3, "date": "1999"}
        data |= {"run": {}, "mutation": {"hash": "0"}}

    code, lines = compare(change)
    assert code == 0
    assert lines == [f"{len(NODES) + len(FOLLOWUPS)} statuses and {len(load().observations)} claims agree"]


@pytest.mark.parametrize(("node", "name"), [("eq-7", r"Eq. (7)"), ("beyond-multistep", "PNDM")])
def test_a_status_that_differs_is_named(compare: Compare, node: str, name: str) -> None:
    def unknown(data: Record) -> None:
        names = {formula_name(f) for f in (NODES | FOLLOWUPS)[node].formulas}
        without(data, lambda o: node in o["nodes"] or bool(names & {*o["formulas"]}))

    def outdated(data: Record) -> None:
        for o in data["observations"]:
            o["hash"] = "0" * 16 if node in o["nodes"] else o["hash"]

    code, lines = compare(unknown)
    assert code == 1
    assert f"{name}: no evidence in other.json, proved in this run" in lines
    code, lines = compare(outdated)
    assert code == 1
    assert f"{name}: outdated in other.json, proved in this run" in lines
    assert all(line.endswith(": outdated in other.json, proved in this run") for line in lines)


@pytest.mark.parametrize(
    ("said", "was", "line"),
    [
        ("formulas", ["forward.alpha"], "formulas forward.alpha in {}, posterior.posterior_variance in {}"),
        ("nodes", ["alg-2"], "nodes alg-2 in {}, none in {}"),
        ("outcome", "numerical", "outcome numerical in {}, passed in {}"),
    ],
)
def test_what_is_said_differently_of_a_claim_is_named(
    compare: Compare, said: str, was: object, line: str
) -> None:
    code, lines = compare(lambda data: find(data, *LAW).update({said: was}))
    assert code == 1
    assert f"{LAW[0]}, {LAW[1]}: " + line.format("other.json", "this run") in lines


def test_a_claim_that_one_of_them_lacks_is_named(compare: Compare) -> None:
    """Though no status changes by it, and though it is only the kind that changed."""
    law = ", ".join(LAW)
    assert compare(lambda data: without(data, lambda o: (o["kind"], o["claim"]) == LAW)) == (
        1,
        [f"new in this run: {law}"],
    )
    assert compare(lambda data: find(data, *LAW).update(kind="oracle")) == (
        1,
        [f"missing in this run: oracle, {LAW[1]}", f"new in this run: {law}"],
    )


def add(data: Record) -> None:
    """Another claim, which only the other record has."""
    data["observations"].append(find(data, *LAW) | {"claim": "it is a library's"})


@pytest.mark.parametrize(("package", "excused"), [("no_such_package", True), ("json", False), (None, False)])
def test_only_what_waits_for_a_package_may_be_missing(
    recorded: Path, compare: Compare, package: str | None, excused: bool
) -> None:
    """Its test has to have come to the skip in this run, and the package has to be missing still."""
    data = json.loads(recorded.read_text())
    data["waiting"] = [(LAW[0], "it is a library's", package)] if package else []
    recorded.write_text(json.dumps(data))
    code, (line, *_) = compare(add)
    assert code == (0 if excused else 1)
    assert line == (
        "not tried here, needs no_such_package: property, it is a library's"
        if excused
        else "missing in this run: property, it is a library's"
    )


def test_what_the_other_record_waits_for_excuses_nothing(compare: Compare) -> None:
    def change(data: Record) -> None:
        add(data)
        data["waiting"] = [(LAW[0], "it is a library's", "no_such_package")]

    assert compare(change) == (1, ["missing in this run: property, it is a library's"])


def test_a_claim_waits_until_it_is_tried(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    here, there, neither = Recorder(), Recorder(), Recorder()
    here.needs("no_such_package", *LAW)  # type: ignore[arg-type]
    here.needs("json", "oracle", "a claim that can be tried")
    here.write(path, full_run_seconds=1.0)
    assert load(path).waiting == {LAW: "no_such_package"}
    neither.write(path)
    assert load(path).waiting == {LAW: "no_such_package"}, "a partial run that did not come to it"
    with there.observe(*LAW, posterior.posterior_variance):
        posterior.posterior_variance(a_step())
    there.write(path)
    assert not load(path).waiting
    here.write(path, full_run_seconds=1.0)
    neither.write(path, full_run_seconds=1.0)
    assert not load(path).waiting, "a full run replaces all"


def test_a_comparison_needs_two_records(
    recorded: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert evidence.main([]) == 2
    capsys.readouterr()
    (tmp_path / "text.json").write_text("no JSON")
    (tmp_path / "list.json").write_text("[]")
    for name in ("none.json", "text.json", "list.json", "."):
        assert evidence.main([str(tmp_path / name)]) == 2
        assert capsys.readouterr().err.endswith(
            " holds no record; name a file like docs/check/evidence.json\n"
        )
    monkeypatch.setattr(evidence, "PATH", tmp_path / "installed.json")
    assert evidence.main([str(recorded)]) == 2
    assert "installed.json; run this from a checkout of the repository" in capsys.readouterr().err
