"""The built site in Chromium: every page, at desktop and phone width, in light and dark."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.browser]

RAW = re.compile(r"\\\(|\\\[|\$\$|\$\\?[A-Za-z]|\[\[|\]\]|\[@|\{ ?#|!!!|\\\\begin|⟦")
"""Markup that should have been rendered."""

VISIBLE_TEXT = """() => {
    for (const element of document.querySelectorAll("pre, code, .katex, script")) element.remove();
    return document.body.innerText;
}"""


@pytest.fixture(scope="module")
def pages(site: Path) -> list[str]:
    """The path of every page."""
    return sorted(file.parent.relative_to(site).as_posix() + "/" for file in site.rglob("index.html"))


def open_page(tab: Any, url: str) -> None:
    """Load a page at desktop width and wait for its fonts."""
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(url)
    tab.evaluate("document.fonts.ready")


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    """The colour scheme of the system."""
    return str(request.param)


@pytest.fixture
def tab(browser: Any, scheme: str) -> Iterator[Any]:
    """A tab of desktop width that remembers everything that went wrong."""
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.wrong = []
    page.on("console", lambda message: page.wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: page.wrong.append(f"error: {error}"))
    page.on("requestfailed", lambda request: page.wrong.append(f"{request.failure}: {request.url}"))
    page.on(
        "response",
        lambda answer: answer.status >= 400 and page.wrong.append(f"{answer.status}: {answer.url}"),
    )
    yield page
    context.close()


def test_nothing_goes_wrong_on_any_page(tab: Any, address: str, pages: list[str]) -> None:
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    for path in pages:
        open_page(tab, address + path)
        tab.set_viewport_size({"width": 360, "height": 740})
        tab.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360, path
        text = tab.evaluate(VISIBLE_TEXT)
        raw = RAW.search(text)
        assert not raw, f"{path}: {text[max(0, raw.start() - 60) : raw.end() + 60]!r}"
        tab.wait_for_load_state("networkidle")
        # What the next page cut short is no failure.
        assert [entry for entry in tab.wrong if not entry.startswith("net::ERR_ABORTED")] == [], path
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []


def test_every_page_is_accessible(tab: Any, scheme: str, address: str, pages: list[str]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = []
    for path in pages:
        open_page(tab, address + path)
        results = [axe.run(tab, options={"runOnly": rules, "resultTypes": ["violations"]})]
        if scheme == "light":  # what depends on the width does not depend on the colours
            tab.set_viewport_size({"width": 360, "height": 740})
            tab.wait_for_timeout(100)
            narrow = ["scrollable-region-focusable", "target-size"]
            results.append(axe.run(tab, options={"runOnly": narrow, "resultTypes": ["violations"]}))
        for violation in (violation for result in results for violation in result.response["violations"]):
            places = [node["html"][:120] for node in violation["nodes"][:3]]
            found.append(f"{path}: {violation['id']} × {len(violation['nodes'])}: {places}")
    assert found == []


def test_the_first_load_of_a_page_is_light(browser: Any, address: str, pages: list[str]) -> None:
    for path in pages:
        context = browser.new_context()
        tab = context.new_page()
        sizes: dict[str, int] = {}
        tab.on("requestfinished", lambda r, sizes=sizes: sizes.update({r.url: r.sizes()["responseBodySize"]}))
        tab.goto(address + path, wait_until="networkidle")
        context.close()
        print(f"{path}: {sum(sizes.values()) / 1000:.0f} kB")
        assert sum(sizes.values()) <= 450_000, f"{path}: {sorted(sizes.items(), key=lambda item: -item[1])}"


def test_search_finds_a_function_by_its_name(tab: Any, address: str) -> None:
    tab.goto(address)
    tab.keyboard.press("/")
    tab.keyboard.type("posterior_mean", delay=20)
    hit = tab.locator(".md-search-result__link", has_text="posterior_mean").first
    hit.wait_for(timeout=10_000)
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    tab.wait_for_url(re.compile("api/formulas|loss/posterior"))
    assert tab.wrong == []


def test_a_check_unfolds_by_keyboard(tab: Any, address: str) -> None:
    tab.goto(address + "loss/posterior/")
    check = tab.locator("details.check").first
    check.locator("summary").focus()
    tab.keyboard.press("Enter")
    assert "identity of rational functions" in check.inner_text().lower()
