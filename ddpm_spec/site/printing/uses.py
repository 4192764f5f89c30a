"""Where a node is used: by other nodes, and by the model."""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ddpm_spec import paper
from ddpm_spec.paper import Formula, Node
from ddpm_spec.site.mathematics.listing import dotted
from ddpm_spec.site.printing import graph
from ddpm_spec.site.printing.index import NODES, derivations_of

__all__ = ["built_on", "callers"]


def built_on(node: Node) -> list[Node]:
    """What rests on a node, as in the graph; of what came after the paper, what runs a formula of it."""
    below = graph.rests_on()
    return [
        other
        for other in NODES.values()
        if (node.id in below[other.id] if other.id in below else _builds_on(other, node))
    ]


def callers(node: Node) -> list[str]:
    """The functions and methods of the model that call a formula of a node, by full name."""
    return list(
        dict.fromkeys(caller for formula in node.formulas for caller in _callers().get(dotted(formula), ()))
    )


def _builds_on(other: Node, node: Node) -> bool:
    """Whether what came after the paper runs a formula of this node."""
    return (
        other.id != node.id
        and set(other.formulas) != set(node.formulas)
        and (
            _uses(other.formulas, node.formulas)
            or any(set(d.formulas) & set(node.formulas) for d in derivations_of(other))
        )
    )


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
