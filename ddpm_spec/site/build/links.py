"""Where pages, equations, notes and their sections stand, seen from the page that is being rendered."""

import posixpath
from html import escape
from pathlib import Path

from markdown.extensions.toc import slugify
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from ddpm_spec.site import SiteError
from ddpm_spec.site.markdown.notes import EMBED, Note, outside_code

__all__ = ["Links"]


class Links:
    """The addresses of one build.

    Args:
        config: of the build.
        files: all files of the site.
        pages: the page of each equation, algorithm, claim and later result, by its id.
    """

    def __init__(self, config: MkDocsConfig, files: Files, pages: dict[str, str]) -> None:
        self._notes = Path(config.config_file_path).parent / "notes"
        self._vault: list[str] = config.extra["vault"]
        self._files = files
        self._pages = pages
        self.page: Page | None = None
        """The page being rendered."""
        self._shown: dict[tuple[str, str], File] = {}
        """The page that embeds a part of a note."""
        for file in files.documentation_pages():
            for line, outside in outside_code(file.content_string):
                match = EMBED.match(line)
                if outside and match:
                    self._shown[match["note"], match["part"].casefold()] = file

    @property
    def here(self) -> Page:
        """The page being rendered."""
        assert self.page is not None  # noqa: S101 (set before any page is rendered)
        return self.page

    @property
    def title(self) -> str:
        """The title of the page, with that of its section where another page has the same."""
        here = self.here
        alike = [f for f in self._files.documentation_pages() if f.page and f.page.title == here.title]
        return f"{here.title} ({here.parent.title})" if here.parent and len(alike) > 1 else str(here.title)

    def link(self, target: str, text: str | None) -> str:
        """The HTML of a wiki link on the current page; plain text where it leads into the reader's vault.

        Raises:
            SiteError: if there is no such page, equation, note or section.
        """
        name, _, heading = target.partition("#")
        label = escape(text or (heading if heading and not name else target))
        if target in self._vault:
            return label
        if self._files.get_file_from_path(f"{name}.md"):
            href = self.url(f"{name}.md") + (f"#{slugify(heading, '-')}" if heading else "")
        elif name in self._pages:
            href = f"{self.url(self._pages[name])}#{name}"
        else:
            href = self._note_url(name, heading, target)
        return f'<a href="{escape(href)}">{label}</a>'

    def equation(self, number: str) -> str | None:
        """Where an equation of the paper stands, seen from the current page; nothing where it does not."""
        target = f"eq-{number}"
        return f"{self.url(self._pages[target])}#{target}" if target in self._pages else None

    def url(self, src_uri: str) -> str:
        """The address of a page, by its source.

        Raises:
            SiteError: if there is none.
        """
        file = self._files.get_file_from_path(src_uri)
        if file is None:
            raise SiteError(f"the page {src_uri} is missing")
        return file.url_relative_to(self.here.file)

    def source(self, uri: str) -> str:
        """A file of `docs/`, as Markdown on this page names it."""
        return posixpath.relpath(uri, posixpath.dirname(self.here.file.src_uri) or ".")

    def _note_url(self, name: str, heading: str, target: str) -> str:
        """Where a heading of a note stands on the site."""
        if name and not (self._notes / f"{name}.md").is_file():
            raise SiteError(
                f"[[{target}]] leads nowhere: neither a page, an equation nor a note is called “{name}”"
            )
        for (note, part), file in self._shown.items():
            if name not in ("", note) or not (self._notes / f"{note}.md").is_file():
                continue
            if not heading or part == heading.casefold():
                return self.url(file.src_uri)
            inside = Note(note, Note.read(self._notes, note).part(part)).headings
            if any(h.title.casefold() == heading.casefold() for h in inside):
                return f"{self.url(file.src_uri)}#{slugify(heading, '-')}"
        raise SiteError(f"[[{target}]] leads nowhere: no page shows that section")
