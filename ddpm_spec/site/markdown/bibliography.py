"""Citations and the References page, from a BibTeX file by pybtex."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from html import escape
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from pybtex.backends.html import Backend
from pybtex.database import BibliographyData, Entry, parse_file
from pybtex.plugin import find_plugin
from pybtex.richtext import Text

from ddpm_spec.site import SiteError
from ddpm_spec.site.cache.kept import Kept, libraries

__all__ = ["Bibliography", "UnknownCitation"]

# Headings of the References page, by the first keyword of an entry, in this order.
GROUPS = {
    "ddpm": "The paper",
    "cited-by-ddpm": "Cited by the paper",
    "background": "Background the paper does not cite",
    "gap-sampling": "Faster sampling",
    "gap-likelihood": "Likelihood",
    "gap-variance": "Learned variance",
    "gap-schedule": "Noise schedules",
    "gap-weighting": "Weighting of the loss",
    "gap-discretisation": "Discretisation",
    "gap-guidance": "Guidance and conditioning",
    "gap-resolution": "High resolution",
    "gap-architecture": "Architecture",
    "gap-modality": "Other modalities",
    "gap-metric": "Evaluation",
    "gap-memorisation": "Memorisation",
    "gap-theory": "Theory",
}


class UnknownCitation(SiteError):
    """A key that the bibliography does not have."""


@dataclass
class Bibliography:
    """The entries of one file and the pages that cite them."""

    data: BibliographyData
    texts: dict[str, str]
    """The entries as HTML."""
    cited: dict[str, dict[str, str]] = field(default_factory=dict)
    """For each key, the pages that cite it: address → title."""

    @classmethod
    def read(cls, path: Path) -> "Bibliography":
        """The bibliography in a .bib file."""
        return cls(*_formatted(path, path.stat().st_mtime))

    def label(self, key: str) -> str:
        """Author and year, as they stand in running text, with a letter where others have the same.

        Raises:
            UnknownCitation: if there is no such entry.
        """
        return self._author_and_year(self._entry(key)) + self.letters.get(key, "")

    @cached_property
    def letters(self) -> dict[str, str]:
        """a, b, … for the entries that share authors and year, in the order of their keys."""
        alike: dict[str, list[str]] = {}
        for key, entry in sorted(self.data.entries.items()):
            alike.setdefault(self._author_and_year(entry), []).append(key)
        several = (keys for keys in alike.values() if len(keys) > 1)
        return {key: letter for keys in several for key, letter in zip(keys, ascii_lowercase, strict=False)}

    @staticmethod
    def _author_and_year(entry: Entry) -> str:
        names = [_last_name(person) for person in entry.persons.get("author", ())]
        match names:
            case []:
                authors = _plain(entry.fields.get("title", entry.key))
            case [one]:
                authors = one
            case [one, two]:
                authors = f"{one} and {two}"
            case [first, *_]:
                authors = f"{first} et al."
        return f"{authors}, {entry.fields.get('year', 'n.d.')}"

    def cite(self, keys: Iterable[str], href: Callable[[str], str]) -> str:
        """The HTML of one citation; `href` gives the address of an entry's anchor."""
        links = []
        for key in keys:
            label, title = self.label(key), _plain(self._entry(key).fields["title"])
            links.append(f'<a href="{escape(href(anchor(key)))}" title="{escape(title)}">{escape(label)}</a>')
        return f'<span class="cite"><span>(</span>{"; ".join(links)}<span>)</span></span>'

    def note_cited(self, key: str, url: str, title: str) -> None:
        """Remember that a page cites an entry."""
        self.cited.setdefault(key, {})[url] = title

    def page(self) -> str:
        """The References page in Markdown: every entry once, grouped, each with an anchor."""
        parts = []
        for group, heading in GROUPS.items():
            keys = [key for key, entry in self.data.entries.items() if _group(entry) == group]
            keys.sort(key=lambda key: (self.label(key).casefold(), key))
            parts.append(f"## {heading} {{ #refs-{group} }}\n")
            parts.append('<ul class="references">')
            for key in keys:
                marks = ""
                if number := self._entry(key).fields.get("note", ""):
                    marks = f' <span class="ref-number" title="Its number in the paper">{number}</span>'
                if key in self.letters:
                    marks += f' <span class="ref-number">cited as {self.label(key)}</span>'
                parts.append(f'<li id="{anchor(key)}">{self.texts[key]}{marks}<!-- cited:{key} --></li>')
            parts.append("</ul>\n")
        return "\n".join(parts)

    def fill_cited_on(self, html: str, href: Callable[[str], str]) -> str:
        """The References page with "cited on" put in, once every other page has been rendered."""
        for key, entry in self.data.entries.items():
            pages = self.cited.get(key, {})
            links = ", ".join(
                f'<a href="{escape(href(url))}">{escape(title)}</a>' for url, title in pages.items()
            )
            cited = f"Cited on {links}" if pages else ""
            if not pages and _group(entry) == "cited-by-ddpm":
                cited = "Cited by the paper only"
            cited = f'<span class="cited-on">{cited}</span>' if cited else ""
            html = html.replace(f"<!-- cited:{key} -->", cited)
        return html

    def _entry(self, key: str) -> Entry:
        if key not in self.data.entries:
            raise UnknownCitation(f"unknown citation [@{key}]: docs/references.bib has no such key")
        return self.data.entries[key]


@cache
def _formatted(path: Path, _: float) -> tuple[BibliographyData, dict[str, str]]:
    """The entries of a file and their HTML, done once for each state of the file."""
    data = parse_file(str(path))
    kept = Kept("references", [path, Path(__file__), *libraries("pybtex")])
    texts = {key: kept.get(key, partial(_as_html, key, entry)) for key, entry in data.entries.items()}
    kept.write()
    return data, texts


@cache
def _style() -> Any:
    """Found once: to find it takes longer than to format a hundred entries by it."""
    return find_plugin("pybtex.style.formatting", "plain")(abbreviate_names=True)


def _as_html(key: str, entry: Entry) -> str:
    fields = [(name, value) for name, value in entry.fields.items() if name not in ("note", "keywords")]
    shown = Entry(entry.type, fields, persons=entry.persons)
    return str(_style().format_entry(key, shown).text.render(Backend("utf-8")).replace("\n", " "))


def anchor(key: str) -> str:
    """The id of an entry on the References page."""
    return f"ref-{key}"


def _group(entry: Entry) -> str:
    keyword = entry.fields.get("keywords", "").split(",")[0].strip()
    if keyword not in GROUPS:
        raise SiteError(f"docs/references.bib: [@{entry.key}] has the unknown keyword {keyword!r}")
    return str(keyword)


def _last_name(person: Any) -> str:
    return _plain(" ".join([*person.prelast_names, *person.last_names]))


@cache
def _plain(tex: str) -> str:
    return str(Text.from_latex(tex))
