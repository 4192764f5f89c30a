"""A page that would come out as before is not rendered again, and nothing is different or missed for it."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

import mkdocs.commands.build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort
from mkdocs.structure.pages import Page

from ddpm_spec.site.build import rendered as rendered_pages
from ddpm_spec.site.cache import kept

ROOT = Path(__file__).parents[2]
FILES = {
    "mkdocs.yml": f"""
site_name: test
theme: {{name: null, custom_dir: theme}}
hooks: [{ROOT / "ddpm_spec/site/build/hooks.py"}]
exclude_docs: "*.json\\n*.bib"
validation: {{anchors: warn}}
plugins:
  - material/search: {{lang: en, separator: " ", pipeline: []}}
  - autorefs
  - mkdocstrings:
      handlers:
        python:
          paths: [.]
          options: {{backlinks: tree, separate_signature: true, show_signature_annotations: true}}
markdown_extensions:
  [ddpm_spec.site.markdown.extension, attr_list, pymdownx.superfences, toc: {{permalink: "¶"}}]
extra: {{vault: []}}
""",
    "theme/main.html": "{{ page.title }} {{ page.toc }} {{ page.content }}",
    "docs/index.md": "# Home\n\n## Here\n\n$x_t$ [@a2020], [mean][demo.inner.mean], [far](other.md#there).\n",
    "docs/other.md": "# Other\n\n## There\n\n[Above][here], [[index]], ![[note#Part]]\n\n![[note#Part]]\n",
    "docs/api.md": "# API\n\n::: demo\n",
    "docs/references.md": "# References\n\n![[bibliography#]]\n",
    "docs/references.bib": "@misc{a2020, title={A}, author={Ann Ant}, year={2020}, keywords={ddpm}}",
    "notes/note.md": "## Part\n\nA note.\n",
    "demo/__init__.py": '"""About `mean`."""\n\nfrom demo.inner import mean\n\n__all__ = ["mean"]\n',
    "demo/inner.py": 'def mean(x: float) -> float:\n    """The mean of $x_0$."""\n    return x\n',
}


@pytest.fixture
def site(tmp_path: Path, packages: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small site with a package, whose builds keep what they render in a folder of their own."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "docs" / name, tmp_path / "docs")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / packages.parent.name).symlink_to(packages.parent)
    monkeypatch.setattr(kept, "PACKAGE", tmp_path / "demo")
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


@pytest.fixture
def build(
    site: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Callable[[], tuple[set[str], list[str]]]:
    """Builds the site strictly; returns the pages that were rendered, and what was warned about."""
    rendered: set[str] = set()
    render = Page.render

    def noting(page: Page, *args: object) -> None:
        rendered.add(page.file.src_uri)
        render(page, *args)

    monkeypatch.setattr(Page, "render", noting)

    def run() -> tuple[set[str], list[str]]:
        rendered.clear()
        caplog.clear()
        config = load_config(str(site / "mkdocs.yml"), site_dir=str(site / "site"), strict=True)
        config.plugins.on_startup(command="build", dirty=False)
        try:
            with caplog.at_level(logging.WARNING):
                mkdocs.commands.build.build(config)
        except Abort:
            assert caplog.messages
        finally:
            config.plugins.on_shutdown()
        return set(rendered), list(caplog.messages)

    return run


Build = Callable[[], tuple[set[str], list[str]]]


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def written(site: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in (site / "site").rglob("*.*") if file.suffix != ".gz"}


def test_a_second_build_renders_nothing_and_writes_the_same(site: Path, build: Build) -> None:
    assert build() == ({"index.md", "other.md", "api.md", "references.md"}, [])
    first = written(site)
    assert b"Referenced by" in first[str(site / "site/api/index.html")]

    assert b"Cited on" in first[str(site / "site/references/index.html")]
    assert build() == (set(), [])
    assert written(site) == first


def test_search_reads_what_the_api_says_but_not_its_signatures(site: Path, build: Build) -> None:
    build()
    assert (site / "site/api/index.html").read_text().count("float") > 2
    index = (site / "site/search/search_index.json").read_text()
    assert "The mean of" in index
    assert "float" not in index


def test_only_what_changed_is_rendered(site: Path, build: Build) -> None:
    build()
    change(site / "docs/index.md", "## Here", "## Here, too { #here }")
    assert build() == ({"index.md"}, [])
    assert "Here, too" in (site / "site/api/index.html").read_text()
    change(site / "notes/note.md", "A note", "Another note")
    assert build() == ({"other.md"}, [])
    assert "Another note" in (site / "site/other/index.html").read_text()
    change(site / "demo/inner.py", "The mean", "Half of the mean")
    assert build() == ({"api.md"}, [])
    assert "Half of the mean" in (site / "site/api/index.html").read_text()
    assert "Half of the mean" in (site / "site/search/search_index.json").read_text()
    change(site / "docs/references.bib", "Ann Ant", "Bob Bee")
    assert build() == ({"index.md", "references.md"}, [])
    assert "Bee, 2020" in (site / "site/index.html").read_text()


def test_a_page_of_the_api_is_rendered_where_it_would_differ(site: Path, build: Build) -> None:
    half = 'def half(x: float) -> float:\n    """Half."""\n    return mean(x) / 2\n'
    (site / "demo/other.py").write_text(f'from demo.inner import mean\n\n__all__ = ["half"]\n\n\n{half}')
    (site / "demo/again.py").write_text('from demo.inner import mean\n\n__all__ = ["mean"]\n')
    for name, module in {"inner": "inner", "half": "other", "again": "again"}.items():
        (site / f"docs/{name}.md").write_text(f"# {name}\n\n::: demo.{module}\n")
    assert build()[1] == []
    change(site / "demo/other.py", "Half.", "One half.")
    assert build() == ({"api.md", "half.md"}, [])
    change(site / "demo/inner.py", "The mean", "Half of the mean")
    assert build() == ({"api.md", "inner.md", "again.md"}, [])
    assert "Half of the mean" in (site / "site/again/index.html").read_text()
    change(site / "demo/inner.py", "return x", "return +x")
    assert build() == ({"api.md", "inner.md", "again.md"}, [])
    change(site / "demo/inner.py", "x: float", "x: int")
    assert build() == ({"api.md", "inner.md", "half.md", "again.md"}, [])


@pytest.mark.parametrize(
    ("file", "old", "new", "warning"),
    [
        ("docs/other.md", "## There", "## Elsewhere", "does not contain an anchor '#there'"),
        ("docs/index.md", "## Here", "## Nowhere", "Could not find cross-reference target 'here'"),
        ("demo/__init__.py", '["mean"]', "[]", "Could not find cross-reference target 'demo.inner.mean'"),
        ("docs/references.bib", "a2020", "b2020", "unknown citation [@a2020]"),
        ("notes/note.md", "Part", "Whole", "notes/note.md has no section “Part”"),
        ("docs/index.md", "other.md", "another.md", "is not found among documentation files"),
        ("demo/inner.py", "$x_0$", "$x_{$", "KaTeX cannot read the formula `x_{`"),
    ],
)
def test_what_goes_wrong_on_pages_that_are_kept_is_said_in_every_build(
    site: Path, build: Build, file: str, old: str, new: str, warning: str
) -> None:
    assert build()[1] == []
    change(site / file, old, new)
    for _ in range(2):
        assert any(warning in line for line in build()[1])
    change(site / file, new, old)
    assert build()[1] == []


def test_what_is_kept_is_what_a_fresh_build_writes(
    site: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "demo/again.py").write_text('"""See [it][demo.again.mean]."""\n\n__all__ = ["mean"]\n')
    (site / "docs/again.md").write_text("# Again\n\n[One][demo.mean]\n\n::: demo.again\n")
    build()
    changes = [
        ("demo/again.py", '\n\n__all__ = ["mean"]', '\n\nfrom demo.inner import mean\n\n__all__ = ["mean"]'),
        ("demo/inner.py", "The mean", "A mean"),
        ("demo/__init__.py", '["mean"]', '["mean", "C"]\n\nC = 3\n"""[It][demo.again.mean]"""'),
        ("demo/inner.py", "def mean", "def other() -> None:\n    pass\n\n\ndef mean"),
        ("docs/index.md", "## Here", "## Here, too { #here }"),
        ("notes/note.md", "A note", "Another note"),
    ]
    for name, old, new in changes:
        change(site / name, old, new)
        build()
        found = written(site)
        with monkeypatch.context() as fresh:
            fresh.setenv("CI", "true")
            build()
        assert written(site) == found


def test_all_is_rendered_again_where_code_of_the_site_changed(
    site: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = site / "own" / "deep" / "module.py"
    code.parent.mkdir(parents=True)
    code.write_text("A = 1\n")
    monkeypatch.setattr(rendered_pages, "SITE", site / "own")
    build()
    assert build() == (set(), [])
    change(code, "A = 1", "A = 2")
    assert build() == ({"index.md", "other.md", "api.md", "references.md"}, [])


def test_a_page_that_is_gone_is_missed(site: Path, build: Build) -> None:
    build()
    (site / "docs/other.md").unlink()
    assert any("'other.md#there'" in line for line in build()[1])
