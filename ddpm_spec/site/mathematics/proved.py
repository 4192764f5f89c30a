"""Derivations checked, or found as an earlier build checked them."""

import hashlib
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sympy import Basic, Symbol, srepr
from sympy.core.function import AppliedUndef

from ddpm_spec.proofs.engine import Check, Derivation, FalseStep, Proof
from ddpm_spec.proofs.zero import Verdict
from ddpm_spec.site import SiteError
from ddpm_spec.site.cache.kept import Kept, libraries
from ddpm_spec.site.cache.sources import Sources

__all__ = ["proofs", "prove", "written"]

SAID = frozenset({"assumptions", "formulas", "nodes", "reason", "seconds"})
"""What no step of a derivation is decided by."""


@cache
def prove(derivation: Derivation) -> Proof:
    """Check a derivation, unless a build has checked it and nothing that it depends on has changed since.

    Raises:
        SiteError: at a false step.
    """
    modules: set[str] = set()
    content = written(derivation, modules)
    digest = hashlib.sha256("\n".join([content, *_code(frozenset(modules))]).encode()).hexdigest()
    found = proofs().get(f"{derivation.title} {digest}", lambda: _checked(derivation))
    *checks, end = (Check(Verdict(outcome, method), seconds) for outcome, method, seconds in found)
    return Proof(derivation, tuple(checks), end)


@cache
def proofs() -> Kept:
    """What was found for each line of a derivation, for what it says and the code that decides."""
    return Kept("proofs", [Path(__file__), *libraries("mpmath", "networkx", "sympy")])


@cache
def _sources() -> Sources:
    return Sources()


@cache
def _code(modules: frozenset[str]) -> list[str]:
    return _sources().code(*modules)


def written(part: Any, modules: set[str]) -> str:
    """All of a derivation by which its steps are decided; the modules of what decides are added to `modules`.

    Formulas have been run when there is a derivation: what counts is what they gave.
    """
    modules.add(str(type(part).__module__))
    match part:
        case Basic():
            inside = part.atoms(Symbol, AppliedUndef)
            modules.update(str(type(atom).__module__) for atom in inside)
            # sympy does not write what is assumed of a function that has only a name.
            assumed = sorted({f"{f.func} {f.func._kwargs}" for f in inside if isinstance(f, AppliedUndef)})
            return " ".join([srepr(part), *assumed])
        case None | str() | int():
            return repr(part)
        case tuple():
            return f"({', '.join(written(item, modules) for item in part)})"
    if not is_dataclass(part):
        raise TypeError(f"it is not known what decides a step of a {type(part).__name__}")
    named = (field.name for field in fields(part) if field.name not in SAID)
    items = (f"{name}={written(getattr(part, name), modules)}" for name in named)
    return f"{type(part).__name__}({', '.join(items)})"


def _checked(derivation: Derivation) -> list[tuple[str, str, float]]:
    try:
        proof = derivation.check()
    except FalseStep as error:
        nodes = ", ".join(derivation.nodes) or derivation.title
        raise SiteError(f"the derivation of {nodes} has a false step. {error}") from None
    return [(c.verdict.outcome, c.verdict.method, c.seconds) for c in (*proof.checks, proof.end)]
