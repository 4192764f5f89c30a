"""The version is written once for the code; the citation and the changelog must say the same."""

import importlib.metadata
import re
import runpy
from pathlib import Path

import torch
import yaml

import ddpm_spec
from ddpm_spec.runs import provenance

ROOT = Path(__file__).parents[2]


def test_one_version_and_one_date():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE)
    assert newest is not None
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert newest[1] == ddpm_spec.__version__
    assert (citation["version"], str(citation["date-released"])) == newest.groups()


def test_releases_stand_from_the_newest_to_the_oldest():
    headings = re.findall(r"^## \[([\d.]+)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert len(headings) >= 2
    order = [(date, tuple(map(int, version.split(".")))) for version, date in headings]
    assert order == sorted(order, reverse=True)


def test_a_checkout_that_is_not_installed_knows_its_version(monkeypatch):
    def installed(name: str) -> str:
        if name == "ddpm_spec":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(importlib.metadata, "version", installed)
    monkeypatch.setattr(provenance, "version", installed)
    door = runpy.run_path(str(ROOT / "ddpm_spec" / "__init__.py"))
    assert door["__version__"] == ddpm_spec.__version__
    assert provenance.environment(torch.device("cpu"), 1)["ddpm_spec"] == ddpm_spec.__version__
