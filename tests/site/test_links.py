"""Every link inside the built site leads somewhere, and every anchor exists once."""

from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from ddpm_spec.literature import FOLLOWUPS, GAPS
from ddpm_spec.paper import NODES

pytestmark = pytest.mark.slow

PLACES = {node.id: node.page for node in (NODES | FOLLOWUPS).values()} | {
    f"gap-{gap}": f"gaps/{gap}" for gap in GAPS
}
"""The page of every equation, algorithm, claim, lemma and gap, and of what came after, by its anchor."""

HOST = "http://site.invalid/"


class Page(HTMLParser):
    """The ids and the links of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.update([found["id"]] if found.get("id") else [])
        self.links += [found[name] for name in ("href", "xlink:href", "src") if found.get(name)]


def read(site: Path) -> dict[str, Page]:
    """Every page by its address."""
    addresses = {file: HOST + file.relative_to(site).as_posix() for file in site.rglob("*.html")}
    return {url.removesuffix("index.html"): Page(file.read_text("utf-8")) for file, url in addresses.items()}


def broken(pages: dict[str, Page], site: Path) -> list[str]:
    """What each page links to in vain."""
    found = []
    for address, page in pages.items():
        for link in page.links:
            target = urlsplit(urljoin(address, link))
            if f"{target.scheme}://{target.netloc}/" != HOST:
                continue
            path, url = unquote(target.path).lstrip("/"), HOST + unquote(target.path).lstrip("/")
            if url in pages:
                if target.fragment and unquote(target.fragment) not in pages[url].ids:
                    found.append(f"{address}: {link} (no such anchor)")
            elif not (site / path).is_file():
                found.append(f"{address}: {link} (no such file)")
    return found


def test_the_check_itself(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "index.html").write_text('<a href="a/#x">1</a><a href="a/#y">2</a><img src="b.png">')
    (tmp_path / "a/index.html").write_text(
        '<p id="x"><a href="..">3</a><a href="https://else.where/">4</a></p>'
    )
    assert [line.split(": ")[1] for line in broken(read(tmp_path), tmp_path)] == [
        "a/#y (no such anchor)",
        "b.png (no such file)",
    ]


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    return read(site)


def test_every_link_leads_somewhere(pages: dict[str, Page], site: Path) -> None:
    assert len(pages) > 10
    # The page of what is not found is served under any address, so its links are absolute.
    found = {address: page for address, page in pages.items() if address != HOST + "404.html"}
    assert broken(found, site) == []


def test_every_id_is_there_once(pages: dict[str, Page]) -> None:
    for address, page in pages.items():
        double = {name for name, count in page.ids.items() if count > 1 and not name.startswith("__")}
        assert not double, f"{address}: {double}"


def test_every_statement_and_gap_has_its_anchor_on_its_page_and_nowhere_else(pages: dict[str, Page]) -> None:
    for anchor, place in PLACES.items():
        holding = [address for address, page in pages.items() if anchor in page.ids]
        assert holding == [f"{HOST}{place}/"], anchor


def test_every_statement_and_gap_is_reached_from_the_status_page(pages: dict[str, Page]) -> None:
    links = {urljoin(HOST + "check/", link) for link in pages[HOST + "check/"].links}
    assert [anchor for anchor, place in PLACES.items() if f"{HOST}{place}/#{anchor}" not in links] == []
