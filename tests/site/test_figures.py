"""The interactive figures: what they compute, against Python, and how they behave in Chromium."""

import inspect
import json
import math
import random
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from ddpm_spec.formulas import objective, posterior, reverse
from ddpm_spec.formulas.step import Step
from ddpm_spec.oracles.mixture import Mixture
from ddpm_spec.schedule import Schedule, cosine_schedule, linear_schedule
from ddpm_spec.site import SiteError
from ddpm_spec.site.mathematics import figures

DOCS = Path(__file__).parents[2] / "docs"

RELATIVE = 1e-6
INPUTS = 200

CALLS = """async ([source, calls]) => {
    const module = await import(source);
    return calls.map(([name, values]) => module[name](...values));
}"""


def level(rng: random.Random) -> float:
    """A number in (0, 1), often near an end."""
    return 1 / (1 + math.exp(rng.uniform(-8, 8)))


def row(schedule: Schedule, t: int) -> Step:
    """A step as numbers."""
    return Step(*(table[t].item() for table in schedule.steps))


def arguments(formula: Any, rng: random.Random) -> list[Any]:
    """Numbers on which the formula is defined."""
    T = rng.randint(2, 100)
    t = rng.randint(1, T)
    ends = [10 ** rng.uniform(-5, -1) for _ in range(2)]
    named = {"T": T, "t": t, "beta_1": ends[0], "beta_T": ends[1], "s": 10 ** rng.uniform(-3, 0)}
    values = []
    for name, parameter in inspect.signature(formula).parameters.items():
        if parameter.annotation is Step:
            values.append(row(linear_schedule(T, *ends), t))
        elif name in named:
            values.append(named[name])
        elif name.startswith(("alpha", "beta", "one_minus", "variance")):
            values.append(level(rng))
        else:
            values.append(rng.gauss(0, 1))
    return values


def in_javascript(values: Sequence[Any]) -> list[Any]:
    return [value._asdict() if isinstance(value, Step) else value for value in values]


def apart(found: float, expected: float) -> float:
    """Relative, or absolute where both are far below what a figure shows."""
    return abs(found - expected) / max(abs(expected), 1e-12)


@pytest.fixture(scope="module")
def page(browser: Any, address: str) -> Iterator[Any]:
    """A tab on a page of the site, whose scripts can be imported."""
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(address)
    yield tab
    context.close()


def differing(page: Any, source: str, formulas: Sequence[Any]) -> list[str]:
    """The formulas that JavaScript evaluates to something else than Python, on many inputs."""
    rng = random.Random(0)
    calls = [(formula, arguments(formula, rng)) for formula in formulas for _ in range(INPUTS)]
    found = page.evaluate(CALLS, [source, [[f.__name__, in_javascript(values)] for f, values in calls]])
    gaps = [(f.__name__, apart(x, f(*values))) for (f, values), x in zip(calls, found, strict=True)]
    return sorted({name for name, gap in gaps if not gap < RELATIVE})


@pytest.mark.slow
@pytest.mark.browser
def test_every_printed_formula_is_pythons(page: Any, address: str) -> None:
    assert differing(page, f"{address}assets/figures/formulas.js", figures.FORMULAS) == []


def posterior_mean(x_0, x_t, at: Step):
    """Eq. 7 with one root forgotten."""
    return posterior.posterior_mean(x_0, x_t, at._replace(alpha=at.alpha**2))


def eps_weight(variance, at: Step):
    """Eq. 12 without its ½."""
    return at.beta**2 / (variance * at.alpha * at.one_minus_alpha_bar)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("wrong", [posterior_mean, eps_weight], ids=lambda f: f.__name__)
def test_a_changed_formula_is_found(page: Any, wrong: Any) -> None:
    script = "\n".join(
        figures.printed(wrong if f.__name__ == wrong.__name__ else f) for f in figures.FORMULAS
    )
    source = page.evaluate("text => URL.createObjectURL(new Blob([text], {type: 'text/javascript'}))", script)
    assert differing(page, source, figures.FORMULAS) == [wrong.__name__]


# --------------------------------------------------------------------------------- the loops by hand

SCHEDULES = [
    ({"schedule": "linear", "T": 1000, "beta_1": 1e-4, "beta_T": 0.02}, linear_schedule()),
    ({"schedule": "linear", "T": 50, "beta_1": 0.3, "beta_T": 1e-3}, linear_schedule(50, 0.3, 1e-3)),
    ({"schedule": "cosine", "T": 4000}, cosine_schedule(4000)),
    ({"schedule": "cosine", "T": 10}, cosine_schedule(10)),
]


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize(("settings", "schedule"), SCHEDULES)
def test_the_loop_over_a_schedule_gives_its_tables(page, address, settings, schedule) -> None:
    found = page.evaluate(CALLS, [f"{address}assets/figures/steps.js", [["steps", [settings]]]])[0]
    assert len(found) == schedule.T
    for t, step in enumerate(found, start=1):
        expected = row(schedule, t)._asdict()
        assert step.keys() == expected.keys()
        assert all(apart(step[name], expected[name]) < RELATIVE for name in expected), t


@pytest.mark.slow
@pytest.mark.browser
def test_the_weight_of_eq_12_is_least_where_the_page_says(page, address) -> None:
    start = page.evaluate(
        "async source => (await import(source)).start", script(address, "schedule-explorer")
    )
    schedule = linear_schedule()
    steps = [row(schedule, t) for t in range(1, 1001)]
    weights = [objective.eps_weight(at.beta, at) for at in steps]
    assert start["t"] == 1 + weights.index(min(weights))


@pytest.mark.slow
@pytest.mark.browser
def test_an_axis_ends_where_all_numbers_are_one_power_of_ten(page, address) -> None:
    code = """async source => {
        const { draw, start } = await import(source);
        return draw({ ...start, T: 10, t: 1, beta_1: 1e-5, beta_T: 1e-5 }).plates;
    }"""
    assert "10⁻⁵" in page.evaluate(code, script(address, "schedule-explorer"))


def script(address: str, name: str) -> str:
    return f"{address}assets/figures/{name}.js"


def data(schedule: Schedule) -> Mixture:
    """The law of the data of the figure, by the oracle of `ddpm_spec.oracles`."""
    weights, means = (
        torch.tensor(list(map(float, part)), dtype=torch.float64)
        for part in zip(*figures.MIXTURE, strict=True)
    )
    spread = torch.full((len(means), 1, 1), float(figures.SPREAD), dtype=torch.float64)
    return Mixture(schedule, weights, means[:, None], spread)


def reverse_mean(law: Mixture, x: torch.Tensor, t: int) -> torch.Tensor:
    """E[x_{t−1} | x_t] by Eq. 11."""
    eps = law.eps(x[:, None], torch.full((len(x),), t))[:, 0]
    return reverse.mean_from_eps(x, eps, row(law.schedule, t))


@pytest.mark.slow
@pytest.mark.browser
def test_the_exact_denoiser_is_the_oracles(page, address) -> None:
    schedule = linear_schedule(40, 1e-3, 0.5)
    law = data(schedule)
    x = torch.linspace(-5.5, 5.5, 301, dtype=torch.float64, requires_grad=True)
    for t in (1, 2, 20, 40):
        at = row(schedule, t)._asdict()
        names = ("mixture_density", "mixture_eps", "mixture_mean", "mixture_slope")
        calls = [[name, [value, at]] for name in names for value in x.tolist()]
        found = torch.tensor(page.evaluate(CALLS, [script(address, "formulas"), calls]), dtype=torch.float64)
        mean = reverse_mean(law, x, t)
        (slope,) = torch.autograd.grad(mean.sum(), x)
        eps = law.eps(x.detach()[:, None], torch.full((len(x),), t))[:, 0]
        expected = torch.stack([law.log_density(x[:, None], t).exp(), eps, mean, slope]).detach()
        largest = expected.abs().amax(dim=1, keepdim=True)
        assert ((found.reshape(4, -1) - expected).abs() / largest).max() < RELATIVE


def sampler_densities(law: Mixture, grid: torch.Tensor, choice: str) -> list[torch.Tensor]:
    """The densities of x_T, …, x_1 of Algorithm 2 on an even grid; a normal law around each reverse mean."""
    width = (grid[1] - grid[0]).item()
    found = [torch.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)]
    for t in range(law.schedule.T, 1, -1):
        at = row(law.schedule, t)
        sigma = math.sqrt(at.beta if choice == "beta" else posterior.posterior_variance(at))
        mean = reverse_mean(law, grid, t)
        kernel = torch.distributions.Normal(mean[:, None], sigma).log_prob(grid).exp()
        found.append(width * found[-1] @ kernel)
    return found


@pytest.mark.slow
@pytest.mark.browser
def test_more_steps_come_closer_to_the_data(page, address) -> None:
    """As docs/loss/sampling.md says; β leaves too much variance, β̃ too little."""
    distances = """async source => {
        const { laws, measured, stretched } = await import(source);
        return ["beta", "beta_tilde"].map(choice => [25, 50, 100].map(T => {
            const { deviation, variation } = measured(laws(T, choice)[0], stretched(T)[0]);
            return [variation, deviation];
        }));
    }"""
    wide, narrow = page.evaluate(distances, script(address, "reverse-mixture"))
    truth = data(linear_schedule())
    mean = (truth.weights * truth.means[:, 0]).sum()
    spread = (float(figures.SPREAD) + (truth.weights * (truth.means[:, 0] - mean) ** 2).sum()).sqrt().item()
    for choice in (wide, narrow):
        variations = [variation for variation, _ in choice]
        assert variations == sorted(variations, reverse=True)
    assert all(deviation > spread for _, deviation in wide)
    assert all(deviation < spread for _, deviation in narrow)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("choice", ["beta", "beta_tilde"])
def test_the_laws_of_the_sampler_are_those_on_a_finer_and_longer_grid(page, address, choice) -> None:
    T = 25
    schedule = linear_schedule(T, 0.1 / T, 20 / T)
    law = data(schedule)
    laws = page.evaluate(CALLS, [script(address, "reverse-mixture"), [["laws", [T, choice]]]])[0]
    found = torch.tensor(
        [[[p["x"], p["density"], p["width"]] for p in one] for one in laws], dtype=torch.float64
    )
    shown = found[T, :, 0]
    half = (shown[1] - shown[0]).item() / 2
    beyond = 40
    grid = shown[0].item() + half * torch.arange(
        -beyond, 2 * (len(shown) - 1) + beyond + 1, dtype=torch.float64
    )
    densities = sampler_densities(law, grid, choice)
    for t in range(T, 0, -1):
        expected = densities[T - t][beyond : len(grid) - beyond : 2]
        assert (found[t, :, 1] - expected).abs().max() < RELATIVE * expected.max(), t
    # The last step moves the points and spreads their mass anew.
    assert (found[0, :, 0] - reverse_mean(law, shown, 1)).abs().max() < RELATIVE
    mass = found[:, :, 1] * found[:, :, 2]
    assert (mass.sum(dim=1) - 1).abs().max() < RELATIVE
    assert (mass[0] - mass[1]).abs().max() < RELATIVE


# ---------------------------------------------------------------------------------------- behaviour

PLACES = {
    "schedule-explorer": "loss/objective/",
    "reverse-mixture": "loss/sampling/",
    "rate-distortion": "loss/coding/",
}


ALONE = """() => {
    const others = document.querySelectorAll(".md-content__inner > :not(.live)");
    for (const part of others) part.remove();
}"""


def at_figure(tab: Any, name: str) -> Any:
    """The figure, once it has been scrolled to and its script has run."""
    tab.locator(name).scroll_into_view_if_needed()
    tab.wait_for_selector(f"{name}:defined")
    return tab.locator(name)


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    tab = context.new_page()
    tab.wrong = []
    tab.on("pageerror", lambda error: tab.wrong.append(str(error)))
    tab.on("console", lambda message: tab.wrong.append(message.text))
    yield tab
    context.close()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("name", figures.NAMES)
def test_a_slider_is_moved_by_keyboard(tab: Any, address: str, name: str) -> None:
    tab.goto(address + PLACES[name])
    figure = at_figure(tab, name)
    slider = figure.get_by_label("Step t", exact=True)
    output, before = figure.locator("output[name='t-value']"), figure.locator(".plates").inner_html()
    value = int(output.inner_text())
    slider.focus()
    tab.keyboard.press("ArrowRight")
    assert int(output.inner_text()) > value
    assert slider.get_attribute("aria-valuetext") == output.inner_text()
    assert figure.locator(".plates").inner_html() != before
    assert tab.wrong == []


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("name", figures.NAMES)
def test_a_figure_is_accessible_and_fits_a_phone(tab: Any, address: str, name: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    tab.goto(address + PLACES[name])
    at_figure(tab, name)
    tab.evaluate(ALONE)  # axe walks through all that is on the page
    for width, scheme in ((1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.emulate_media(color_scheme=scheme)
        dressed = {"light": "default", "dark": "slate"}[scheme]
        tab.wait_for_function(f"document.body.dataset.mdColorScheme === '{dressed}'")
        found = axe.run(tab, context=name, options={"runOnly": rules}).response["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == [], (width, scheme)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
@pytest.mark.browser
def test_what_is_drawn_first_is_what_the_build_drew(browser: Any, tab: Any, address: str) -> None:
    for name, place in PLACES.items():
        tab.goto(address + place)
        at_figure(tab, name)
        still = browser.new_context(java_script_enabled=False)
        other = still.new_page()
        other.goto(address + place)
        assert other.locator(f"{name} svg").first.is_visible()
        assert not other.locator(f"{name} form").is_visible()
        pictures = [one.locator(f"{name} .plates").inner_html() for one in (tab, other)]
        assert pictures[0] == pictures[1]
        still.close()


@pytest.mark.slow
@pytest.mark.browser
def test_a_figure_works_after_a_click_that_loads_no_page(tab: Any, address: str, site: Path) -> None:
    listed = re.sub(r"(?<=<loc>)https?://[^/]+/", address, (site / "sitemap.xml").read_text())
    tab.route("**/sitemap.xml", lambda route: route.fulfill(body=listed, content_type="application/xml"))
    tab.goto(address + "loss/", wait_until="networkidle")
    tab.evaluate("window.kept = true")
    tab.locator(".md-content a[href*='objective'], .md-nav a[href*='objective']").first.click()
    tab.wait_for_url("**/loss/objective/**")
    figure = at_figure(tab, "schedule-explorer")
    figure.locator("[value=cosine]").check()
    assert figure.locator("[name=beta_1]").is_disabled()
    assert tab.evaluate("window.kept")
    assert tab.wrong == []


def test_half_of_the_bits_are_spent_below_one_grey_level() -> None:
    """As docs/loss/coding.md says of the stored run."""
    course = json.loads((DOCS / "results/fig5-digits.json").read_text())["numbers"]["test"]["official"]
    still = next(rate for rate, rms in zip(course["rate"], course["distortion"], strict=True) if rms > 1)
    assert still < max(course["rate"]) / 2


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder of pages with the scripts alone."""
    shutil.copytree(DOCS / "assets/figures", tmp_path / "assets/figures")
    return tmp_path


def test_what_is_not_stored_is_said_to_be_missing(docs: Path) -> None:
    assert "reproduce fig5 --preset digits" in figures.place("rate-distortion", docs)
    assert "<svg" in figures.place("schedule-explorer", docs)


def test_an_unknown_figure_fails_the_build() -> None:
    with pytest.raises(SiteError, match="the figures are schedule-explorer"):
        figures.place("no-such-figure", DOCS)


def test_a_script_that_does_not_run_fails_the_build(docs: Path) -> None:
    script = docs / "assets/figures/schedule-explorer.js"
    script.write_text(script.read_text().replace("export function draw(", "export function draw(,"))
    with pytest.raises(SiteError, match="cannot be drawn"):
        figures.place("schedule-explorer", docs)


@pytest.mark.slow
@pytest.mark.browser
def test_a_letter_with_an_accent_stays_in_the_text_face(page: Any, address: str) -> None:
    page.goto(address + "loss/objective/", wait_until="networkidle")
    at_figure(page, "schedule-explorer")  # once it has drawn: then no letter is replaced by another
    page.evaluate("document.fonts.ready.then(() => true)")
    session = page.context.new_cdp_session(page)
    session.send("DOM.enable")
    session.send("CSS.enable")
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    letters = session.send(
        "DOM.querySelectorAll",
        {"nodeId": root, "selector": ".live .letter, .live .letter *, .live i, .live i *"},
    )["nodeIds"]
    faces = {
        face["familyName"]
        for letter in letters
        for face in session.send("CSS.getPlatformFontsForNode", {"nodeId": letter})["fonts"]
    }
    assert len(letters) > 40
    assert {face for face in faces if not face.startswith("Source Serif 4")} == set()
