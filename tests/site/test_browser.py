"""The built site in Chromium: every page, at desktop and phone width, in light and dark."""

import re
from collections.abc import Callable, Iterator, Sequence
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


FLAT = """() => {
    const plain = element => !element.matches("[data-light], [data-dark], :has([data-light], [data-dark])");
    const boxes = [...document.querySelectorAll(".katex-html")].filter(plain);
    const drawn = boxes.map(box => [box, box.getBoundingClientRect()]);
    for (const [box, { width, height }] of drawn) {
        box.textContent = box.textContent;
        box.style.cssText = `display: inline-block; overflow: hidden; width: ${width}px; height: ${height}px`;
    }
    for (const maths of document.querySelectorAll("math")) maths.textContent = maths.textContent;
    for (const token of document.querySelectorAll(".highlight code span:not([id], :has(*))"))
        if (plain(token)) token.replaceWith(token.textContent);
}"""
"""Makes one of many what axe would take most of its time for, and has nothing to say about but the colours
that are marked: boxes of drawn formulas, elements of MathML, tokens of code."""

LOOKS = """([scheme, seen]) => {
    const known = new Set(seen), found = new Map(), grounds = new Map([[null, ""]]);
    const ground = element => {
        if (!grounds.has(element)) {
            const { backgroundColor, backgroundImage, opacity } = getComputedStyle(element);
            const own = `${backgroundColor} ${backgroundImage} ${opacity}`;
            const none = own === "rgba(0, 0, 0, 0) none 1";
            grounds.set(element, ground(element.parentElement) + (none ? "" : `/${own}`));
        }
        return grounds.get(element);
    };
    const judge = element => {
        const shown = element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
        if (!shown || element.closest("math")) return;
        const { color, fontSize, fontWeight } = getComputedStyle(element);
        const look = `${color} ${fontSize} ${fontWeight} on ${ground(element)}`;
        if (known.has(look)) return;
        const size = element.getElementsByTagName("*").length;
        if (!found.has(look) || size < found.get(look).size) found.set(look, { element, size });
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) if (texts.currentNode.data.trim()) judge(texts.currentNode.parentElement);
    document.querySelectorAll("input, select, textarea").forEach(judge);
    for (const { element } of found.values()) element.dataset[scheme] = "";
    return [...found.keys()];
}"""
"""Marks one element of each look that no page had before: colour, size and weight of a text on the grounds of
all that it stands in. Contrast depends on nothing else, and one page has thousands of texts."""

OUT_OF_REACH = """() => [...document.querySelectorAll(".md-content *")].filter(box =>
    box.scrollWidth > box.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(box).overflowX)
    && box.tabIndex < 0 && !box.querySelector("a, button, input, summary, [tabindex]")
).map(box => box.outerHTML.slice(0, 120))"""
"""Boxes that scroll but cannot be reached by keyboard. As axe's scrollable-region-focusable, which would have
to be run on the formulas as drawn."""

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
BROWSERS = 3  # one more than cores: each waits now and then for the network to fall silent

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


def violations(
    axe: Any, tab: Any, rules: list[str], within: str | None = None, without: Sequence[str] = ()
) -> list[str]:
    """What axe finds by these rules, one line a rule."""
    off = {rule: {"enabled": False} for rule in without}
    options = {"runOnly": rules, "rules": off, "resultTypes": ["violations"]}
    if not tab.evaluate("'axe' in window"):
        tab.evaluate(axe.axe_script)  # once a page: half a megabyte
    found = tab.evaluate("([where, how]) => axe.run(where ?? document, how)", [within, options])["violations"]
    return [f"{v['id']} × {len(v['nodes'])}: {[n['html'][:120] for n in v['nodes'][:3]]}" for v in found]


def dress(tab: Any, scheme: str) -> None:
    """Changes to the light or to the dark."""
    tab.emulate_media(color_scheme=scheme)
    palette = {"light": "default", "dark": "slate"}[scheme]
    tab.wait_for_function(f"document.body.dataset.mdColorScheme === '{palette}'")


def looks(tab: Any, seen: set[str]) -> dict[str, list[str]]:
    """Marks what looks, in the light and in the dark, like nothing that was seen before, and now is."""
    new = {}
    for scheme in ("light", "dark"):
        dress(tab, scheme)
        new[scheme] = tab.evaluate(LOOKS, [scheme, list(seen)])
        seen.update(new[scheme])
    return new


def contrasts(axe: Any, tab: Any, new: dict[str, list[str]]) -> list[str]:
    """What axe finds about the contrast of what is marked; leaves the page in the light."""
    found = []
    for scheme in ("dark", "light"):
        dress(tab, scheme)
        if new[scheme]:
            lines = violations(axe, tab, ["color-contrast"], within=f"[data-{scheme}]")
            found += [f"{scheme}: {line}" for line in lines]
    return found


def out_of_reach(tab: Any) -> list[str]:
    """What `OUT_OF_REACH` goes on finding: the page's script answers a change of width a moment later."""
    found: list[str] = []
    for _ in range(50):
        tab.wait_for_timeout(100)
        if not (found := tab.evaluate(OUT_OF_REACH)):
            break
    return found


class Visitor:
    """One tab that goes from page to page as if it had never been on the site.

    A new browser window for each page would take a third of the time.
    """

    def __init__(self, browser: Any, axe: Any, address: str, seen: set[str]) -> None:
        self.axe, self.address, self.seen = axe, address, seen
        self.tab = browser.new_page(viewport=DESKTOP, color_scheme="light", reduced_motion="reduce")
        session = self.tab.context.new_cdp_session(self.tab)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        self.wrong = listen(self.tab)
        self.requests: list[str] = []
        self.finished: list[Any] = []
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("requestfinished", lambda request: self.finished.append(request))

    def visit(self, path: str) -> Visit:
        """Opens a page on a desktop, in the light and in the dark, then on a phone."""
        tab, found = self.tab, []
        for heard in (self.wrong, self.requests, self.finished):
            heard.clear()
        # The search index, the largest file, comes last.
        with tab.expect_event("requestfinished", lambda request: request.url.endswith("/search_index.json")):
            tab.goto(self.address + path, wait_until="networkidle")
        tab.evaluate("document.fonts.ready.then(() => true)")
        requested = list(self.requests)
        sizes = {request.url: request.sizes()["responseBodySize"] for request in list(self.finished)}
        tab.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
        new = looks(tab, self.seen)
        tab.set_viewport_size(PHONE)
        width = tab.evaluate("document.documentElement.scrollWidth")
        found += [f"no keyboard scrolls {html}" for html in out_of_reach(tab)]
        tab.evaluate(FLAT)
        found += violations(self.axe, tab, ["target-size"])
        tab.set_viewport_size(DESKTOP)
        found += contrasts(self.axe, tab, new)
        found += violations(self.axe, tab, RULES, without=["color-contrast"])
        text = tab.evaluate(VISIBLE_TEXT)
        wrong = list(self.wrong)
        tab.goto("about:blank")
        return Visit(path, wrong, requested, sizes, width, text, found)


@pytest.fixture(scope="module")
def visits(site: Path, address: str, chromium: Callable[[], AbstractContextManager[Any]]) -> list[Visit]:
    """Every page, by several browsers side by side."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    pages = sorted(file.parent.relative_to(site).as_posix() + "/" for file in site.rglob("index.html"))
    pages.sort(key=lambda page: -(site / page / "index.html").stat().st_size)  # the longest first

    seen: set[str] = set()

    def share(rank: int) -> list[Visit]:
        with chromium() as browser:
            visitor = Visitor(browser, axe, address, seen)
            return [visitor.visit(page) for page in pages[rank::BROWSERS]]

    with ThreadPoolExecutor(BROWSERS) as pool:
        return [one for part in pool.map(share, range(BROWSERS)) for one in part]


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


def test_source_code_keeps_its_lines(browser: Any, address: str) -> None:
    tab = browser.new_page(viewport=DESKTOP)
    tab.goto(address + "api/formulas/")
    lines = """[...document.querySelectorAll(".mkdocstrings-source")].slice(0, 9).map((source) => {
        source.open = true;
        const code = source.querySelector("pre code");
        return [code.textContent.trim().split("\\n").length, code.getBoundingClientRect().height];
    })"""
    assert [height for count, height in tab.evaluate(lines) if height < 12 * count] == []
    tab.close()


def test_a_faint_text_among_thousands_is_found(browser: Any, address: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab = browser.new_page(viewport=DESKTOP, reduced_motion="reduce")
    tab.goto(address + "api/formulas/")
    seen: set[str] = set()
    new = looks(tab, seen)
    assert len(seen) > 20
    tab.evaluate(FLAT)
    assert contrasts(axe, tab, new) == []
    tab.reload()
    tab.evaluate("document.querySelectorAll('.doc-signature .n')[5].style.color = '#777'")
    new = looks(tab, seen)
    tab.evaluate(FLAT)
    lines = contrasts(axe, tab, new)
    assert [line.partition(":")[0] for line in lines] == ["dark", "light"]
    tab.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A tab of desktop width that remembers everything that went wrong."""
    context = browser.new_context()
    page = context.new_page()
    page.wrong = listen(page)
    yield page
    context.close()


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("posterior_mean", "ddpm_spec.formulas.posterior.posterior_mean"),
        ("eq 7", "eq-7"),
        ("cosine schedule", "ddpm_spec.formulas.schedule.cosine_beta"),
    ],
)
def test_search_finds_first(tab: Any, address: str, query: str, place: str) -> None:
    tab.goto(address, wait_until="networkidle")
    tab.keyboard.press("/")
    tab.keyboard.type(query, delay=20)
    first = ".md-search-result__item:first-child"  # a page, with its best section unfolded
    tab.locator(f"{first} .md-search-result__link[href$='#{place}']").wait_for()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    tab.wait_for_url(re.compile(r"\?h="))
    assert tab.wrong == []


def test_a_check_unfolds_by_keyboard(tab: Any, address: str) -> None:
    tab.goto(address + "loss/posterior/")
    check = tab.locator("details.check").first
    check.locator("summary").focus()
    tab.keyboard.press("Enter")
    assert "identity of rational functions" in check.inner_text().lower()


def test_a_symbol_shows_what_it_means(tab: Any, address: str) -> None:
    tab.goto(address + "loss/posterior/", wait_until="networkidle")
    tab.set_viewport_size(PHONE)
    card = tab.locator(".symbol")
    tab.locator("[data-symbol='baralpha_t']").first.hover()
    card.get_by_text("what is left of the image's variance").wait_for(timeout=15_000)
    assert "DDIM" in card.inner_text()
    box = card.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    tab.keyboard.press("Escape")
    card.wait_for(state="hidden")
    assert tab.wrong == []


def test_a_box_of_the_graph_leads_to_its_section(tab: Any, address: str) -> None:
    tab.goto(address + "check/", wait_until="networkidle")  # what a click cuts short is no failure
    tab.locator("svg.graph a[data-node='eq-7']").click()
    tab.wait_for_url(re.compile("loss/posterior/#eq-7$"))
    assert tab.wrong == []
