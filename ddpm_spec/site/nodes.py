"""The parts of a derivation page that are printed from the spec: statement, derivation, code, evidence.

A page asks for them by `![[eq-7#statement]]` and so on, where `eq-7` is an id of the paper's index.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterable
from functools import cache
from html import escape
from pathlib import Path

from ddpm_spec import evidence, paper
from ddpm_spec.ops.typeset import letter
from ddpm_spec.paper import Formula, Node
from ddpm_spec.proofs import DERIVATIONS, letters
from ddpm_spec.proofs.engine import Derivation
from ddpm_spec.site import SiteError, derivation
from ddpm_spec.site.derivation import dotted

__all__ = ["NAMES", "PAGES", "badge", "counts", "link", "part", "status_table"]

NAMES = frozenset(paper.NODES)
"""What can be embedded."""

PAGES = {node.id: f"{node.page}.md" for node in paper.NODES.values() if node.page}
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

# The laws whose mean and variance the formulas are, in pieces between which a line may break.
_LAWS = {
    "eq-2": (
        [r"q(x_{1:T} \mid x_0)", r"= \prod_{t=1}^{T} q(x_t \mid x_{t-1})"],
        [r"q(x_t \mid x_{t-1})", r"= \mathcal{N}\bigl(x_t;\ \sqrt{\alpha_t}\,x_{t-1},\ \beta_t I\bigr)"],
    ),
    "eq-4": (
        [r"q(x_t \mid x_0)", r"= \mathcal{N}\bigl(x_t;\ \sqrt{\bar\alpha_t}\,x_0,\ (1-\bar\alpha_t) I\bigr)"],
    ),
    "eq-6": (
        [
            r"q(x_{t-1} \mid x_t, x_0)",
            r"= \mathcal{N}\bigl(x_{t-1};\ \tilde\mu_t(x_t, x_0),\ \tilde\beta_t I\bigr)",
        ],
    ),
}

# The left-hand sides, which a function does not know. The right-hand sides are the functions' own.
_SIDES = {
    "forward.q_step_mean": r"\mathbb{E}[x_t \mid x_{t-1}]",
    "forward.q_step_variance": r"\operatorname{Var}[x_t \mid x_{t-1}]",
    "forward.alpha": r"\alpha_t",
    "forward.q_mean": r"\mathbb{E}[x_t \mid x_0]",
    "forward.q_variance": r"\operatorname{Var}[x_t \mid x_0]",
    "forward.q_sample": r"x_t(x_0, \epsilon)",
    "forward.alpha_bar": r"\bar\alpha_t",
    "forward.one_minus_alpha_bar": r"1-\bar\alpha_t",
    "gaussian.kl": r"D_{\mathrm{KL}}",
    "gaussian.linear_mean": r"\mathbb{E}[a y + z]",
    "gaussian.linear_variance": r"\operatorname{Var}[a y + z]",
    "posterior.posterior_mean": r"\tilde\mu_t(x_t, x_0)",
    "posterior.posterior_variance": r"\tilde\beta_t",
    "reverse.mean_from_eps": r"\mu_\theta(x_t, t)",
    "reverse.predict_x_0": r"\hat x_0",
    "objective.eps_weight": r"w_t",
}

_LETTERS = {
    **letters.AT._asdict(),
    "alpha_t": letters.AT.alpha,
    "at": letters.AT,
    "x_0": letters.X_0,
    "x_t": letters.X_T,
    "x_prev": letters.X_PREV,
    "eps": letters.EPS,
    "mean": letter(r"\mu"),
    "variance": letters.positive(r"\sigma^2"),
    "mean_p": letter(r"\mu_p"),
    "variance_p": letters.positive(r"\sigma_p^2"),
    "scale": letter("a"),
    "scale_squared": letters.positive("a^2"),
    "noise_variance": letters.positive("s^2"),
}


def part(node_id: str, name: str, root: Path) -> str:
    """The Markdown of one part of a node.

    Raises:
        SiteError: if there is no such part, or a step of the derivation is false.
    """
    node = paper.NODES[node_id]
    parts: dict[str, Callable[[], str]] = {
        "statement": lambda: _statement(node),
        "derivation": lambda: _derivation(node),
        "code": lambda: f"### Code {{ #{node_id}-code }}\n\n{derivation.code(node.formulas, root)}",
        "evidence": lambda: _evidence(node),
    }
    if name not in parts:
        raise SiteError(f"![[{node_id}#{name}]]: a node has the parts {', '.join(parts)}")
    return parts[name]()


def badge(status: str) -> str:
    """A status by symbol and word, coloured by the style sheet."""
    kind = status.replace(" ", "-")
    return f'<span class="status {kind}"><span aria-hidden="true">{MARKS[status]}</span> {status}</span>'


def link(node: Node) -> str:
    """The name of a node, linked to its page where it has one."""
    return f"[{node.name}][{node.id}]" if node.page else node.name


# ---------------------------------------------------------------------------------------------- parts


def _statement(node: Node) -> str:
    where = f"Paper, {node.where}" + (f", {node.name}" if node.kind != "lemma" else "")
    status = badge(_statuses()[node.id])
    equations = list(_LAWS.get(node.id, ()))
    if node.id != "eq-6":  # Eq. 7 states what Eq. 6 names
        equations += [
            [_SIDES[name], *_printed(formula)]
            for formula in node.formulas
            if (name := evidence.formula_name(formula)) in _SIDES
        ]
    assumptions = dict.fromkeys(a for d in _derivations(node) for a in d.assumptions)
    assumed = "".join(f"- {assumption}\n" for assumption in assumptions)
    parts = [
        '<div class="statement" markdown>',
        f'<p class="where" markdown="span">{where} {status}</p>',
        *map(derivation.equation, equations),
        f'<div class="assumptions" markdown>\n\nAssumed:\n\n{assumed}\n</div>' if assumed else "",
        "</div>",
    ]
    return "\n\n".join(part for part in parts if part)


def _printed(formula: Formula) -> list[str]:
    """The right-hand side: the formula run on the paper's letters."""
    names = inspect.signature(formula).parameters
    unknown = [name for name in names if name not in _LETTERS]
    if unknown:
        raise SiteError(f"{dotted(formula)}: no letter is known for {', '.join(unknown)}")
    first, *rest = derivation.summands(formula(*(_LETTERS[name] for name in names)).tex)
    return [f"= {first}", *rest]


def _derivation(node: Node) -> str:
    found = _derivations(node)
    if not found:
        raise SiteError(f"![[{node.id}#derivation]]: ddpm_spec.proofs derives nothing for {node.id}")
    parts = [f"### Derivation {{ #{node.id}-derivation }}\n"]
    for one in found:
        title = f"\n**{one.title}**\n\n" if len(found) > 1 else ""
        parts.append(title + derivation.steps(derivation.prove(one)))
    return "\n".join(parts)


def _evidence(node: Node) -> str:
    record = _record()
    found = sorted(record.of(node), key=lambda o: o.key)
    rows = "\n".join(
        f"| {OUTCOMES[o.outcome]} {_prose(o.claim)} | {o.kind} | {o.examples:,} |" for o in found
    )
    table = f"| what was checked | how | examples |\n|---|---|--:|\n{rows}\n"
    return (
        f"### Evidence {{ #{node.id}-evidence }}\n\n"
        f"{badge(_statuses()[node.id])} {_when(record)}\n\n"
        + (table if rows else "Nothing is recorded for it.\n")
        + f"\n### Used by {{ #{node.id}-used }}\n\n{_used_by(node)}\n"
    )


def _prose(text: str) -> str:
    """Plain text for a Markdown table, with x_t and its like as mathematics."""
    text = escape(text, quote=False).replace("|", "&#124;")
    return re.sub(r"(?<!\w)([A-Za-z])_(\w|\{[^}]*\})(?!\w)", r"$\1_\2$", text)


def _used_by(node: Node) -> str:
    others = [
        other
        for other in paper.NODES.values()
        if other.id != node.id
        and set(other.formulas) != set(node.formulas)
        and (
            _uses(other.formulas, node.formulas)
            or any(set(d.formulas) & set(node.formulas) for d in _derivations(other))
        )
    ]
    callers = dict.fromkeys(
        caller for formula in node.formulas for caller in _callers().get(dotted(formula), ())
    )
    items = [f"- {link(other)}: {_prose(other.title)}" for other in others]
    items += [_caller(caller) for caller in callers]
    return "\n".join(items) or "Nothing yet."


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
    return record, record.statuses()


def _written_at() -> float:
    return evidence.PATH.stat().st_mtime if evidence.PATH.exists() else 0.0


def _derivations(node: Node) -> list[Derivation]:
    return [d for d in DERIVATIONS if node.id in d.nodes]


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
    statuses = list(_statuses().values())
    items = "".join(
        f'<li><span class="count">{statuses.count(status)}</span> {badge(status)}</li>'
        for status in MARKS
        if status in statuses
    )
    return f'<ul class="counts">{items}</ul>\n\n{_when(_record())}\n'


def status_table() -> str:
    """Every node with its status, and what the status rests on."""
    record = _record()
    rows = "\n".join(
        f"| {link(node)}, {node.where} <br> {_prose(node.title)} "
        f"| {badge(_statuses()[node.id])} <br> {_found(record, node)} |"
        for node in paper.NODES.values()
    )
    source = f"[The record]({evidence.PATH.name})\n" if evidence.PATH.exists() else ""
    return (
        f'{counts()}\n{source}\n<div class="status-table" markdown>\n\n'
        f"| what the paper says | status, and what it rests on |\n|---|---|\n{rows}\n\n</div>\n"
    )


def _found(record: evidence.Evidence, node: Node) -> str:
    kinds: dict[str, int] = {}
    for observation in record.of(node):
        kinds[observation.kind] = kinds.get(observation.kind, 0) + observation.examples
    return ", ".join(f"{kind} ({examples:,})" for kind, examples in kinds.items())
