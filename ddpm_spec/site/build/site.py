"""One build of the site: what is generated and embedded, page by page."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from markdown import Markdown
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

from ddpm_spec.site import SITE, SiteError
from ddpm_spec.site.build.assets import assets
from ddpm_spec.site.build.links import Links
from ddpm_spec.site.build.places import Places
from ddpm_spec.site.build.rendered import Rendered
from ddpm_spec.site.cache.kept import Kept, libraries
from ddpm_spec.site.cache.sources import Sources
from ddpm_spec.site.markdown.bibliography import Bibliography
from ddpm_spec.site.markdown.katex import Katex
from ddpm_spec.site.markdown.notes import EMBED, HEADING, Note, outside_code
from ddpm_spec.site.markdown.symbols import Symbols

__all__ = ["Site"]

PRINTED = frozenset({"errata", "evidence", "figure", "gaps", "implementations", "proof", "results"})
"""What can be embedded, beside nodes, and comes from the package."""

NOTATION = "notation.md"
"""The page whose table explains the symbols; its own are not marked."""

FORMULAS = ("ddpm_spec/formulas", "ddpm_spec/followups")
"""The rooms whose source the API shows: it is short, and the point."""


@dataclass
class Site:
    """The state of one build."""

    config: MkDocsConfig
    katex: Katex
    packages: Path
    """The folder `node_modules`."""
    files: Files = field(default_factory=lambda: Files([]))
    places: Places = field(default_factory=Places)
    texts: dict[str, str] = field(default_factory=dict)
    """What the page being rendered has from each note; by the empty name, its own text."""
    links: Links = field(init=False)
    rendered: Rendered = field(init=False)

    def __post_init__(self) -> None:
        self.root = Path(self.config.config_file_path).parent
        self.docs = Path(self.config.docs_dir)
        self.bibliography = Bibliography.read(self.docs / "references.bib")
        records = [
            *sorted(self.docs.glob("assets/figures/*.js")),
            *sorted(self.docs.glob("check/*.json")),
            *sorted(self.docs.glob("results/*.json")),
            *sorted(self.docs.glob("results/*.png")),
            *sorted(self.docs.glob("results/conform/*.json")),
        ]
        self.sources = Sources()
        scripts = sorted(SITE.rglob("*.mjs"))
        # Not of what prints alone: where a page stands, as a picture on another links to it, `links` decides.
        code: list[Path | str] = [*self.sources.code("ddpm_spec.site"), *scripts]
        self.kept = Kept("printed", [*code, *records, *libraries("networkx", "sympy", "torch")])
        self.pages: dict[str, str] = self.kept.get("pages", lambda: _package().PAGES)
        notation = self.docs / NOTATION
        self.symbols = Symbols.read(notation.read_text("utf-8") if notation.exists() else "")

    def collect(self, files: Files) -> Files:
        """Add what is generated, and find out where everything stands."""
        self.files = files
        scripts = self.kept.get("scripts", lambda: _package().scripts(self.docs))
        for file in assets(self.config, self.packages, scripts):
            files.append(file)
        self.links = Links(self.config, files, self.pages)
        answers: list[Callable[..., Any]] = [self.render, self.cite, self.links.link, self.links.equation]
        self.rendered = Rendered(self.config, files, answers, self.sources)
        return files

    # ------------------------------------------------------------------------- what Markdown asks for

    def render(self, tex: str, *, display: bool = False) -> str:
        """The place of a formula on the current page."""
        marked = tex if self.links.here.file.src_uri == NOTATION else self.symbols.mark(tex)
        return self.places.formula(self.katex.render(tex, marked, display=display), display=display)

    def cite(self, keys: list[str]) -> str:
        """The HTML of a citation on the current page."""
        for key in keys:
            self.bibliography.note_cited(key, self.links.here.url, self.links.title)
        return self.bibliography.cite(keys, lambda target: f"{self.links.url('references.md')}#{target}")

    # ----------------------------------------------------------------------------------------- embeds

    def expand(self, markdown: str, page: Page) -> str:
        """The text of a page with every `![[…]]` line replaced by what it names."""
        self.links.page, self.texts = page, {"": markdown}
        lines, level = [], 1
        for line, outside in outside_code(markdown):
            heading = HEADING.match(line) if outside else None
            level = len(heading["marks"]) if heading else level
            match = EMBED.match(line) if outside else None
            lines.append(self._embedded(match["note"], match["part"], level) if match else line)
        return "\n".join(lines)

    def _embedded(self, name: str, part: str, level: int) -> str:
        if name == "bibliography":
            return self.bibliography.page()
        if name == "api":
            return _modules(self.root, part)
        if name in PRINTED or name in self.pages:
            return self._printed(name, part)
        text = Note.read(self.root / "notes", name).part(part, level + 1)
        self.texts[name] = self.texts.get(name, "") + "\n\n" + text
        return re.sub(r"\]\(\.\./docs/([^)\s]+)\)", lambda m: f"]({self.links.source(m[1])})", text)

    def draw(self, page: Page, *args: Any) -> None:
        """Render a page; of what is wrong it is said in which note it stands.

        Raises:
            SiteError: if something is wrong.
        """
        try:
            self.rendered.render(page, *args)
        except SiteError as error:
            wrong = [name for name, text in self.texts.items() if self._fails(text) == str(error)]
            if not wrong or "" in wrong:
                raise
            raise type(error)(f"{error}, in {' or '.join(f'notes/{name}.md' for name in wrong)}") from None

    def _fails(self, text: str) -> str:
        """What is wrong with a text that stands alone."""
        extensions, options = self.config.markdown_extensions, self.config.mdx_configs
        try:
            Markdown(extensions=extensions, extension_configs=options).convert(text)
        except SiteError as error:
            return str(error)
        return ""

    def _printed(self, name: str, part: str) -> str:
        page = self.links.here.file.src_uri
        text: str = self.kept.get(
            f"{name}#{part} on {page}",
            lambda: _package().embedded(name, part, self.docs, page, self.links.url),
        )
        return text

    # ------------------------------------------------------------------------------------------- last

    def finish(self) -> None:
        """Put "cited on" into the References page, once every page has been rendered."""
        file = self.files.get_file_from_path("references.md")
        if file is not None and file.page is not None and file.page.content:
            here = file.page.url
            file.page.content = self.bibliography.fill_cited_on(
                file.page.content, lambda url: get_relative_url(url, here)
            )

    def missing(self, page: str) -> str:
        """The page that is served where there is none, with a way on."""
        home = urlsplit(self.config.site_url or "/").path
        return page.replace(
            "<h1>404 - Not found</h1>",
            f'<h1>There is no such page</h1>\n<p>Begin at the <a href="{home}">front page</a>, or search: '
            "for an equation by its number, as <i>eq 7</i>, or for a function by its name.</p>",
        )

    def keep(self) -> None:
        """Leave to the next build what need not be computed again."""
        self.katex.drawn.write()
        self.kept.write()
        self.rendered.write()


def _package() -> Any:
    """What prints from the package; loading it takes seconds."""
    from ddpm_spec.site.printing import embeds

    return embeds


def _modules(root: Path, name: str) -> str:
    """A line for mkdocstrings for each public module in a folder of the package."""
    folder = root / name
    if not folder.is_dir():
        raise SiteError(f"![[api#{name}]]: there is no such folder")
    package = folder.relative_to(root).as_posix().replace("/", ".")
    modules = sorted(file.stem for file in folder.glob("*.py") if not file.name.startswith("_"))
    options = "\n    options: {show_attribute_values: false, show_source: true}" if name in FORMULAS else ""
    return "\n".join(f"::: {package}.{module}{options}" for module in modules)
