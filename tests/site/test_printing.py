"""What is printed from the derivations says the same as the derivations."""

import re
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from ddpm_spec.formulas import posterior
from ddpm_spec.paper import NODES
from ddpm_spec.proofs import DERIVATIONS, Derivation
from ddpm_spec.proofs.engine import Form
from ddpm_spec.site import SiteError
from ddpm_spec.site.mathematics.derivation import steps
from ddpm_spec.site.mathematics.equations import equation, pieces, summands
from ddpm_spec.site.mathematics.listing import source
from ddpm_spec.site.mathematics.prose import prose
from ddpm_spec.site.mathematics.proved import prove
from ddpm_spec.site.printing import nodes

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("tex", "cut"),
    [
        ("a", ["a"]),
        ("a + b - c", ["a", "{}+ b", "{}- c"]),
        (r"\frac{a + b}{c} + d", [r"\frac{a + b}{c}", "{}+ d"]),
        (r"\left(a + b\right) c - \sqrt{1 - x}", [r"\left(a + b\right) c", r"{}- \sqrt{1 - x}"]),
        (r"\begin{aligned}&-a \\ &+ b\end{aligned}", ["-a", "{}+ b"]),
        ("-a + b", ["-a", "{}+ b"]),
        (
            r"D_{\mathrm{KL}}\left(q \,\|\, p(x)\right) + c",
            [r"D_{\mathrm{KL}}\bigl(q", r"{}\,\|\, p(x)\bigr)", "{}+ c"],
        ),
        (
            r"\log\left[\Phi\left(\frac{a}{b}\right) - \Phi\left(c - \left(-1\right)\right)\right]",
            [r"\log\Biggl[\Phi\left(\frac{a}{b}\right)", r"{}- \Phi\left(c - \left(-1\right)\right)\Biggr]"],
        ),
        (
            r"e^{\log\left[\Phi\left(a\right) - \Phi\left(b\right)\right]}",
            [r"e^{\log\left[\Phi\left(a\right) - \Phi\left(b\right)\right]}"],
        ),
        (r"-\frac{\frac{a}{b} - 1}{2} x + c", [r"-\tfrac12\biggl(\frac{a}{b}", r"{}- 1\biggr) x", "{}+ c"]),
        (r"\frac{a + b}{2}", [r"\frac{a + b}{2}"]),
        (r"\frac{a + b - c + d}{2}", [r"\tfrac12\bigl(a", "{}+ b", "{}- c", r"{}+ d\bigr)"]),
        (r"a -\log b", ["a", r"{}-\log b"]),
        (r"\begin{aligned}&a + b \\ &- c\end{aligned}", ["a", "{}+ b", "{}- c"]),
        (r"\sum \left(\log p - \log q\right)", [r"\sum (\log p", r"{}- \log q)"]),
        (r"\left(1 - \log q\right)^{2}", [r"\left(1 - \log q\right)^{2}"]),
    ],
)
def test_a_sum_is_cut_between_its_terms(tex: str, cut: list[str]) -> None:
    assert summands(tex) == cut


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("x_t and posterior_mean", "$x_{t}$ and posterior_mean"),
        ("Σβ_t at V_{t−1}", r"Σ$\beta_{t}$ at $V_{t-1}$"),
        ("σ_1² = β̃_2, ᾱ_0", r"$\sigma_{1}^2$ = $\tilde{\beta}_{2}$, $\bar{\alpha}_{0}$"),
        ("given $x_0$, a | b", "given $x_0$, a &#124; b"),
        ("σ*² < 1", r"σ\*² &lt; 1"),
        ("1e-5, or 2.9e-05, of v1e-5", r"${10^{-5}}$, or ${2.9 \cdot 10^{-5}}$, of v1e-5"),
    ],
)
def test_symbols_in_plain_text_become_mathematics(text: str, markdown: str) -> None:
    assert prose(text) == markdown


def test_the_root_of_a_variance_is_written_as_the_deviation() -> None:
    rows = [r"x = \frac{y}{\sqrt{\sigma_1^{2}}}", r"{}+ \sqrt{\sigma_t^2} z"]
    assert r"$\displaystyle x = \frac{y}{\sigma_1}$ $\displaystyle {}+ \sigma_t z$" in equation(rows)


def test_a_root_ends_before_the_next_letter() -> None:
    rows = [r"\sqrt{\bar\alpha_{t-1}} x_0", r"{}+ \sqrt{\frac{a}{b_{t}}}\epsilon_t + \sqrt{s}"]
    assert equation(rows) == (
        r'<p class="rows" markdown="span">$\displaystyle \sqrt{\bar\alpha_{t-1}}\,x_0$ '
        r"$\displaystyle {}+ \sqrt{\frac{a}{b_{t}}}\,\epsilon_t + \sqrt{s}$</p>" + "\n"
    )


def _marks(tex: str) -> list[str]:
    """Letters, signs and commands in order, without what only frames or spaces them."""
    return re.findall(
        r"\\[A-Za-z]+|[\w+-]", re.sub(r"\\(begin|end)\{aligned\}|\\(left|right|[bB]igg?[lr])", "", tex)
    )


@pytest.mark.parametrize(
    "form", [form for d in DERIVATIONS for form in (*(line.form for line in d.lines), d.end)]
)
def test_cutting_a_line_loses_nothing(form: Form) -> None:
    whole = re.sub(r"\\tfrac12\\([bB]igg?)l\((.*?)\\\1r\)", r"\\frac{\2}{2}", "".join(pieces(form)))
    assert _marks(whole) == _marks(form.tex)


def _checks(derivation: Derivation) -> int:
    return len(derivation.lines) + sum(_checks(lemma) for lemma in derivation.lemmas)


@pytest.mark.parametrize("derivation", DERIVATIONS, ids=lambda d: d.title)
def test_every_line_is_printed_with_its_reason_and_check(derivation) -> None:
    page = steps(prove(derivation))
    for line in derivation.lines:
        assert line.reason in page
    assert page.count('<details class="check') == _checks(derivation)
    assert "checked at points" not in page


def test_the_code_is_shown_without_its_docstring() -> None:
    text = source(posterior.posterior_variance)
    assert text.startswith("def posterior_variance(at: Step) -> Number:\n    return ")
    assert '"""' not in text


@pytest.mark.parametrize("node", NODES.values(), ids=lambda node: node.id)
def test_every_node_has_a_statement(node) -> None:
    assert "$" in nodes.part(node.id, "statement", ROOT)


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(SiteError, match=r"!\[\[eq-7#proof\]\]: a node has the parts statement, derivation"):
        nodes.part("eq-7", "proof", ROOT)
