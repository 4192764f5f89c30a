"""What is printed of other people's implementations, from results that are made up here."""

import json

import numpy as np
import pytest

from ddpm_spec.conform import example
from ddpm_spec.conform.everything import store
from ddpm_spec.conform.verdict import judge
from ddpm_spec.laws import LAWS
from ddpm_spec.laws.mistakes import CATALOGUE
from ddpm_spec.laws.plain import Plain

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from ddpm_spec.site import SiteError
from ddpm_spec.site.printing.implementations import part

BETAS = np.linspace(0.02, 0.4, 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The results of a right and of a wrong implementation, and of one that could not be had."""
    folder = tmp_path_factory.mktemp("results")
    noisy = CATALOGUE["noise in the last step"].build(BETAS, 9)
    found = {
        "numbers/right": judge("numbers/right", Plain(BETAS, 9), {"numpy": "2"}),
        "numbers/noisy": judge("numbers/noisy", noisy, {"numpy": "2"}),
        "numbers/gone": "there is no gone==1",
    }
    store(folder / "conform", "numbers", found)
    ddim = {"scheduler": "DDIMScheduler", "spacing": "leading", "data": "±0.5"}
    rows = [
        ddim | {"steps": 10, "deviation": 0.374, "why": ""},
        ddim | {"steps": 50, "deviation": None, "why": "IndexError: 7"},
    ]
    (folder / "conform" / "samplers.json").write_text(json.dumps({"diffusers": "0.42.1", "rows": rows}))
    return folder


def test_a_row_for_each_implementation(folder) -> None:
    rows = [row for row in part("matrix", folder).splitlines() if row.startswith("| [")]
    assert [row.split("|")[1].strip() for row in rows] == [
        "[numbers](numbers.md) right",
        "[numbers](numbers.md) noisy",
    ]
    assert "broken" not in rows[0]
    assert "broken**" in rows[1]


def test_a_package_has_what_is_broken_what_it_costs_and_what_was_not_judged(folder) -> None:
    text = part("numbers", folder)
    right, noisy = text.partition("### noisy")[::2]
    assert "off by" not in right
    assert "no noise is added" in noisy
    assert "bits/dim" in noisy
    assert "`numbers/gone` was not judged: there is no gone==1" in text


def test_a_package_that_is_not_stored_stops_the_build(folder) -> None:
    with pytest.raises(SiteError, match="nothing is stored of nowhere"):
        part("nowhere", folder)


def test_samplers_by_steps(folder) -> None:
    text = part("samplers", folder)
    assert "| DDIM | leading | 0.374 | raises |" in text
    assert "0.42.1" in text


def test_nothing_stored_is_said(tmp_path) -> None:
    assert "Nothing is stored yet" in part("matrix", tmp_path)
    assert "Nothing is stored yet" in part("samplers", tmp_path)


def test_every_law_is_in_the_table(tmp_path) -> None:
    text = part("laws", tmp_path)
    assert all(f"`{law}`" in text for law in LAWS)


def test_the_program_to_copy_is_the_one_that_runs(tmp_path) -> None:
    text = part("example", tmp_path)
    source = open(example.__file__, encoding="utf-8").read()  # noqa: SIM115
    assert text.removeprefix("```python\n").removesuffix("```\n") in source
