"""What rests on what is a graph without circles, and all of it is drawn."""

import re

import networkx as nx
import pytest

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from ddpm_spec import paper
from ddpm_spec.site.printing import graph, overview


def arrows() -> nx.DiGraph:
    return nx.DiGraph((below, node) for node, others in graph.rests_on().items() for below in others)


def test_nothing_rests_on_itself() -> None:
    assert nx.is_directed_acyclic_graph(arrows())


@pytest.mark.parametrize(
    ("node", "below"),
    [
        ("eq-4", {"eq-2", "lemma-gaussian-sum"}),  # what the induction applies
        ("eq-20", {"eq-19", "lemma-bayes"}),  # the line before it, and the rule of its own line
        ("eq-22", {"eq-21", "lemma-gaussian-kl"}),
        ("eq-3", {"eq-1", "eq-2", "lemma-jensen"}),  # what its reasons name, and what is assumed
        ("alg-1", {"eq-4", "eq-14"}),  # the formulas that it runs
    ],
)
def test_a_node_rests_on_what_its_derivation_takes_in(node: str, below: set[str]) -> None:
    assert below <= set(graph.rests_on()[node])


def test_a_line_takes_in_no_lemma_of_a_later_line() -> None:
    assert "lemma-bayes" not in graph.rests_on()["eq-18"]
    assert "lemma-gaussian-kl" not in graph.rests_on()["eq-21"]


def test_every_node_is_one_box_and_every_arrow_points_down() -> None:
    svg = overview.picture(lambda page: page)
    assert sorted(re.findall(r'data-node="([^"]+)"', svg)) == sorted(paper.NODES)
    tops = {name: float(y) for name, y in re.findall(r'data-node="([^"]+)".*?<rect x="\S+" y="(\S+)"', svg)}
    drawn = re.findall(r'data-from="([^"]+)" data-to="([^"]+)"', svg)
    assert all(tops[above] < tops[below] for above, below in drawn)
    # What is left out follows from what is drawn.
    assert nx.transitive_closure(nx.DiGraph(drawn)).edges == nx.transitive_closure(arrows()).edges


def test_no_two_boxes_overlap() -> None:
    svg = overview.picture(lambda page: page)
    boxes = [tuple(map(float, box)) for box in re.findall(r'<rect x="(\S+)" y="(\S+)" width="(\S+)"', svg)]
    for n, (x, y, width) in enumerate(boxes):
        assert x >= 0
        assert x + width <= graph.WIDTH
        for u, v, _ in boxes[n + 1 :]:
            assert y != v or not x - 1e-6 <= u < x + width


def test_the_lines_stand_in_the_same_order_in_every_build() -> None:
    lines = re.findall(r'data-from="(.+?)" data-to="(.+?)"', overview.picture(lambda page: page))
    assert lines
    assert lines == sorted(lines)
