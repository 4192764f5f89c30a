"""The built site in Chromium: every page, at desktop and phone width, in light and dark."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
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


FLAT_MATHS = """() => {
    const boxes = [...document.querySelectorAll(".katex-html")];
    const drawn = boxes.map(box => [box, box.getBoundingClientRect()]);
    for (const [box, { width, height }] of drawn) {
        box.textContent = box.textContent;
        box.style.cssText = `display: inline-block; overflow: hidden; width: ${width}px; height: ${height}px`;
    }
}"""
"""The drawn formulas are hidden from screen readers, which read the MathML beside them. Thousands of boxes
would take axe most of its time, and have one colour: one box of the same size is left of each."""

OUT_OF_REACH = """() => [...document.querySelectorAll(".md-content *")].filter(box =>
    box.scrollWidth > box.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(box).overflowX)
    && box.tabIndex < 0 && !box.querySelector("a, button, input, summary, [tabindex]")
).map(box => box.outerHTML.slice(0, 120))"""
"""Boxes that scroll but cannot be reached by keyboard. As axe's scrollable-region-focusable, which would have
to be run on the formulas as drawn."""

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@dataclass(frozen=True)
class Visit:
    """What was seen of one page, from a cold cache to the narrowest phone."""

    path: str
    wrong: list[str]
    """Console messages, failed requests, answers that are errors."""
    requests: list[str]
    sizes: dict[str, int]
    """Bytes of every answer."""
    width: int
    """Of the document in a window of 360 px with everything unfolded."""
    text: str
    violations: list[str]


def listen(tab: Any) -> list[str]:
    """A list that will hold everything that goes wrong in this tab."""
    wrong: list[str] = []
    tab.on("console", lambda message: wrong.append(f"console: {message.text}"))
    tab.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    tab.on("requestfailed", lambda request: wrong.append(f"{request.failure}: {request.url}"))
    tab.on(
        "response",
        lambda answer: answer.status >= 400 and wrong.append(f"{answer.status}: {answer.url}"),
    )
    return wrong


def violations(axe: Any, tab: Any, rules: list[str]) -> list[str]:
    """What axe finds by these rules, one line a rule."""
    found = axe.run(tab, options={"runOnly": rules, "resultTypes": ["violations"]}).response["violations"]
    return [f"{v['id']} × {len(v['nodes'])}: {[n['html'][:120] for n in v['nodes'][:3]]}" for v in found]


def visit(browser: Any, axe: Any, address: str, path: str) -> Visit:
    """Opens a page on a desktop in the light, then in the dark, then on a phone."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    tab = context.new_page()
    wrong, requests, sizes = listen(tab), [], {}
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("requestfinished", lambda r: sizes.update({r.url: r.sizes()["responseBodySize"]}))
    tab.goto(address + path, wait_until="networkidle")
    tab.evaluate("document.fonts.ready.then(() => true)")
    seen, loaded = list(requests), dict(sizes)
    tab.set_viewport_size({"width": 360, "height": 740})
    tab.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    width = tab.evaluate("document.documentElement.scrollWidth")
    tab.wait_for_timeout(100)
    found = [f"no keyboard scrolls {html}" for html in tab.evaluate(OUT_OF_REACH)]
    tab.evaluate(FLAT_MATHS)
    found += violations(axe, tab, ["target-size"])
    tab.set_viewport_size({"width": 1280, "height": 900})
    found += violations(axe, tab, RULES)
    tab.emulate_media(color_scheme="dark")
    tab.wait_for_function("document.body.dataset.mdColorScheme === 'slate'", timeout=5_000)
    found += [f"dark: {line}" for line in violations(axe, tab, ["color-contrast"])]
    text = tab.evaluate(VISIBLE_TEXT)
    context.close()
    return Visit(path, wrong, seen, loaded, width, text, found)


@pytest.fixture(scope="module")
def visits(site: Path, address: str, chromium: Callable[[], AbstractContextManager[Any]]) -> list[Visit]:
    """Every page, by two browsers side by side."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    pages = sorted(file.parent.relative_to(site).as_posix() + "/" for file in site.rglob("index.html"))
    pages.sort(key=lambda page: -(site / page / "index.html").stat().st_size)  # the longest first

    def share(rank: int) -> list[Visit]:
        with chromium() as browser:
            return [visit(browser, axe, address, page) for page in pages[rank::2]]

    with ThreadPoolExecutor(2) as pool:
        return [one for part in pool.map(share, range(2)) for one in part]


def test_nothing_goes_wrong_on_any_page(visits: list[Visit], address: str) -> None:
    assert {v.path: v.wrong for v in visits if v.wrong} == {}
    outside = [url for v in visits for url in v.requests if not url.startswith((address, "data:", "blob:"))]
    assert outside == []


def test_no_page_shows_raw_markup(visits: list[Visit]) -> None:
    for one in visits:
        raw = RAW.search(one.text)
        assert not raw, f"{one.path}: {one.text[max(0, raw.start() - 60) : raw.end() + 60]!r}"


def test_no_page_scrolls_sideways_on_a_phone(visits: list[Visit]) -> None:
    assert {v.path: v.width for v in visits if v.width > 360} == {}


def test_every_page_is_accessible(visits: list[Visit]) -> None:
    assert {v.path: v.violations for v in visits if v.violations} == {}


def test_the_first_load_of_a_page_is_light(visits: list[Visit]) -> None:
    assert {v.path: v.sizes for v in visits if sum(v.sizes.values()) > 450_000} == {}


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A tab of desktop width that remembers everything that went wrong."""
    context = browser.new_context()
    page = context.new_page()
    page.wrong = listen(page)
    yield page
    context.close()


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


def test_a_box_of_the_graph_leads_to_its_section(tab: Any, address: str) -> None:
    tab.goto(address + "check/", wait_until="networkidle")  # what a click cuts short is no failure
    tab.locator("svg.graph a[data-node='eq-7']").click()
    tab.wait_for_url(re.compile("loss/posterior/#eq-7$"))
    assert tab.wrong == []
