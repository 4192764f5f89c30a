"""The equations of App. A are lines of a derivation: each is checked where it stands."""

from dataclasses import replace

import pytest
import sympy as sp

from ddpm_spec.evidence import Evidence, Recorder
from ddpm_spec.ops.typeset import Term
from ddpm_spec.paper import NODES
from ddpm_spec.proofs import DERIVATIONS, Derivation, FalseStep
from ddpm_spec.proofs.engine import Expectation, Value

LABELLED = {
    (derivation.title, line.node): (derivation, number)
    for derivation in DERIVATIONS
    for number, line in enumerate(derivation.lines, start=1)
    if line.node
}


def with_line(derivation: Derivation, number: int, value: sp.Expr) -> Derivation:
    """The derivation with another expression in one line."""
    lines = list(derivation.lines)
    form = lines[number - 1].form
    assert isinstance(form, Expectation | Value)
    (part,) = (name for name, term in vars(form).items() if name in ("integrand", "term"))
    wrong = Term("wrong", value)
    lines[number - 1] = replace(lines[number - 1], form=replace(form, **{part: wrong}))
    return replace(derivation, lines=tuple(lines))


def wrong_versions(derivation: Derivation, number: int) -> dict[str, sp.Expr]:
    """One more, twice as much, and each summand left out, doubled or with the other sign."""
    form = derivation.lines[number - 1].form
    value = form.integrand.value if isinstance(form, Expectation) else form.term.value
    wrong = {"one more": value + 1, "twice": 2 * value}
    for summand in sp.Add.make_args(value):
        wrong |= {
            f"without {summand}": value - summand,
            f"twice {summand}": value + summand,
            f"minus {summand}": value - 2 * summand,
        }
    return wrong


def test_every_equation_of_the_appendix_is_a_line() -> None:
    """A derivation that claims one of Eqs. 17 to 26 has it as a line, once, in the paper's order."""
    for derivation in DERIVATIONS:
        claimed = [node for node in derivation.nodes if NODES[node].where == "App. A"]
        lines = [line.node for line in derivation.lines if line.node in claimed]
        assert lines == claimed, derivation.title
    appendix = {key for key, node in NODES.items() if node.where == "App. A"}
    assert appendix <= {node for _, node in LABELLED}


@pytest.mark.parametrize(("title", "node"), LABELLED, ids=lambda text: text)
def test_a_wrong_version_of_the_line_fails_there(title: str, node: str) -> None:
    """The step into the line fails or, where the derivation starts, the one out of it."""
    derivation, number = LABELLED[title, node]
    for what, value in wrong_versions(derivation, number).items():
        with pytest.raises(FalseStep, match=rf": line {max(number, 2)} \("):
            pytest.fail(f"{node}, {what}: {with_line(derivation, number, value).check()}")


@pytest.mark.parametrize(("title", "node"), LABELLED, ids=lambda text: text)
def test_a_wrong_line_takes_the_proof_from_all_that_the_derivation_claims(title: str, node: str) -> None:
    derivation, number = LABELLED[title, node]
    form = derivation.lines[number - 1].form
    value = form.integrand.value if isinstance(form, Expectation) else form.term.value
    recorder = Recorder()
    with pytest.raises(FalseStep):
        recorder.prove(with_line(derivation, number, value + 1))
    record = Evidence(tuple(recorder.observations.values()))
    assert {record.status(NODES[claimed]) for claimed in derivation.nodes} == {"failed"}


@pytest.mark.parametrize("node", NODES)
def test_no_assumption_is_listed_twice(node: str) -> None:
    """Neither twice in the same words nor as the beginning of another one."""
    assumed = {
        text for derivation in DERIVATIONS if node in derivation.nodes for text in derivation.assumptions
    }
    for one in assumed:
        assert not [other for other in assumed - {one} if other.startswith(one.rstrip("."))]
