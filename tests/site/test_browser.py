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
    for (const element of document.querySelectorAll("pre, code, .katex-mathml, script")) element.remove();
    return document.body.innerText;
}"""


@pytest.fixture(scope="module")
def pages(site: Path) -> list[str]:
    """The path of every page."""
    return sorted(file.parent.relative_to(site).as_posix() + "/" for file in site.rglob("index.html"))


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    """The colour scheme of the system."""
    return str(request.param)


@pytest.fixture
def tab(browser: Any, scheme: str) -> Iterator[Any]:
    """A tab of desktop width that remembers everything that went wrong."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.wrong = []
    page.on("console", lambda message: page.wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: page.wrong.append(f"error: {error}"))
    page.on("requestfailed", lambda request: page.wrong.append(f"failed: {request.url}"))
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
        tab.goto(address + path, wait_until="networkidle")
        assert tab.wrong == [], path
        text = tab.evaluate(VISIBLE_TEXT)
        assert not RAW.search(text), f"{path}: {text[max(0, RAW.search(text).start() - 60) :][:120]!r}"
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []


def test_no_page_scrolls_sideways_on_a_phone(tab: Any, address: str, pages: list[str]) -> None:
    tab.set_viewport_size({"width": 360, "height": 740})
    for path in pages:
        tab.goto(address + path)
        tab.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360, path


@pytest.mark.parametrize("width", [1280, 360])
def test_every_page_is_accessible(tab: Any, address: str, pages: list[str], width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab.set_viewport_size({"width": width, "height": 900})
    options = {
        "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
        "resultTypes": ["violations"],
    }
    found = []
    for path in pages:
        tab.goto(address + path, wait_until="networkidle")
        for violation in axe.run(tab, options=options).response["violations"]:
            places = [node["html"][:120] for node in violation["nodes"][:3]]
            found.append(f"{path}: {violation['id']} × {len(violation['nodes'])}: {places}")
    assert found == []


def test_the_first_load_of_a_page_is_light(browser: Any, address: str, pages: list[str]) -> None:
    for path in pages:
        context = browser.new_context()
        tab = context.new_page()
        sizes: dict[str, int] = {}
        tab.on("response", lambda answer, sizes=sizes: sizes.update({answer.url: len(answer.body())}))
        tab.goto(address + path, wait_until="networkidle")
        print(path, sum(sizes.values()) // 1000, "kB")
        context.close()
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
