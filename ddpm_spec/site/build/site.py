"""One build of the site: what is generated, embedded and linked, page by page."""

import hashlib
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from markdown import Markdown
from markdown.extensions.toc import slugify
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

from ddpm_spec.site import SITE, SiteError
from ddpm_spec.site.build.rendered import Rendered
from ddpm_spec.site.cache.kept import Kept, libraries
from ddpm_spec.site.cache.sources import Sources
from ddpm_spec.site.markdown import katex
from ddpm_spec.site.markdown.bibliography import Bibliography
from ddpm_spec.site.markdown.notes import EMBED, HEADING, Note, outside_code
from ddpm_spec.site.markdown.symbols import Symbols

__all__ = ["Site"]

FACES = [
    f"source-serif-4-{face}"
    for face in (
        "latin-400-normal",
        "latin-400-italic",
        "latin-600-normal",
        "greek-400-normal",
        "greek-400-italic",
    )
]
"""The cuts of the text face that the style sheet names."""

PRINTED = frozenset({"errata", "evidence", "figure", "gaps", "proof", "results"})
"""What can be embedded, beside nodes, and comes from the package."""

NOTATION = "notation.md"
"""The page whose table explains the symbols; its own are not marked."""

SHORT = 12
"""Characters of a formula that somebody may search for; the index is a third of what a page loads."""

_PLACE = re.compile(r'<(?P<tag>div|span) data-place="(?P<name>\w+)">[^<]*</(?P=tag)>')

_UNSEARCHED = re.compile(
    r'<details class="mkdocstrings-source">.*?</details>'
    r'|<div class="doc doc-backlinks">.*?</div>'
    r'|<div class="[^"]*\bdoc-signature\b[^"]*">.*?</div>',
    re.DOTALL,
)
"""What the API repeats of the source and of other pages. None holds another element of its own kind."""

ACCENTS = {"^": "\u0302", "~": "\u0303", "ˉ": "\u0304"}
"""What KaTeX draws over a letter, and what stands over it in plain text."""

FORMULAS = ("ddpm_spec/formulas", "ddpm_spec/followups")
"""The rooms whose source the API shows: it is short, and the point."""


@dataclass
class Site:
    """The state of one build."""

    config: MkDocsConfig
    katex: katex.Katex
    packages: Path
    """The folder `node_modules`."""
    page: Page | None = None
    """The page being rendered."""
    files: Files = field(default_factory=lambda: Files([]))
    places: dict[str, str] = field(default_factory=dict)
    """The HTML that is put into a page when it is written, and the name of its place."""
    shown: dict[tuple[str, str], File] = field(default_factory=dict)
    """The page that embeds a part of a note."""
    texts: dict[str, str] = field(default_factory=dict)
    """What the page being rendered has from each note; by the empty name, its own text."""
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
        ]
        self.sources = Sources()
        scripts = sorted(SITE.rglob("*.mjs"))
        code: list[Path | str] = [*self.sources.code("ddpm_spec.site.printing"), *scripts]
        self.kept = Kept("printed", [*code, *records, *libraries("networkx", "sympy", "torch")])
        self.pages: dict[str, str] = self.kept.get("pages", lambda: _package().PAGES)
        notation = self.docs / NOTATION
        self.symbols = Symbols.read(notation.read_text("utf-8") if notation.exists() else "")

    # ------------------------------------------------------------------------------------ mathematics

    def render(self, tex: str, *, display: bool = False) -> str:
        """The place of a formula: a box that holds its letters until the page is written.

        KaTeX draws a formula with hundreds of boxes, and the search plugin would read them all, which takes
        longer than the rest of the build. The letters of a short formula in a line can be searched.
        """
        marked = tex if self._here.file.src_uri == NOTATION else self.symbols.mark(tex)
        html = self.katex.render(tex, marked, display=display)
        tag, letters = ("div", "") if display else ("span", _letters(html))
        return self._place(html, tag, letters if len(letters) <= SHORT else "")

    def _place(self, html: str, tag: str = "div", searched: str = "") -> str:
        name = hashlib.sha256(html.encode()).hexdigest()[:16]
        self.places[name] = html
        return f'<{tag} data-place="{name}">{searched}</{tag}>'

    def searched(self, content: str) -> str:
        """The content of a page with places for what search is to leave out."""
        return _UNSEARCHED.sub(lambda part: self._place(part[0]), content)

    def whole(self, page: str) -> str:
        """The page with all that belongs in its places."""
        return _PLACE.sub(lambda place: self.whole(self.places[place["name"]]), page)

    def missing(self, page: str) -> str:
        """The page that is served where there is none, with a way on."""
        home = urlsplit(self.config.site_url or "/").path
        return page.replace(
            "<h1>404 - Not found</h1>",
            f'<h1>There is no such page</h1>\n<p>Begin at the <a href="{home}">front page</a>, or search: '
            "for an equation by its number, as <i>eq 7</i>, or for a function by its name.</p>",
        )

    # ------------------------------------------------------------------------------------------ files

    def collect(self, files: Files) -> Files:
        """Add what comes from npm, and find out which page embeds which part of which note."""
        self.files = files
        faces = self.packages / "@fontsource/source-serif-4/files"
        taken = {
            **{
                f"katex/fonts/{font.name}": font
                for font in (self.packages / "katex/dist/fonts").glob("*.woff2")
            },
            **{f"fonts/{face}.woff2": faces / f"{face}.woff2" for face in FACES},
        }
        css = katex.stylesheet(self.packages)
        files.append(File.generated(self.config, "assets/katex/katex.css", content=css))
        scripts = self.kept.get("scripts", lambda: _package().scripts(self.docs))
        for name, script in scripts.items():
            files.append(File.generated(self.config, f"assets/figures/{name}", content=script))
        for name, path in sorted(taken.items()):
            files.append(File.generated(self.config, f"assets/{name}", abs_src_path=str(path)))
        for file in files.documentation_pages():
            for line, outside in outside_code(file.content_string):
                match = EMBED.match(line)
                if outside and match:
                    self.shown[match["note"], match["part"].casefold()] = file
        answers: list[Callable[..., Any]] = [self.render, self.cite, self.link, self.equation]
        self.rendered = Rendered(self.config, files, answers, self.sources)
        return files

    # ----------------------------------------------------------------------------------------- embeds

    def expand(self, markdown: str, page: Page) -> str:
        """The text of a page with every `![[…]]` line replaced by what it names."""
        self.page, self.texts = page, {"": markdown}
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
        return re.sub(r"\]\(\.\./docs/([^)\s]+)\)", lambda m: f"]({self._relative_source(m[1])})", text)

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
        page = self._here.file.src_uri
        text: str = self.kept.get(
            f"{name}#{part} on {page}",
            lambda: _package().embedded(name, part, self.docs, page, self._url),
        )
        return text

    def _relative_source(self, uri: str) -> str:
        return posixpath.relpath(uri, posixpath.dirname(self._here.file.src_uri) or ".")

    @property
    def _here(self) -> Page:
        assert self.page is not None  # noqa: S101 (set before any page is rendered)
        return self.page

    @property
    def _name(self) -> str:
        """The title of the page, with that of its section where another page has the same."""
        here = self._here
        alike = [f for f in self.files.documentation_pages() if f.page and f.page.title == here.title]
        return f"{here.title} ({here.parent.title})" if here.parent and len(alike) > 1 else str(here.title)

    # ------------------------------------------------------------------------------------------ links

    def cite(self, keys: list[str]) -> str:
        """The HTML of a citation on the current page."""
        for key in keys:
            self.bibliography.note_cited(key, self._here.url, self._name)
        return self.bibliography.cite(keys, lambda target: f"{self._url('references.md')}#{target}")

    def link(self, target: str, text: str | None) -> str:
        """The HTML of a wiki link on the current page; plain text where it leads into the reader's vault.

        Raises:
            SiteError: if there is no such page, equation, note or section.
        """
        name, _, heading = target.partition("#")
        label = escape(text or (heading if heading and not name else target))
        if target in self.config.extra["vault"]:
            return label
        if self.files.get_file_from_path(f"{name}.md"):
            href = self._url(f"{name}.md") + (f"#{slugify(heading, '-')}" if heading else "")
        elif name in self.pages:
            href = f"{self._url(self.pages[name])}#{name}"
        else:
            href = self._note_url(name, heading, target)
        return f'<a href="{escape(href)}">{label}</a>'

    def equation(self, number: str) -> str | None:
        """Where an equation of the paper stands, seen from the current page; nothing where it does not."""
        target = f"eq-{number}"
        return f"{self._url(self.pages[target])}#{target}" if target in self.pages else None

    def _note_url(self, name: str, heading: str, target: str) -> str:
        """Where a heading of a note stands on the site."""
        if name and not (self.root / "notes" / f"{name}.md").is_file():
            raise SiteError(
                f"[[{target}]] leads nowhere: neither a page, an equation nor a note is called “{name}”"
            )
        for (note, part), file in self.shown.items():
            if name not in ("", note) or not (self.root / "notes" / f"{note}.md").is_file():
                continue
            if not heading or part == heading.casefold():
                return self._url(file.src_uri)
            inside = Note(note, Note.read(self.root / "notes", note).part(part)).headings
            if any(h.title.casefold() == heading.casefold() for h in inside):
                return f"{self._url(file.src_uri)}#{slugify(heading, '-')}"
        raise SiteError(f"[[{target}]] leads nowhere: no page shows that section")

    def _url(self, src_uri: str) -> str:
        file = self.files.get_file_from_path(src_uri)
        if file is None:
            raise SiteError(f"the page {src_uri} is missing")
        return file.url_relative_to(self._here.file)

    # ------------------------------------------------------------------------------------------- last

    def keep(self) -> None:
        """Leave to the next build what need not be computed again."""
        self.katex.drawn.write()
        self.kept.write()
        self.rendered.write()

    def finish(self) -> None:
        """Put "cited on" into the References page, once every page has been rendered."""
        file = self.files.get_file_from_path("references.md")
        if file is not None and file.page is not None and file.page.content:
            here = file.page.url
            file.page.content = self.bibliography.fill_cited_on(
                file.page.content, lambda url: get_relative_url(url, here)
            )


def _package() -> Any:
    """What prints from the package; loading it takes seconds."""
    from ddpm_spec.site.printing import embeds

    return embeds


@cache
def _letters(html: str) -> str:
    """What a reader sees of a drawn formula, without its arrangement but for accents."""
    letters = re.sub(r"<[^>]*>", "", html.partition('<span class="katex-html"')[2].partition(">")[2])
    return re.sub(r"(?<=[^\W\d_])[\^~ˉ]", lambda accent: ACCENTS[accent[0]], letters)


def _modules(root: Path, name: str) -> str:
    """A line for mkdocstrings for each public module in a folder of the package."""
    folder = root / name
    if not folder.is_dir():
        raise SiteError(f"![[api#{name}]]: there is no such folder")
    package = folder.relative_to(root).as_posix().replace("/", ".")
    modules = sorted(file.stem for file in folder.glob("*.py") if not file.name.startswith("_"))
    options = "\n    options: {show_attribute_values: false, show_source: true}" if name in FORMULAS else ""
    return "\n".join(f"::: {package}.{module}{options}" for module in modules)
