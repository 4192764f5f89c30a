"""Symbols of the Notation page are marked in formulas, and marking changes nothing else."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from ddpm_spec.proofs import DERIVATIONS
from ddpm_spec.proofs.followups import DERIVATIONS as BEYOND
from ddpm_spec.site.markdown.katex import Katex
from ddpm_spec.site.markdown.symbols import Symbols
from ddpm_spec.site.mathematics.equations import pieces

ROOT = Path(__file__).parents[2]
SYMBOLS = Symbols.read((ROOT / "docs/notation.md").read_text())
ENCLOSING = re.compile(r'<span class="enclosing(?: mtight)?" data-symbol="[^"]*">')


@pytest.mark.parametrize(
    ("tex", "marked"),
    [
        ("x_t", {"x_t": "x_t"}),
        (r"x_{t-1} + x_0 + x_{0:T}", {"x_{t-1}": "x_t", "x_0": "x_0"}),
        (r"\sqrt{\bar\alpha_{t-1}}\,x_0", {r"\bar\alpha_{t-1}": "baralpha_t", "x_0": "x_0"}),
        (r"\bar{\alpha}_{t} \hat x_0", {r"\bar{\alpha}_{t}": "baralpha_t", r"\hat x_0": "hatx_0"}),
        (r"\sigma_t^2 \sigma_1^2", {r"\sigma_t^2": "sigma_t", r"\sigma_1^2": "sigma_t"}),
        (
            r"\epsilon - \epsilon_\theta(x_t, t)",
            {r"\epsilon": "epsilon", r"\epsilon_\theta": "epsilon_theta"},
        ),
        (r"L_T + L_{t-1} + L_\mathrm{simple}", {"L_T": "L_T", "L_{t-1}": "L_t-1"}),
        (r"\mathrm{SNR}(t)", {r"\mathrm{SNR}": "mathrmSNR"}),
        (r"\sigma_t^{*2} x_t' \mu_\theta^i \hat\epsilon \tilde \epsilon \epsilon' \exp x_i", {}),
        (r"\bar\alpha_t' \tilde p_\theta \sum_{t=1}^T \beta(t)", {}),
    ],
)
def test_what_is_marked(tex: str, marked: dict[str, str]) -> None:
    found = re.findall(
        r"\\htmlData\{symbol=([^}]*)\}\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}", SYMBOLS.mark(tex)
    )
    assert {shown: key for key, shown in found}.items() >= marked.items()
    assert bool(found) == bool(marked)


def _formulas() -> Iterator[str]:
    """What stands on the pages: every line of every derivation, and what the authors typed."""
    for one in (*DERIVATIONS, *BEYOND):
        for form in (*(line.form for line in one.lines), one.end):
            yield from (rf"\displaystyle {piece}" for piece in pieces(form))
    for path in (*ROOT.glob("docs/**/*.md"), *ROOT.glob("notes/**/*.md")):
        for display, inline in re.findall(
            r"\$\$(.+?)\$\$|(?<![\\$])\$(?!\s)([^$\n]+?)(?<!\s)\$(?!\d)", path.read_text(), re.S
        ):
            yield display or inline


def _plain(html: str) -> str:
    """The drawing without its marks."""
    out, depth, enclosing = [], 0, []
    for part in re.split(r"(<span[^>]*>|</span>)", html):
        if part == "</span>":
            depth -= 1
            if enclosing and enclosing[-1] == depth:
                enclosing.pop()
                continue
        elif part.startswith("<span"):
            depth += 1
            if ENCLOSING.fullmatch(part):
                enclosing.append(depth - 1)
                continue
        out.append(part)
    return "".join(out)


def test_marking_changes_neither_the_drawing_nor_mathml(packages: Path) -> None:
    katex = Katex(packages)
    formulas = sorted(set(_formulas()))
    marks = 0
    for tex in formulas:
        plain, marked = katex.render(tex), katex.render(tex, SYMBOLS.mark(tex))
        marks += marked.count("data-symbol")
        assert unescape(_plain(marked)) == unescape(plain), tex
    katex.close()
    assert len(formulas) > 500
    assert marks > len(formulas)
