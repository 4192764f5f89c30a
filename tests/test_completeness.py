"""Every node has all that a node must have, judged on what this run recorded: it runs last.

The results that came after the paper are held to the same.
"""

import re
from pathlib import Path

import pytest
from processes import is_whole

from ddpm_spec.evidence import Evidence, Recorder
from ddpm_spec.literature import FOLLOWUPS
from ddpm_spec.paper import NODES, Node
from ddpm_spec.proofs import DERIVATIONS
from ddpm_spec.proofs.followups import DERIVATIONS as BEYOND

DOCS = Path(__file__).parents[1] / "docs"
pytestmark = pytest.mark.last


@pytest.fixture(scope="session")
def record(request: pytest.FixtureRequest, recorder: Recorder) -> Evidence:
    """What this run has seen; without the other tests there is nothing to judge."""
    if not is_whole(request.config):
        pytest.skip("judges a run of the whole suite")
    return Evidence(tuple(recorder.observations.values()))


EVERY = NODES | FOLLOWUPS


@pytest.mark.parametrize("node", EVERY.values(), ids=EVERY)
def test_node_is_complete(record: Evidence, node: Node) -> None:
    kinds = {observation.kind for observation in record.of(node)}
    derived = any(node.id in derivation.nodes for derivation in (*DERIVATIONS, *BEYOND))
    lacking = []
    if not node.formulas:
        lacking.append("an object that runs")
    if not (derived or node.definition or node.assumption):
        lacking.append("a derivation")
    if not kinds & {"exact law", "oracle"}:
        lacking.append("an exact law or an oracle")
    if not kinds - {"proof"}:
        lacking.append("a numeric test")
    page = DOCS / f"{node.page}.md"
    anchors = re.findall(r"\{ #([\w-]+) \}", page.read_text(encoding="utf-8")) if node.page else []
    if node.id not in anchors:
        lacking.append("an anchor on its page")
    assert not lacking, f"{node.name} lacks {', '.join(lacking)}"


def test_statuses_are_the_best_that_each_node_can_have(record: Evidence) -> None:
    """Definitions are tested, assumptions named, and everything else is proved or, said so, checked."""
    statuses = record.statuses() | record.beyond()
    assert not [key for key, status in statuses.items() if status in ("failed", "outdated", "no evidence")]
