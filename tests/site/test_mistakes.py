"""A mistake that a page says is caught by a law is made, and the law catches it."""

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from ddpm_spec.errata.entries import ERRATA
from ddpm_spec.laws import LAWS, check
from ddpm_spec.laws.mistakes import CATALOGUE
from ddpm_spec.laws.plain import Plain

PAGES = {path.stem: path.read_text() for path in (Path(__file__).parents[2] / "docs/loss").glob("*.md")}
ITEM = re.compile(r"^- \*\*.*(?:\n  .*)*", re.MULTILINE)
MADE = re.compile(r"<!-- (.+) -->")
LAW = re.compile(r"\]\[(ddpm_spec\.laws\.\w+)\.(\w+)\]")
ITEMS = [(page, item) for page, text in PAGES.items() for item in ITEM.findall(text)]
CAUGHT = [(page, MADE.search(item)[1], LAW.findall(item)[-1]) for page, item in ITEMS if MADE.search(item)]


def test_the_pages_tell_of_many() -> None:
    assert len(CAUGHT) > 30
    assert len({what for _, what, _ in CAUGHT}) == len(CAUGHT), "each once"
    assert all(MADE.search(item) for _, item in ITEMS if "Caught by" in item)


@pytest.mark.parametrize(("page", "what", "law"), CAUGHT, ids=[what for _, what, _ in CAUGHT])
def test_the_law_catches_it(page: str, what: str, law: tuple[str, str]) -> None:
    module, name = law
    (wanted,) = [one for one in LAWS.values() if one.cases is getattr(import_module(module), name)]
    betas = np.linspace(0.02, 0.4, 8)
    (wrong,), (right,) = (
        check(made, laws=(wanted,)) for made in (CATALOGUE[what].on(betas, levels=9), Plain(betas, levels=9))
    )
    assert right.outcome == "passed"
    assert wrong.outcome == "failed"


def test_errata_that_are_named_exist() -> None:
    named = {name for text in PAGES.values() for name in re.findall(r"errata\.md#erratum-([\w-]+)", text)}
    assert len(named) > 10
    assert named <= {erratum.id for erratum in ERRATA}
