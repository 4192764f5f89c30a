"""What a build keeps for the next: found while nothing has changed, and only then."""

from dataclasses import replace
from pathlib import Path

import pytest
import sympy as sp

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from ddpm_spec.ops.typeset import Term
from ddpm_spec.proofs import DERIVATIONS
from ddpm_spec.proofs.calculus import AtLeast, Calculus
from ddpm_spec.proofs.engine import By, Derivation, Equal, Line, Proof, Rule, Value
from ddpm_spec.proofs.followups import DERIVATIONS as BEYOND
from ddpm_spec.proofs.zero import UnitInterval
from ddpm_spec.site import SiteError
from ddpm_spec.site.cache import kept
from ddpm_spec.site.mathematics import proved


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kept, "PACKAGE", tmp_path / "package")
    monkeypatch.delenv("CI", raising=False)
    (tmp_path / "package").mkdir()
    source = tmp_path / "source.py"
    source.write_text("a")
    return source


def keep(source: Path, value: int) -> int:
    """What a build finds that would compute this value."""
    store = kept.Kept("demo", [source, "library 1"])
    found = store.get("name", lambda: value)
    store.write()
    return found


def test_a_result_is_found_until_a_source_changes(source: Path) -> None:
    assert [keep(source, 1), keep(source, 2)] == [1, 1]
    source.write_text("b")
    assert keep(source, 3) == 3
    assert len(list((source.parent / ".cache").iterdir())) == 1


def test_in_ci_nothing_is_kept(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(source, 1)
    monkeypatch.setenv("CI", "true")
    assert [keep(source, 2), keep(source, 3)] == [2, 3]


def content(derivation: Derivation) -> tuple[str, set[str]]:
    modules: set[str] = set()
    return proved.written(derivation, modules), modules


X, Y = sp.Symbol("x", real=True), sp.Symbol("x", positive=True)
F, G = (sp.Function("f", **{known: True}) for known in ("real", "positive"))
PLAIN = Derivation("A title", ("eq-1",), (Line(Value(Term("x", X)), "Given."),), Value(Term("x", X)))


def line(term: Term, rule: Rule | None = None) -> Derivation:
    return replace(PLAIN, lines=(Line(Value(term), "Given.", rule or Equal()),))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PLAIN, line(Term("x", 2 * X))),
        (PLAIN, line(Term("x", Y))),
        (PLAIN, line(Term("y", X))),
        (PLAIN, replace(PLAIN, end=Value(Term("x", X + 1)))),
        (PLAIN, replace(PLAIN, lines=PLAIN.lines * 2)),
        (line(Term("f", F(X))), line(Term("f", G(X)))),
        (line(Term("x", X), Equal()), line(Term("x", X), Calculus())),
        (line(Term("x", X), By(PLAIN)), line(Term("x", X), By(line(Term("x", Y))))),
    ],
)
def test_a_proof_is_known_by_all_that_decides_it(one: Derivation, other: Derivation) -> None:
    assert content(one)[0] != content(other)[0]


def test_what_is_said_to_the_reader_decides_nothing() -> None:
    said = replace(PLAIN, lines=(replace(PLAIN.lines[0], reason="As is given."),), assumptions=("None.",))
    assert content(said) == content(PLAIN)


def test_the_code_of_rules_and_symbols_decides() -> None:
    rule = line(Term("x", 2 * UnitInterval("x")), AtLeast(Term("x", X)))
    modules = content(rule)[1]
    assert {"ddpm_spec.proofs.engine", "ddpm_spec.proofs.calculus", "ddpm_spec.proofs.zero"} <= modules
    noted = " ".join(proved._code(frozenset(modules)))
    assert all(f"ddpm_spec.{name} " in noted for name in ("ops.symbolic", "proofs.sums", "formulas.gaussian"))
    assert "ddpm_spec.formulas.posterior " not in noted


def test_it_is_known_of_every_derivation_what_decides_it() -> None:
    everything = [content(derivation)[0] for derivation in (*DERIVATIONS, *BEYOND)]
    assert len(set(everything)) == len(everything) > 100


def test_a_proof_is_kept_under_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "PACKAGE", tmp_path / "package")
    monkeypatch.delenv("CI", raising=False)
    checked: list[Derivation] = []
    check = Derivation.check

    def noting(derivation: Derivation) -> Proof:
        checked.append(derivation)
        return check(derivation)

    monkeypatch.setattr(Derivation, "check", noting)

    def prove(derivation: Derivation) -> bool:
        for function in (proved.prove, proved.proofs):
            function.cache_clear()
        proof = proved.prove(derivation)
        proved.proofs().write()
        return proof.proved

    try:
        assert prove(PLAIN)
        assert prove(replace(PLAIN, assumptions=("None.",)))
        same_title = replace(PLAIN, lines=PLAIN.lines * 2)
        assert all(prove(derivation) for derivation in (same_title, PLAIN, same_title))
        assert checked == [PLAIN, same_title]
        with pytest.raises(SiteError, match="a false step"):
            prove(replace(PLAIN, end=Value(Term("x", X + 1))))
    finally:
        proved.proofs.cache_clear()
        proved.prove.cache_clear()
