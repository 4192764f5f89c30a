"""The parts of a derivation page that are printed from the spec: statement, derivation, code, evidence, use.

A page asks for them by `![[eq-7#statement]]` and so on, where `eq-7` is an id of the paper's index, and for a
derivation that belongs to no node by `![[proof#its title]]`.
"""

import ast
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from ddpm_spec import evidence, paper
from ddpm_spec.literature import FOLLOWUPS, GAPS, Followup, followups_of
from ddpm_spec.paper import Formula, Node
from ddpm_spec.proofs import DERIVATIONS
from ddpm_spec.proofs.engine import Derivation
from ddpm_spec.proofs.followups import DERIVATIONS as BEYOND
from ddpm_spec.site import SiteError, beyond, derivation, graph
from ddpm_spec.site.derivation import dotted
from ddpm_spec.site.prose import prose
from ddpm_spec.site.statements import ALGORITHMS, EQUATIONS

__all__ = [
    "NAMES",
    "NODES",
    "PAGES",
    "badge",
    "claims",
    "counts",
    "gap_table",
    "link",
    "part",
    "picture",
    "proof",
    "status_table",
]

NODES: dict[str, Node] = paper.NODES | FOLLOWUPS
"""What the paper says and what came after it, by id."""

NAMES = frozenset(NODES)
"""What can be embedded."""

PAGES = {node.id: f"{node.page}.md" for node in NODES.values() if node.page}
"""The page that treats a node."""

MARKS = {
    "proved": "✓",
    "checked numerically": "≈",
    "definition": "≔",
    "assumed": "⊢",
    "failed": "✗",
    "outdated": "↻",
    "no evidence": "○",
}

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
        "code": lambda: f"### Code {{ #{node_id}-code }}\n\n{derivation.code(node.formulas, root)}",
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
    found = next((d for d in (*DERIVATIONS, *BEYOND) if d.title == title), None)
    if found is None:
        raise SiteError(f"![[proof#{title}]]: ddpm_spec.proofs has no derivation of that title")
    return _assumed(found.assumptions) + derivation.steps(derivation.prove(found))


def badge(status: str) -> str:
    """A status by symbol and word, coloured by the style sheet."""
    kind = status.replace(" ", "-")
    return f'<span class="status {kind}"><span aria-hidden="true">{MARKS[status]}</span> {status}</span>'


def link(node: Node) -> str:
    """The name of a node, linked to its page where it has one."""
    return f"[{node.name}][{node.id}]" if node.page else node.name


# ---------------------------------------------------------------------------------------------- parts


def _statement(node: Node) -> str:
    where = f"Paper, {node.where}, {node.name}"
    if isinstance(node, Followup):
        works = "; ".join(f"@{work}" for work in node.works)
        where = f"{f'[{works}]: ' if works else ''}{prose(node.where)}"
    elif node.kind == "lemma":
        where = f"{node.name}, {node.where}"
    lines = "\n".join(f"{n}. {line}" for n, line in enumerate(ALGORITHMS.get(node.id, ()), start=1))
    whole = [d for d in _derivations(node) if not _is_passed(node, d)]
    assumptions = dict.fromkeys(a for d in whole for a in d.assumptions)
    parts = [
        '<div class="statement" markdown>',
        f'<p class="where" markdown="span"><span>{where}</span> {badge(_statuses()[node.id])}</p>',
        *map(derivation.equation, (EQUATIONS | beyond.EQUATIONS).get(node.id, ())),
        lines,
        _assumed(assumptions),
        "</div>",
    ]
    return "\n\n".join(part for part in parts if part)


def _assumed(assumptions: Iterable[str]) -> str:
    items = "".join(f"- {assumption}\n" for assumption in assumptions)
    return f'<div class="assumptions" markdown>\n\nAssumed:\n\n{items}\n</div>\n\n' if items else ""


def _derivation(node: Node) -> str:
    found = _derivations(node)
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
        return derivation.steps(derivation.prove(one), slice(start, until + 1))
    return derivation.steps(derivation.prove(one)) if node in _places(one) else ""


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
    record = _record()
    found = sorted(record.of(node), key=lambda o: o.key)
    rows = "\n".join(
        f'| {OUTCOMES[o.outcome]} {prose(o.claim)} | <span class="kind">{o.kind}</span> | {o.examples:,} |'
        for o in found
    )
    table = f"| what was checked | how | examples |\n|---|---|--:|\n{rows}\n"
    if len(found) > FEW:
        summary = f"<summary>{len(found)} checks: {_kinds(found)}</summary>"
        table = f'<details class="laws" data-search-exclude markdown>\n{summary}\n\n{table}\n</details>\n'
    head = f"### Evidence {{ #{node.id}-evidence }}\n\n{badge(_statuses()[node.id])} {_when(record)}\n\n"
    return head + (table if rows else "Nothing is recorded for it.\n")


def _used(node: Node, nothing: str) -> str:
    """What rests on a node: other statements, as in the graph, and what of the model calls its formulas.

    `nothing`: what to say where nothing does; if that is nothing, the section is left out.
    """
    below = graph.rests_on()
    others = [
        other
        for other in NODES.values()
        if (node.id in below[other.id] if other.id in below else _builds_on(other, node))
    ]
    callers = dict.fromkeys(
        caller for formula in node.formulas for caller in _callers().get(dotted(formula), ())
    )
    items = [f"- {link(other)}: {prose(other.title)}" for other in others]
    items += [_caller(caller) for caller in callers]
    listed = "\n".join(items) or nothing
    if not listed:
        return ""
    if len(items) > FEW:
        listed = (
            '<details class="laws" data-search-exclude markdown>\n'
            f"<summary>{len(items)} places</summary>\n\n{listed}\n\n</details>"
        )
    return f"\n### Used by {{ #{node.id}-used }}\n\n{listed}\n"


def _builds_on(other: Node, node: Node) -> bool:
    """Whether what came after the paper runs a formula of this node."""
    return (
        other.id != node.id
        and set(other.formulas) != set(node.formulas)
        and (
            _uses(other.formulas, node.formulas)
            or any(set(d.formulas) & set(node.formulas) for d in _derivations(other))
        )
    )


def _caller(name: str) -> str:
    code = f"`{name.removeprefix('ddpm_spec.')}`"
    return f"- {code}" if "._" in name else f"- [{code}][{name}]"  # what is private has no entry in the API


# --------------------------------------------------------------------------------------- what it reads


def _record() -> evidence.Evidence:
    return _read(_written_at())[0]


def _statuses() -> dict[str, evidence.Status]:
    return _read(_written_at())[1]


@cache
def _read(_: float) -> tuple[evidence.Evidence, dict[str, evidence.Status]]:
    record = evidence.load()
    return record, record.statuses() | record.beyond()


def _written_at() -> float:
    return evidence.PATH.stat().st_mtime if evidence.PATH.exists() else 0.0


def _derivations(node: Node) -> list[Derivation]:
    return [d for d in (*DERIVATIONS, *BEYOND) if node.id in d.nodes]


def _uses(callers: Iterable[Formula], callees: Iterable[Formula]) -> bool:
    """Whether one of the callers names one of the callees in its code."""
    wanted = set(callees)
    return any(
        caller.__globals__.get(name) in wanted for caller in callers for name in caller.__code__.co_names
    )


@cache
def _callers() -> dict[str, list[str]]:
    """For each formula, the functions and methods of the model that call it, by full name."""
    callers: dict[str, list[str]] = {}
    for module in ("schedule", "diffusion"):
        tree = ast.parse((Path(paper.__file__).parent / f"{module}.py").read_text("utf-8"))
        for name, function in _functions(tree, f"ddpm_spec.{module}"):
            for inner in ast.walk(function):
                if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
                    callers.setdefault(f"ddpm_spec.formulas.{inner.value.id}.{inner.attr}", []).append(name)
    return callers


def _functions(tree: ast.AST, prefix: str) -> Iterable[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}.{child.name}")
        elif isinstance(child, ast.FunctionDef) and not child.name.startswith("_"):
            yield f"{prefix}.{child.name}", child


# ---------------------------------------------------------------------------------------- status page


def _when(record: evidence.Evidence) -> str:
    if not record.run:
        return "No full run is recorded."
    run = record.run
    return (
        f"Last full run: {run['date'][:10]}, commit `{run['commit']}`, {run['seconds']} s "
        f"on {run['cores']} cores, Python {run['python']}."
    )


def counts() -> str:
    """How many nodes have which status, and what the last full run was."""
    statuses = [_statuses()[name] for name in paper.NODES]
    items = "".join(
        f'<li><span class="count">{statuses.count(status)}</span> {badge(status)}</li>'
        for status in MARKS
        if status in statuses
    )
    return f'<ul class="counts">{items}</ul>\n\n{_when(_record())}\n'


def claims() -> str:
    """The claims of the paper as in the table of all nodes."""
    return _table(node for node in paper.NODES.values() if node.kind == "claim")


def status_table() -> str:
    """Every node with its status, and what the status rests on."""
    source = f"All of it is in the [record]({evidence.PATH.name}).\n" if evidence.PATH.exists() else ""
    return source + _table(paper.NODES.values())


def _table(shown: Iterable[Node]) -> str:
    record = _record()
    rows = "\n".join(
        f"| {link(node)}, {node.where} <br> {prose(node.title)} "
        f"| {badge(_statuses()[node.id])} <br> {_kinds(record.of(node))}{_below(node)} |"
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
    statuses = {name: (_statuses()[name], MARKS[_statuses()[name]]) for name in paper.NODES}
    return graph.picture(statuses, {name: f"{address(page)}#{name}" for name, page in PAGES.items()})


def gap_table() -> str:
    """The thirteen gaps with what closes them here, and its status."""
    rows = []
    for gap, name in GAPS.items():
        results = [
            f'<span class="result">{link(node)} {badge(_statuses()[node.id])} <br> {prose(node.title)}</span>'
            for node in followups_of(gap)
        ]
        rows.append(f"| [{name}][gap-{gap}] | {''.join(results) or 'read, not run'} |")
    return "| gap | what is verified here |\n|---|---|\n" + "\n".join(rows) + "\n"


def _kinds(found: Iterable[evidence.Observation]) -> str:
    kinds: dict[str, int] = {}
    for observation in found:
        kinds[observation.kind] = kinds.get(observation.kind, 0) + observation.examples
    return ", ".join(f"{kind} ({examples:,})" for kind, examples in kinds.items())
