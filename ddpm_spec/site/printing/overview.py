"""All nodes at once, by status: in numbers, as tables and as a picture."""

from collections.abc import Callable, Iterable

from ddpm_spec import evidence, paper
from ddpm_spec.literature import GAPS, followups_of
from ddpm_spec.paper import Node
from ddpm_spec.site.mathematics.prose import prose
from ddpm_spec.site.printing import graph
from ddpm_spec.site.printing.index import PAGES, link
from ddpm_spec.site.printing.status import MARKS, badge, kinds, record, statuses, when

__all__ = ["claims", "counts", "gap_table", "picture", "status_table"]


def counts() -> str:
    """How many nodes have which status, and what the last full run was."""
    found = [statuses()[name] for name in paper.NODES]
    items = "".join(
        f'<li><span class="count">{found.count(status)}</span> {badge(status)}</li>'
        for status in MARKS
        if status in found
    )
    return f'<ul class="counts">{items}</ul>\n\n{when()}\n'


def claims() -> str:
    """The claims of the paper as in the table of all nodes."""
    return _table(node for node in paper.NODES.values() if node.kind == "claim")


def status_table() -> str:
    """Every node with its status, and what the status rests on."""
    source = f"All of it is in the [record]({evidence.PATH.name}).\n" if evidence.PATH.exists() else ""
    return source + _table(paper.NODES.values())


def _table(shown: Iterable[Node]) -> str:
    rows = "\n".join(
        f"| {link(node)}, {node.where} <br> {prose(node.title)} "
        f"| {badge(statuses()[node.id])} <br> {kinds(record().of(node))}{_below(node)} |"
        for node in shown
    )
    return (
        '\n<div class="status-table" markdown>\n\n'
        f"| what the paper says | status, and what was run |\n|---|---|\n{rows}\n\n</div>\n"
    )


def _below(node: Node) -> str:
    others = [paper.NODES[other] for other in graph.rests_on()[node.id]]
    named = [
        f"[{graph.label(other)}][{other.id}]" if other.kind == "lemma" else link(other) for other in others
    ]
    return f" <br> Rests on {', '.join(named)}" if others else ""


def picture(address: Callable[[str], str]) -> str:
    """The graph of all nodes; `address` gives a page, by its source, as seen from the one that shows it."""
    marked = {name: (statuses()[name], MARKS[statuses()[name]]) for name in paper.NODES}
    return graph.picture(marked, {name: f"{address(page)}#{name}" for name, page in PAGES.items()})


def gap_table() -> str:
    """The thirteen gaps with what closes them here, and its status."""
    rows = []
    for gap, name in GAPS.items():
        results = [
            f'<span class="result">{link(node)} {badge(statuses()[node.id])} <br> {prose(node.title)}</span>'
            for node in followups_of(gap)
        ]
        rows.append(f"| [{name}][gap-{gap}] | {''.join(results) or 'read, not run'} |")
    return "| gap | what is verified here |\n|---|---|\n" + "\n".join(rows) + "\n"
