"""Every node of the paper has one place on the site, where all that is known of it is shown."""

import re
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from ddpm_spec.paper import NODES, Node
from ddpm_spec.proofs import DERIVATIONS
from ddpm_spec.site.printing import nodes

DOCS = Path(__file__).parents[2] / "docs"
TEXTS = {path.relative_to(DOCS).with_suffix("").as_posix(): path.read_text() for path in DOCS.rglob("*.md")}
ANCHOR = re.compile(r"^#+ .*\{ #(\S+) \}$", re.MULTILINE)
EMBED = re.compile(r"^!\[\[([\w-]+)#(\w+)\]\]$", re.MULTILINE)


def expected(node: Node) -> list[str]:
    """The parts that the section of a node has, in order.

    A step of App. A is a line of a longer derivation: the section of the last one has its code and its
    evidence, and the first line is where the derivation starts from.
    """
    derivations = [d for d in DERIVATIONS if node.id in d.nodes]
    starts = any(d.lines[0].node == node.id for d in derivations)
    whole = node.where != "App. A" or node.id == "eq-22"
    return [
        "statement",
        *(["derivation"] if derivations and not starts else []),
        *(["code", "evidence", "used"] if whole else []),
    ]


def test_every_node_has_one_anchor_on_its_page() -> None:
    found = [(anchor, page) for page, text in TEXTS.items() for anchor in ANCHOR.findall(text)]
    assert sorted(pair for pair in found if pair[0] in NODES) == sorted(
        (node.id, node.page) for node in NODES.values()
    )


@pytest.mark.parametrize("node", NODES.values(), ids=lambda node: node.id)
def test_a_node_is_told_in_the_same_order(node: Node) -> None:
    text = TEXTS[node.page]
    section = text[text.index(f"{{ #{node.id} }}") :].partition("\n## ")[0]
    assert [(name, part) for name, part in EMBED.findall(section)] == [
        (node.id, part) for part in expected(node)
    ]
    _, _, words = section.partition("#statement]]")
    assert len(words.strip().partition("\n\n")[0]) > 20, "a statement is put into words"


@pytest.mark.parametrize("page", sorted({node.page for node in NODES.values()}))
def test_literature_and_mistakes_stand_between_the_evidence_and_the_use(page: str) -> None:
    text = TEXTS[page]
    told = [node.id for node in NODES.values() if node.page == page and f"![[{node.id}#used]]" in text]
    kinds = set()
    for name in told:
        between = text.partition(f"![[{name}#evidence]]")[2].partition(f"![[{name}#used]]")[0]
        found = re.findall(r"^### (.+) \{ #(.+) \}$", between, re.MULTILINE)
        both = [("In the literature", f"{name}-literature"), ("Common mistakes", f"{name}-mistakes")]
        assert found == [one for one in both if one in found], name
        kinds |= {title for title, _ in found}
    assert kinds == {"In the literature", "Common mistakes"}


def test_a_page_is_short_enough() -> None:
    for page, text in TEXTS.items():
        equations = [anchor for anchor in ANCHOR.findall(text) if re.fullmatch(r"eq-\d+", anchor)]
        assert len(equations) <= 8, page


@pytest.mark.parametrize("derivation", [d for d in DERIVATIONS if d.nodes], ids=lambda d: d.title)
def test_every_line_of_a_derivation_is_on_some_page(derivation) -> None:
    shown = "".join(
        nodes.part(node, "derivation", DOCS.parent)
        for node in derivation.nodes
        if "derivation" in expected(NODES[node])
    )
    for line in derivation.lines:
        assert line.reason in shown


def test_every_derivation_is_on_some_page() -> None:
    titles = re.findall(r"^!\[\[proof#(.+)\]\]$", "\n".join(TEXTS.values()), re.MULTILINE)
    shown = [d for d in DERIVATIONS if d.nodes or d.title in titles]
    for one in shown:
        shown += [lemma for lemma in one.lemmas if lemma not in shown]
    assert [d.title for d in DERIVATIONS if d not in shown] == []
