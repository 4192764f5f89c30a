"""Every section tells by keyboard what its symbols mean, with one stop in the tab order."""

from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.browser]

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

VIOLATIONS = """async ([where, rules]) =>
    (await axe.run(where, { runOnly: rules })).violations.map(found => found.id)"""

UNREACHED = """() => {
    const found = [];
    let heading;
    for (const element of document.querySelectorAll(".md-content :is(h1, h2, [data-symbol])"))
        if (!element.dataset.symbol) heading = element;
        else if (!heading.nextElementSibling.matches("button.symbols")) found.push(heading.id);
    return found;
}"""
"""Sections with symbols and without a button."""


@pytest.fixture(params=["light", "dark"])
def tab(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Any]:
    """The page of the posterior in a phone's width, in one of the two schemes."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=request.param)
    page = context.new_page()
    page.goto(address + "loss/posterior/", wait_until="networkidle")
    yield page
    context.close()


def opened(tab: Any) -> Any:
    """The list of the section on Eq. 7, opened by keyboard from its heading."""
    tab.locator("#eq-7 .headerlink").focus()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    card = tab.locator(".symbol")
    card.get_by_text("what is left of the image's variance").wait_for(timeout=15_000)
    return card


def test_a_section_lists_its_symbols_by_keyboard(tab: Any) -> None:
    card = opened(tab)
    assert tab.evaluate("document.activeElement.matches('.symbol')")
    told = card.locator("dt").count()
    assert 6 <= told == card.locator("dd").count() <= 12
    assert len(set(card.locator("dt").all_inner_texts())) == told
    assert "the bound" not in card.inner_text(), "a symbol of another section"
    box = card.bounding_box()
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= 360
    assert box["y"] + box["height"] <= 740
    tab.keyboard.press("Escape")
    card.wait_for(state="hidden")
    assert tab.evaluate("document.activeElement.matches('#eq-7 + button')"), "the focus goes back"
    assert tab.evaluate("getComputedStyle(document.activeElement).opacity") == "1"


def test_the_list_and_its_button_are_accessible(tab: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    card = opened(tab)
    tab.evaluate(axe.axe_script)
    assert tab.evaluate(VIOLATIONS, [".symbol", RULES]) == []
    tab.keyboard.press("Escape")
    card.wait_for(state="hidden")
    assert tab.evaluate(VIOLATIONS, ["#eq-7 + button", RULES]) == []


@pytest.mark.parametrize("page", ["", "summary/", "loss/", "loss/coding/", "gaps/weighting/"])
def test_one_stop_a_section(browser: Any, address: str, page: str) -> None:
    tab = browser.new_page()
    tab.goto(address + page)
    tab.wait_for_selector("button.symbols", state="attached")
    assert tab.evaluate(UNREACHED) == []
    headings = tab.locator(".md-content :is(h1, h2)").count()
    assert tab.locator("button.symbols").count() <= headings
    assert tab.locator("[data-symbol][tabindex]").count() == 0
    tab.close()


def test_another_page_has_its_own_buttons(browser: Any, address: str) -> None:
    tab = browser.new_page()
    tab.goto(address + "loss/posterior/", wait_until="networkidle")
    tab.locator(".md-footer__link--next").click()
    tab.wait_for_url("**/loss/bound/")
    tab.wait_for_selector("#eq-3 + button.symbols", state="attached")
    assert tab.evaluate(UNREACHED) == []
    assert tab.locator("button.symbols + button.symbols").count() == 0
    tab.close()
