"""The index is complete and every entry leads somewhere."""

from pathlib import Path

from ddpm_spec.paper import NODES
from ddpm_spec.proofs import DERIVATIONS

DOCS = Path(__file__).parents[1] / "docs"


def test_every_numbered_thing_of_the_paper_is_there() -> None:
    expected = [f"eq-{i}" for i in range(1, 27)] + [f"alg-{i}" for i in range(1, 5)]
    expected += [f"c-{i}" for i in range(1, 11)]
    assert [key for key in NODES if not key.startswith("lemma")] == expected
    assert all(key == node.id for key, node in NODES.items())


def test_only_what_may_be_a_definition_is_one() -> None:
    assert {key for key, node in NODES.items() if node.definition} == {
        "eq-1",
        "eq-2",
        "eq-14",
        "alg-1",
        "alg-2",
    }


def test_only_what_may_be_an_assumption_is_one() -> None:
    assert {key for key, node in NODES.items() if node.assumption} == {"lemma-jensen"}


def test_every_page_exists() -> None:
    for node in NODES.values():
        assert not node.page or (DOCS / f"{node.page}.md").exists(), node.id


def test_a_derivation_has_a_title_of_its_own() -> None:
    titles = [derivation.title for derivation in DERIVATIONS]
    assert len(set(titles)) == len(titles)
