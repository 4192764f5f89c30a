"""HTML that is put into a page only when it is written, so that the search plugin does not read it.

KaTeX draws a formula with hundreds of boxes. Search would read them all, which takes longer than the rest of
the build, and the API would be found twice, by its text and by its source.
"""

import hashlib
import re
from functools import cache

__all__ = ["Places"]

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


class Places:
    """The HTML of each place, by the name of the place."""

    def __init__(self) -> None:
        self._html: dict[str, str] = {}

    def formula(self, html: str, *, display: bool) -> str:
        """The place of a drawn formula; the letters of a short one in a line can be searched."""
        if display:
            return self._place(html)
        letters = _letters(html)
        return self._place(html, "span", letters if len(letters) <= SHORT else "")

    def _place(self, html: str, tag: str = "div", searched: str = "") -> str:
        name = hashlib.sha256(html.encode()).hexdigest()[:16]
        self._html[name] = html
        return f'<{tag} data-place="{name}">{searched}</{tag}>'

    def searched(self, content: str) -> str:
        """The content of a page with places for what search is to leave out."""
        return _UNSEARCHED.sub(lambda part: self._place(part[0]), content)

    def whole(self, page: str) -> str:
        """The page with all that belongs in its places."""
        return _PLACE.sub(lambda place: self.whole(self._html[place["name"]]), page)


@cache
def _letters(html: str) -> str:
    """What a reader sees of a drawn formula, without its arrangement but for accents."""
    letters = re.sub(r"<[^>]*>", "", html.partition('<span class="katex-html"')[2].partition(">")[2])
    return re.sub(r"(?<=[^\W\d_])[\^~ˉ]", lambda accent: ACCENTS[accent[0]], letters)
