"""The Markdown extension by itself: what becomes mathematics, a citation or a link, and what does not."""

import pytest

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from markdown import Markdown
from mkdocs_autorefs import AutorefsExtension

from ddpm_spec.site import SiteError
from ddpm_spec.site.markdown.extension import Markup


def render(text: str) -> str:
    """The HTML, with ⟦…⟧ around inline and ⟦⟦…⟧⟧ around display mathematics."""
    markup = Markup(
        render=lambda tex, display: f"⟦⟦{tex.strip()}⟧⟧" if display else f"⟦{tex}⟧",
        cite=lambda keys: f"<cite>{'+'.join(keys)}</cite>",
        link=lambda target, text: f"<a href='{target}'>{text or target}</a>",
        equation=lambda number: f"#eq-{number}" if number != "99" else None,
    )
    extensions = [markup, "tables", "pymdownx.superfences", "md_in_html", "attr_list"]
    return Markdown(extensions=extensions).convert(text)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a $x_t$ b", "<p>a ⟦x_t⟧ b</p>"),
        ("$a*b*c$ and *em*", "<p>⟦a*b*c⟧ and <em>em</em></p>"),
        (r"$x<y$, $\{a\}$", r'<p><span class="whole short">⟦x<y⟧,</span> ⟦\{a\}⟧</p>'),
        ("`$x$` and $y$", "<p><code>$x$</code> and ⟦y⟧</p>"),
        ("`x-y --a-b <c>`", '<p><code>x-y <span class="whole">--a-b</span> &lt;c&gt;</code></p>'),
        ("$a + b + c + d + e + f + g$.", '<p><span class="whole">⟦a + b + c + d + e + f + g⟧.</span></p>'),
        (r"\$5 and \$6", "<p>$5 and $6</p>"),
        ("costs $5 or $6 each", "<p>costs $5 or $6 each</p>"),
        ("costs $5–$6 each", "<p>costs $5–$6 each</p>"),
        ("$x$-axis ($y$)", '<p>⟦x⟧-axis <span class="whole short">(⟦y⟧)</span></p>'),
        ("$$\nx^2\n$$", "<p>⟦⟦x^2⟧⟧</p>"),
        ("$$x^2$$", "<p>⟦⟦x^2⟧⟧</p>"),
        ("``` math\nx^2\n```", "<p>⟦⟦x^2⟧⟧</p>"),
        ("- item\n\n    $$\n    x\n    $$\n", "<ul>\n<li>\n<p>item</p>\n<p>⟦⟦x⟧⟧</p>\n</li>\n</ul>"),
        ("see [@ho2020ddpm]", "<p>see <cite>ho2020ddpm</cite></p>"),
        ("see [@a2020; @b:21]", "<p>see <cite>a2020+b:21</cite></p>"),
        ("`[@key]` [@no key]", "<p><code>[@key]</code> [@no key]</p>"),
        ("[[ddpm#Summary|here]]", "<p><a href='ddpm#Summary'>here</a></p>"),
        ("`[[x]]` [[x]]", "<p><code>[[x]]</code> <a href='x'>x</a></p>"),
        ("By Eq. 7.", '<p>By <span class="whole">Eq. <a href="#eq-7">7</a></span>.</p>'),
        (
            "Eqs. 6, 7 and 99",
            '<p><span class="whole">Eqs. <a href="#eq-6">6</a></span>, <a href="#eq-7">7</a> and 99</p>',
        ),
        ("[Eq. 7](other)", '<p><a href="other">Eq. 7</a></p>'),
        ("`Eq. 7`", "<p><code>Eq. 7</code></p>"),
        ("q(x_{t−1} | x_t)", "<p>q(x<sub>t−1</sub> | x<sub>t</sub>)</p>"),
        ("σ_t² and x̂_0", "<p>σ<sub>t</sub>² and x̂<sub>0</sub></p>"),
        (
            "*x_0^i*, 2^KL, p(x)^{1+w}",
            "<p><em>x<sub>0</sub><sup>i</sup></em>, 2<sup>KL</sup>, p(x)<sup>1+w</sup></p>",
        ),
        ("2β_1..β_T/x_1", "<p>2β<sub>1</sub>..β<sub>T</sub>/x<sub>1</sub></p>"),
        ("Σ_{t>1} D_KL", "<p>Σ<sub>t&gt;1</sub> D<sub>KL</sub></p>"),
        ("log_p, q_sample, `x_t` and from_x_0", "<p>log_p, q_sample, <code>x_t</code> and from_x_0</p>"),
    ],
)
def test_what_becomes_what(text: str, html: str) -> None:
    assert render(text) == html


def test_a_fence_of_code_is_left_alone() -> None:
    html = render("``` text\n$$\nx\n$$\n$y$ [@z] [[w]]\n```")
    assert "⟦" not in html
    assert "[@z] [[w]]" in html


def test_mathematics_in_a_table_and_in_html() -> None:
    assert "<td>⟦a \\mid b⟧</td>" in render("| x |\n|---|\n| $a \\mid b$ |\n")
    assert render('<p class="r" markdown="span">by $x$</p>') == '<p class="r">by ⟦x⟧</p>'


@pytest.mark.parametrize("text", ["$$\nx\n\ny\n$$", "$$\nx", "``` math\nx"])
def test_a_display_that_is_never_closed_is_refused(text: str) -> None:
    with pytest.raises(SiteError, match="never closed: x"):
        render(text)


def test_an_equation_inside_a_cross_reference_is_no_link_of_its_own() -> None:
    markup = Markup(
        render=lambda tex, display: tex,
        cite=str,
        link=lambda target, text: target,
        equation=lambda number: f"#eq-{number}",
    )
    html = Markdown(extensions=[markup, AutorefsExtension()]).convert("[by Eq. 7 at *x*][ddpm_spec.laws]")
    assert "by Eq. 7 at <em>x</em></autoref>" in html
