"""The parts of a derivation page that are printed from the spec: statement, derivation, code, evidence, use.

A page asks for them by `![[eq-7#statement]]` and so on, where `eq-7` is an id of the paper's index, and for a
derivation that belongs to no node by `![[proof#its title]]`.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from ddpm_spec.literature import Followup
from ddpm_spec.paper import Node
from ddpm_spec.proofs.engine import Derivation
from ddpm_spec.site import SiteError
from ddpm_spec.site.mathematics import beyond
from ddpm_spec.site.mathematics.derivation import steps
from ddpm_spec.site.mathematics.equations import equation
from ddpm_spec.site.mathematics.listing import code
from ddpm_spec.site.mathematics.prose import prose
from ddpm_spec.site.mathematics.proved import prove
from ddpm_spec.site.mathematics.statements import ALGORITHMS, EQUATIONS
from ddpm_spec.site.printing import uses
from ddpm_spec.site.printing.index import NODES, derivations, derivations_of, link
from ddpm_spec.site.printing.status import badge, kinds, record, statuses, when

__all__ = ["part", "proof"]

OUTCOMES = {"passed": "✓", "numerical": "≈", "failed": "✗"}

FEW = 8
"""So many checks are shown at once; more are folded under their count."""


def part(node_id: str, name: str, root: Path) -> str:
    """The Markdown of one part of a node.

    Raises:
        SiteError: if there is no such part, or a step of the derivation is false.
    """
    node = NODES[node_id]
    parts: dict[str, Callable[[], str]] = {
        "statement": lambda: _statement(node),
        "derivation": lambda: _derivation(node),
        "code": lambda: f"### Code {{ #{node_id}-code }}\n\n{code(node.formulas, root)}",
        # On the page of a gap the literature stands before the results, so nothing comes between these two.
        "evidence": lambda: _evidence(node) + (_used(node, "") if isinstance(node, Followup) else ""),
        "used": lambda: _used(node, "Nothing else."),
    }
    if name not in parts:
        raise SiteError(f"![[{node_id}#{name}]]: a node has the parts {', '.join(parts)}")
    return parts[name]()


def proof(title: str) -> str:
    """The Markdown of a derivation by its title, with what it assumes.

    Raises:
        SiteError: if there is none of that title, or a step of it is false.
    """
    found = next((d for d in derivations() if d.title == title), None)
    if found is None:
        raise SiteError(f"![[proof#{title}]]: ddpm_spec.proofs has no derivation of that title")
    return _assumed(found.assumptions) + steps(prove(found))


def _statement(node: Node) -> str:
    where = f"Paper, {node.where}, {node.name}"
    if isinstance(node, Followup):
        works = "; ".join(f"@{work}" for work in node.works)
        where = f"{f'[{works}]: ' if works else ''}{prose(node.where)}"
    elif node.kind == "lemma":
        where = f"{node.name}, {node.where}"
    lines = "\n".join(f"{n}. {line}" for n, line in enumerate(ALGORITHMS.get(node.id, ()), start=1))
    whole = [d for d in derivations_of(node) if not _is_passed(node, d)]
    assumptions = dict.fromkeys(a for d in whole for a in d.assumptions)
    parts = [
        '<div class="statement" markdown>',
        f'<p class="where" markdown="span"><span>{where}</span> {badge(statuses()[node.id])}</p>',
        *map(equation, (EQUATIONS | beyond.EQUATIONS).get(node.id, ())),
        lines,
        _assumed(assumptions),
        "</div>",
    ]
    return "\n\n".join(part for part in parts if part)


def _assumed(assumptions: Iterable[str]) -> str:
    items = "".join(f"- {assumption}\n" for assumption in assumptions)
    return f'<div class="assumptions" markdown>\n\nAssumed:\n\n{items}\n</div>\n\n' if items else ""


def _derivation(node: Node) -> str:
    found = derivations_of(node)
    if not found:
        raise SiteError(f"![[{node.id}#derivation]]: ddpm_spec.proofs derives nothing for {node.id}")
    parts = [f"### Derivation {{ #{node.id}-derivation }}\n"]
    for one in found:
        title = f"\n**{one.title}**\n\n" if len(found) > 1 else ""
        parts.append(title + (_told(one, node) or f"Told step by step under {_place(one)}.\n"))
    return "\n".join(parts)


def _told(one: Derivation, node: Node) -> str:
    """A derivation where it is told: in the sections of its lines, or else at the first of its nodes."""
    labels = [line.node for line in one.lines]
    sections = [NODES[label] for label in labels if label in one.nodes]
    if node in sections and len(one.nodes) > 1:
        until = labels.index(node.id)
        start = max((n for n, label in enumerate(labels[:until]) if label in one.nodes), default=0)
        return steps(prove(one), slice(start, until + 1))
    return steps(prove(one)) if node in _places(one) else ""


def _places(one: Derivation) -> list[Node]:
    """The nodes in whose sections a derivation is told."""
    sections = [NODES[line.node] for line in one.lines if line.node in one.nodes]
    return sections if len(one.nodes) > 1 and sections else [NODES[one.nodes[0]]]


def _place(one: Derivation) -> str:
    first, last = _places(one)[0], _places(one)[-1]
    return f"{link(first)} to {link(last)}" if first != last else f"[{first.name}][{first.id}-derivation]"


def _is_passed(node: Node, one: Derivation) -> bool:
    """Whether a derivation goes on after the line that this node is."""
    labels = [line.node for line in one.lines if line.node in one.nodes]
    return node.id in labels[:-1]


def _evidence(node: Node) -> str:
    found = sorted(record().of(node), key=lambda o: o.key)
    rows = "\n".join(
        f'| {OUTCOMES[o.outcome]} {prose(o.claim)} | <span class="kind">{o.kind}</span> | {o.examples:,} |'
        for o in found
    )
    table = f"| what was checked | how | examples |\n|---|---|--:|\n{rows}\n"
    if len(found) > FEW:
        summary = f"<summary>{len(found)} checks: {kinds(found)}</summary>"
        table = f'<details class="laws" data-search-exclude markdown>\n{summary}\n\n{table}\n</details>\n'
    head = f"### Evidence {{ #{node.id}-evidence }}\n\n{badge(statuses()[node.id])} {when()}\n\n"
    return head + (table if rows else "Nothing is recorded for it.\n")


def _used(node: Node, nothing: str) -> str:
    """What rests on a node: other statements, as in the graph, and what of the model calls its formulas.

    `nothing`: what to say where nothing does; if that is nothing, the section is left out.
    """
    items = [f"- {link(other)}: {prose(other.title)}" for other in uses.built_on(node)]
    items += [_caller(caller) for caller in uses.callers(node)]
    listed = "\n".join(items) or nothing
    if not listed:
        return ""
    if len(items) > FEW:
        listed = (
            '<details class="laws" data-search-exclude markdown>\n'
            f"<summary>{len(items)} places</summary>\n\n{listed}\n\n</details>"
        )
    return f"\n### Used by {{ #{node.id}-used }}\n\n{listed}\n"


def _caller(name: str) -> str:
    short = f"`{name.removeprefix('ddpm_spec.')}`"
    return f"- {short}" if "._" in name else f"- [{short}][{name}]"  # what is private has no entry in the API
