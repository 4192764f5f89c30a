"""Breaking one formula takes "proved" from its node and from what rests on it, and from nothing else."""

import ast
import inspect
import json
import subprocess
import sys
from typing import Any

import pytest

from ddpm_spec import evidence
from ddpm_spec.evidence import Evidence, formula_name, rests_on
from ddpm_spec.formulas import bound, forward, gaussian, objective, posterior, reverse
from ddpm_spec.paper import NODES, Formula
from ddpm_spec.proofs import DERIVATIONS

BROKEN: dict[Formula, tuple[str, str, str]] = {
    posterior.posterior_variance: ("eq-7", "* at.beta", "* at.alpha"),
    posterior.posterior_mean: ("eq-7", "+ sqrt(at.alpha)", "- sqrt(at.alpha)"),
    forward.alpha_bar: ("eq-4", "alpha_t * alpha_bar_prev", "alpha_t + alpha_bar_prev"),
    reverse.mean_from_eps: ("eq-11", "(x_t - at.beta", "(x_t + at.beta"),
    objective.eps_weight: ("eq-12", "at.beta**2", "at.beta"),
    gaussian.kl: ("lemma-gaussian-kl", "- 1", "+ 1"),
    bound.path_bound: ("eq-3", "-log_prior", "log_prior"),
}
CASES = pytest.mark.parametrize("formula", BROKEN, ids=formula_name)


def dependants(formula: Formula) -> set[str]:
    """The nodes with a derivation that runs the formula, by itself or through a lemma."""
    return {n for d in DERIVATIONS if formula_name(formula) in rests_on(d) for n in d.nodes}


@CASES
def test_a_changed_formula_outdates_its_node_and_its_dependants(
    monkeypatch: pytest.MonkeyPatch, proved: Evidence, formula: Formula
) -> None:
    before = proved.statuses()
    code = evidence._code
    monkeypatch.setattr(evidence, "_code", lambda f: "another body" if f is formula else code(f))
    after = proved.statuses()
    assert {key for key in NODES if before[key] != after[key]} == dependants(formula)
    assert all(after[key] == "outdated" for key in dependants(formula))
    assert BROKEN[formula][0] in dependants(formula)


SCRIPT = """
import ast, importlib, json, sys
name, function, source = sys.argv[1:]
module = importlib.import_module(name)
exec(compile(source, module.__file__, "exec"), wrong := dict(vars(module)))
getattr(module, function).__code__ = wrong[function].__code__
from ddpm_spec.proofs import DERIVATIONS, FalseStep
held = {}
for derivation in DERIVATIONS:
    try:
        holds = derivation.check().proved
    except FalseStep:
        holds = False
    for node in derivation.nodes:
        held[node] = held.get(node, True) and holds
print(json.dumps(held))
"""


def broken(formula: Formula) -> str:
    """The source of the formula with its mistake, without docstring."""
    _, right, wrong = BROKEN[formula]
    tree: Any = ast.parse(inspect.getsource(formula))
    tree.body[0].body = tree.body[0].body[1:]
    source = ast.unparse(tree)
    right, wrong = (text.replace("**", " ** ") for text in (right, wrong))
    assert right in source, source
    return source.replace(right, wrong)


@pytest.mark.slow
@CASES
def test_a_wrong_formula_loses_its_proof_and_no_other_but_its_dependants(formula: Formula) -> None:
    """All derivations in a new process, built on the wrong function."""
    words = [sys.executable, "-c", SCRIPT, formula.__module__, formula.__name__, broken(formula)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lost = {node for node, holds in json.loads(done.stdout).items() if not holds}
    assert BROKEN[formula][0] in lost
    assert lost <= dependants(formula)
