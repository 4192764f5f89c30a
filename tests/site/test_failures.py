"""What is wrong on a page stops the build with one line that names the page and the place."""

import logging
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

import mkdocs.commands.build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from ddpm_spec.ops.typeset import letter
from ddpm_spec.proofs.engine import Line, Value
from ddpm_spec.site.markdown import npm
from ddpm_spec.site.printing import index

ROOT = Path(__file__).parents[2]
VALIDATION = re.search(r"^validation:\n(?: .*\n)*", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
CONFIG = f"""
{VALIDATION[0] if VALIDATION else ""}
site_name: test
plugins: [autorefs]
theme: {{name: null, custom_dir: theme}}
hooks: [{ROOT / "ddpm_spec/site/build/hooks.py"}]
exclude_docs: "*.json\\n*.bib"
markdown_extensions: [ddpm_spec.site.markdown.extension, md_in_html, attr_list, pymdownx.superfences]
extra: {{vault: [Diffusion Models]}}
"""

ENTRY = """
@inproceedings{ho2020ddpm, title = {Denoising Diffusion Probabilistic Models}, year = {2020},
  author = {Ho, Jonathan and Jain, Ajay and Abbeel, Pieter}, booktitle = {NeurIPS}, keywords = {ddpm}}
"""

Build = Callable[[str], str]


@pytest.fixture
def build(
    tmp_path: Path, packages: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Build:
    """Builds a site of one page, strictly; returns the page, or what stopped the build."""
    (tmp_path / "mkdocs.yml").write_text(CONFIG)
    for folder in ("docs/loss", "notes", "theme"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "docs" / name, tmp_path / "docs")
    (tmp_path / "docs/references.bib").write_text(ENTRY)
    monkeypatch.setenv("CI", "true")  # nothing kept by other builds
    (tmp_path / ".cache").symlink_to(ROOT / ".cache")
    (tmp_path / "theme/main.html").write_text("{{ page.content }}")
    (tmp_path / "notes/ddpm.md").write_text("### One\n#### Two\nIn [[Diffusion Models]], see [[#Two]].\n")
    (tmp_path / "docs/references.md").write_text("# References\n")
    for page in set(index.PAGES.values()):
        (tmp_path / "docs" / page).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "docs" / page).write_text("")

    def run(markdown: str) -> str:
        (tmp_path / "docs/page.md").write_text(markdown)
        config = load_config(str(tmp_path / "mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True)
        config.plugins.on_startup(command="build", dirty=False)
        try:
            with caplog.at_level(logging.WARNING):
                mkdocs.commands.build.build(config)
        except Abort:
            return "\n".join(caplog.messages)
        finally:
            config.plugins.on_shutdown()
        return (tmp_path / "site/page/index.html").read_text()

    return run


def test_a_page_with_nothing_wrong(build: Build) -> None:
    page = build("# Page\n\n![[ddpm#One]]\n\n$x_t$ of Eq. 7 [@ho2020ddpm], [[eq-4]] and [[ddpm#Two|two]].\n")
    assert 'id="two"' in page
    assert "In Diffusion Models, see" in page
    assert page.count('href="./#two"') + page.count('href="#two"') == 2
    assert 'href="../references/#ref-ho2020ddpm"' in page
    assert 'href="../loss/posterior/#eq-7"' in page
    assert 'href="../loss/forward/#eq-4"' in page
    assert "<math" in page


@pytest.mark.parametrize(
    ("markdown", "line"),
    [
        (r"$\frac{1$", r"KaTeX cannot read the formula `\frac{1`: Unexpected end of input"),
        (
            "$$\n\\notacommand\n$$",
            r"KaTeX cannot read the formula `\notacommand`: Undefined control sequence",
        ),
        ("$$\nx", "a formula between $$ and $$ is never closed: x"),
        ("[@nobody1999]", "unknown citation [@nobody1999]: docs/references.bib has no such key"),
        ("![[other#One]]", "there is no note notes/other.md"),
        ("![[ddpm#Three]]", "notes/ddpm.md has no section “Three”; it has “One”, “Two”"),
        ("[[nowhere]]", "[[nowhere]] leads nowhere"),
        ("![[ddpm#One]]\n\n[[ddpm#Three]]", "[[ddpm#Three]] leads nowhere: no page shows that section"),
        ("![[eq-7#proof]]", "![[eq-7#proof]]: a node has the parts statement"),
        ("![[eq-1#derivation]]", "ddpm_spec.proofs derives nothing for eq-1"),
        ("[there](nowhere.md)", "a link 'nowhere.md', but the target is not found"),
        ("[there](references.md#nowhere)", "does not contain an anchor '#nowhere'"),
        ("[there][nowhere]", "Could not find cross-reference target 'nowhere'"),
    ],
)
def test_what_is_wrong_is_named(build: Build, markdown: str, line: str) -> None:
    said = build(markdown)
    assert "page.md" in said
    assert line in said
    assert "in notes/" not in said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (r"$\notacommand$", r"`\notacommand`: Undefined control sequence"),
        ("$$\n\\frac{1\n$$", r"`\frac{1`: Unexpected end of input"),
        ("[@ho2020ddpm; @nobody1999]", "unknown citation [@nobody1999]: docs/references.bib has no such key"),
        ("[[nowhere]]", "[[nowhere]] leads nowhere"),
        ("- An item, $x\n  \\notacommand$", "Undefined control sequence"),
        ("> In a quotation, $x\n> \\notacommand$", "Undefined control sequence"),
        ("> [@ho2020ddpm;\n> @nobody1999]", "unknown citation [@nobody1999]"),
        ("$$\nx", "a formula between $$ and $$ is never closed: x"),
    ],
)
def test_what_is_wrong_in_a_note_is_named(build: Build, tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "notes/deep").mkdir()
    (tmp_path / "notes/deep/other.md").write_text(f"### Three\n{text}\n")
    said = build("![[ddpm#One]]\n\n![[deep/other#Three]]\n\n[@ho2020ddpm]\n")
    assert "page.md" in said
    assert line in said
    assert said.endswith(", in notes/deep/other.md")


def test_what_a_note_lacks_is_named_by_its_place(build: Build, tmp_path: Path) -> None:
    (tmp_path / "notes/deep").mkdir()
    (tmp_path / "notes/deep/other.md").write_text("### Three\n")
    assert "notes/deep/other.md has no section “Four”" in build("![[deep/other#Four]]")


def test_a_false_step_is_named(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    good = next(d for d in index.DERIVATIONS if "eq-15" in d.nodes)
    wrong = replace(good, lines=(*good.lines, Line(Value(letter("x_t")), "By mistake.")))
    monkeypatch.setattr(index, "DERIVATIONS", (wrong,))
    said = build("![[eq-15#derivation]]")
    assert "page.md" in said
    assert f"the derivation of eq-15 has a false step. {good.title}: line 3 (By mistake.)" in said


def test_no_registry_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_fetch_retry_mintimeout", "1")
    with pytest.raises(npm.FetchError, match=r"could not be fetched .* \(.*127\.0\.0\.1:9.*connect to"):
        npm.fetch_packages(ROOT / "docs", tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
