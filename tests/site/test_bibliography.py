"""The bibliography: labels, groups, and the way back from an entry to the pages that cite it."""

import re
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from ddpm_spec.site.markdown.bibliography import Bibliography, UnknownCitation

PATH = Path(__file__).parents[2] / "docs" / "references.bib"


@pytest.fixture
def bibliography() -> Bibliography:
    """A fresh one, cited by nobody."""
    return Bibliography.read(PATH)


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("ho2020ddpm", "Ho et al., 2020"),
        ("song2019ncsn", "Song and Ermon, 2019"),
        ("vincent2011connection", "Vincent, 2011"),
        ("debortoli2022manifold", "De Bortoli, 2022"),
        ("vandenoord2016wavenet", "van den Oord et al., 2016c"),
    ],
)
def test_labels(bibliography: Bibliography, key: str, label: str) -> None:
    assert bibliography.label(key) == label


def test_no_two_labels_are_the_same(bibliography: Bibliography) -> None:
    labels = {bibliography.label(key) for key in bibliography.data.entries}
    assert len(labels) == len(bibliography.data.entries)
    assert bibliography.letters  # some share authors and year, so this is no empty promise
    page = bibliography.page()
    for key in bibliography.letters:
        entry = page.split(f'<li id="ref-{key}">')[1].split("</li>")[0]
        assert f">cited as {bibliography.label(key)}</span>" in entry


def test_every_entry_is_listed_once(bibliography: Bibliography) -> None:
    page = bibliography.page()
    keys = PATH.read_text("utf-8").count("\n@")
    assert page.count("<li id=") == keys == len(bibliography.data.entries)
    assert "{" not in page.replace("{ #refs-", "")


def test_a_citation_links_there_and_back(bibliography: Bibliography) -> None:
    html = bibliography.cite(["ho2020ddpm", "vincent2011connection"], lambda target: f"r/#{target}")
    assert (
        '<a href="r/#ref-ho2020ddpm" title="Denoising Diffusion Probabilistic Models">Ho et al., 2020</a>'
        in html
    )
    assert html.startswith('<span class="cite"><span>(</span><a ')
    bibliography.note_cited("ho2020ddpm", "summary/", "Summary")
    page = bibliography.fill_cited_on(bibliography.page(), lambda url: f"../{url}")
    assert page.count("Cited on") == 1
    assert '<a href="../summary/">Summary</a>' in page
    assert "<!-- cited" not in page


def test_what_no_page_cites_is_the_papers_alone(bibliography: Bibliography) -> None:
    bibliography.note_cited("dinh2014nice", "summary/", "Summary")
    entries = _entries(bibliography.fill_cited_on(bibliography.page(), str))
    assert 'Cited on <a href="summary/">' in entries["dinh2014nice"]
    assert "Cited by the paper only" not in entries["dinh2014nice"]
    assert "Cited by the paper only" in entries["dinh2016realnvp"]
    assert "Cited" not in entries["song2021ddim"]  # came later, so a page has to


@pytest.mark.slow
def test_every_entry_says_who_cites_it(site: Path) -> None:
    entries = _entries((site / "references/index.html").read_text("utf-8"))
    assert len(entries) == PATH.read_text("utf-8").count("\n@")
    assert [key for key, entry in entries.items() if 'class="cited-on">Cited ' not in entry] == []


def _entries(html: str) -> dict[str, str]:
    """The entries of the References page by key."""
    return dict(re.findall(r'<li id="ref-([\w-]+)">(.*?)</li>', html, re.DOTALL))


def test_an_unknown_key_is_named(bibliography: Bibliography) -> None:
    with pytest.raises(UnknownCitation, match=r"\[@nobody1999\]"):
        bibliography.cite(["nobody1999"], str)


@pytest.mark.slow
def test_a_work_is_cited_on_pages_of_different_names(site: Path) -> None:
    html = (site / "references/index.html").read_text()
    lists = re.findall(r'<span class="?cited-on"?>(.*?)</span>', html)
    assert len(lists) > 100
    for pages in lists:
        names = re.findall(r">([^<]+)</a>", pages)
        assert len(set(names)) == len(names), names
