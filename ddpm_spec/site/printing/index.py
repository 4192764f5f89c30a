"""What a page embeds by its id: the nodes of the paper and what came after it."""

from ddpm_spec import paper
from ddpm_spec.literature import FOLLOWUPS
from ddpm_spec.paper import Node
from ddpm_spec.proofs import DERIVATIONS
from ddpm_spec.proofs.engine import Derivation
from ddpm_spec.proofs.followups import DERIVATIONS as BEYOND

__all__ = ["NODES", "PAGES", "derivations", "derivations_of", "link"]

NODES: dict[str, Node] = paper.NODES | FOLLOWUPS
"""What the paper says and what came after it, by id."""

PAGES = {node.id: f"{node.page}.md" for node in NODES.values() if node.page}
"""The page that treats a node."""


def derivations() -> tuple[Derivation, ...]:
    """All of them, those of the paper first."""
    return (*DERIVATIONS, *BEYOND)


def derivations_of(node: Node) -> list[Derivation]:
    """The derivations that establish a node."""
    return [one for one in derivations() if node.id in one.nodes]


def link(node: Node) -> str:
    """The name of a node, linked to its page where it has one."""
    return f"[{node.name}][{node.id}]" if node.page else node.name
