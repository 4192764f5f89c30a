"""What each equation, algorithm and claim rests on, as a picture and as lists.

Nothing here is kept by hand: a node rests on what its derivations apply, run, or name in their reasons.
"""

import re
from collections.abc import Mapping
from functools import cache
from html import escape

import networkx as nx

from ddpm_spec.paper import NODES, Formula, Node
from ddpm_spec.proofs import DERIVATIONS
from ddpm_spec.proofs.engine import By, Derivation
from ddpm_spec.site.markdown.extension import EQUATION_NUMBERS

__all__ = ["label", "picture", "rests_on"]

CHARACTER, HEIGHT, MOST, ROW = 6.6, 26, 44, 52
"""Width of a character, height of a box, most space between boxes, distance of rows, in pixels."""
WIDTH = 960

_PROPER = {"bayes": "Bayes", "gaussian": "Gaussian", "jensen": "Jensen", "kl": "KL", "vincent": "Vincent"}


@cache
def rests_on() -> dict[str, tuple[str, ...]]:
    """For each node, the nodes that its derivations and its formulas take in."""
    return {node.id: tuple(other for other in NODES if other in _taken(node)) for node in NODES.values()}


def _taken(node: Node) -> set[str]:
    if node.assumption:
        return set()
    later = {
        other
        for one in DERIVATIONS
        if node.id in one.nodes
        for other in one.nodes[one.nodes.index(node.id) :]
    }
    taken = {home for home in map(_home, node.formulas) if home} - later
    taken |= {a.id for a in NODES.values() if a.assumption and set(a.formulas) & _own(node)}
    for one in DERIVATIONS:
        if node.id in one.nodes:
            taken |= _taken_by(one, node.id)
    return taken - {node.id}


def _taken_by(one: Derivation, node: str) -> set[str]:
    """What a derivation takes in on its way to this node, from the node that it passed before."""
    stops = [n for n, line in enumerate(one.lines) if line.node in one.nodes]
    labels = [one.lines[n].node for n in stops]
    place = labels.index(node) if node in labels else len(labels)
    first = stops[place - 1] + 1 if place else 0
    last = stops[place] if place < len(stops) else len(one.lines) - 1
    applied = [line.rule.lemma for line in one.lines[first : last + 1] if isinstance(line.rule, By)]
    taken = {lemma.nodes[-1] for lemma in applied if lemma.nodes and node not in lemma.nodes}
    taken |= set(labels[place - 1 : place]) if place else set()
    for line in one.lines[first : last + 1]:
        named = re.finditer(EQUATION_NUMBERS, line.reason)
        taken |= {f"eq-{n}" for match in named for n in re.findall(r"\d+", match[0])} - set(one.nodes)
    if node == one.nodes[-1] or not labels:
        taken |= {home for home in map(_home, one.formulas) if home and home not in one.nodes}
    return taken


@cache
def _home(formula: Formula) -> str | None:
    """The first node that a formula states; what others take in when they run it."""
    return next((node.id for node in NODES.values() if formula in node.formulas), None)


def _own(node: Node) -> set[Formula]:
    return {formula for formula in node.formulas if _home(formula) == node.id}


def picture(statuses: Mapping[str, tuple[str, str]], address: Mapping[str, str]) -> str:
    """The nodes as boxes, each above what rests on it, as an SVG that needs nothing else.

    Args:
        statuses: of each node, and the mark that stands for it.
        address: of each node's section, as seen from the page.
    """
    graph = nx.DiGraph((below, node) for node, others in rests_on().items() for below in sorted(others))
    graph.add_nodes_from(NODES)
    centres = _places(graph)
    height = max(y for _, y in centres.values()) + HEIGHT
    lines = [_line(above, below, centres) for above, below in sorted(nx.transitive_reduction(graph).edges)]
    boxes = [_box(NODES[name], *statuses[name], address.get(name, ""), *centres[name]) for name in NODES]
    return (
        # In a block of its own, in which Markdown finds no equations to link.
        f'<div><svg class="graph" viewBox="0 0 {WIDTH} {height}" role="group" '
        f'aria-label="What rests on what: each box stands below those that it takes in">'
        f"{''.join(lines)}{''.join(boxes)}</svg></div>"
    )


def _places(graph: nx.DiGraph) -> dict[str, tuple[float, float]]:
    """The centre of each box: rows by the longest way down, in a row below what it rests on."""
    centres: dict[str, tuple[float, float]] = {}
    order = list(NODES)
    for row, generation in enumerate(nx.topological_generations(graph)):
        wished = {name: _wished(name, graph, centres) for name in sorted(generation, key=order.index)}
        for name, x in zip(sorted(wished, key=wished.__getitem__), _spread(wished), strict=True):
            centres[name] = (x, row * ROW + HEIGHT / 2 + 2)
    return centres


def _wished(name: str, graph: nx.DiGraph, centres: dict[str, tuple[float, float]]) -> float:
    above = [centres[other][0] for other in graph.predecessors(name)]
    return sum(above) / len(above) if above else WIDTH / 2


def _spread(wished: dict[str, float]) -> list[float]:
    """Centres from left to right at which the boxes of a row lie side by side, near to those wished for."""
    row = sorted(wished, key=wished.__getitem__)
    widths = [_width(name) for name in row]
    gap = min(MOST, (WIDTH - sum(widths)) / len(row))
    centres: list[float] = []
    for name, width in zip(row, widths, strict=True):
        least = centres[-1] + (widths[len(centres) - 1] + width) / 2 + gap if centres else 0.0
        centres.append(max(wished[name], least))
    shift = (sum(wished.values()) - sum(centres)) / len(row)
    shift = max(shift, widths[0] / 2 - centres[0])
    shift = min(shift, WIDTH - widths[-1] / 2 - centres[-1])
    return [round(x + shift, 1) for x in centres]


def label(node: Node) -> str:
    """The name of a node in its box."""
    if node.kind == "lemma":
        words = node.id.split("-")[1:]
        return " ".join(_PROPER.get(word, word) for word in words)
    return node.name.replace("(", "").replace(")", "").replace("Algorithm", "Alg.").replace("Claim ", "")


def _width(name: str) -> float:
    return CHARACTER * (len(label(NODES[name])) + 2) + 12


def _line(above: str, below: str, centres: dict[str, tuple[float, float]]) -> str:
    (x, y), (u, v) = centres[above], centres[below]
    y, v = y + HEIGHT / 2, v - HEIGHT / 2
    bend = (v - y) / 2
    return f'<path data-from="{above}" data-to="{below}" d="M{x} {y}C{x} {y + bend} {u} {v - bend} {u} {v}"/>'


def _box(node: Node, status: str, mark: str, address: str, x: float, y: float) -> str:
    width = _width(node.id)
    # The theme's script would set a plain href, which a link inside an SVG does not let it.
    return (
        f'<a xlink:href="{escape(address)}" data-node="{node.id}" class="{status.replace(" ", "-")}">'
        f"<title>{escape(f'{node.name}, {node.where}: {status}')}</title>"
        f'<rect x="{x - width / 2:.1f}" y="{y - HEIGHT / 2}" width="{width:.1f}" height="{HEIGHT}" rx="4"/>'
        f'<text x="{x}" y="{y + 4}"><tspan aria-hidden="true">{mark} </tspan>{escape(label(node))}</text></a>'
    )
