"""The version is written once for the code; the citation and the changelog must say the same."""

import re
from pathlib import Path

import yaml

import ddpm_spec

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
