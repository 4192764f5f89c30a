"""What the site's Markdown can do beyond Python-Markdown: mathematics, citations and links.

- `$…$`, `$$…$$` on lines of its own and fences called `math` become KaTeX's HTML;
- `[@key]` and `[@key; @other]` become links into the References page;
- `Eq. 7` and `Eqs. 6 and 7` become links to the equations;
- `x_t`, `ᾱ_{t−1}` and `2^KL`, as docstrings write them, get their indices below and above the line;
- `[[target]]`, `[[target#heading]]` and `[[target|text]]` become links to pages and sections.

Dollars and brackets inside code stay what they are. The callables that do the work are options
of the extension.
"""

import re
from collections.abc import Callable
from html import escape
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString

from ddpm_spec.site import SiteError

__all__ = ["EQUATION_NUMBERS", "Markup", "makeExtension"]

SHORT = 24
"""Letters of TeX in a formula that a phone's width is not too narrow for."""

_FENCE = re.compile(r"^(?P<indent>[ ]*)(?P<fence>`{3,}|~{3,})[ ]*(?P<info>[^`]*)$")
_INLINE = r"(?<![\\$])\$(?!\s)((?:\\.|[^$\\])+?)(?<!\s)\$(?!\d)"
_MARKED_OFF = rf"(\(?){_INLINE}([).,;:?!]*)"
_CITATION = r"\[@([\w:.-]+(?:\s*;\s*@[\w:.-]+)*)\]"
EQUATION_NUMBERS = r"\bEqs?\.\s\d+(?:(?:, | and |–)\d+)*"
_INDEX = r"(?:\{[^{}]+\}|[A-Za-z0-9½α-ω]+(?![A-Za-z0-9_]))"
# Not q_sample, which is a function.
_LETTER = r"(?<![^\W\d])(?<!(?<!\.)\.)(?![pq]_[a-z]{2})[^\W\d_][\u0300-\u036f']*"
_INDEXED = rf"(?:{_LETTER}|(?<![\w.])\d+|\))(?:_{_INDEX}|\^{_INDEX})+"
_WIKI_LINK = r"(?<!!)\[\[([^\[\]|\n]+)(?:\|([^\[\]\n]+))?\]\]"


class DisplayMath(Preprocessor):
    """Stashes the HTML of display mathematics before any block of Markdown or HTML is read."""

    def __init__(self, md: Markdown, render: Callable[..., str]) -> None:
        super().__init__(md)
        self.render = render

    def run(self, lines: list[str]) -> list[str]:
        """The lines with each formula replaced by its place in the stash."""
        out: list[str] = []
        rest = iter(lines)
        for line in rest:
            fence = _FENCE.match(line)
            if fence and fence["info"].strip() == "math":
                out += self._block(fence["indent"], _until(rest, fence["fence"], "a fence of mathematics"))
            elif fence:
                out += [line, *_through(rest, fence["fence"])]
            elif line.strip().startswith("$$"):
                out += self._block(line[: len(line) - len(line.lstrip())], _dollars(line.strip()[2:], rest))
            else:
                out.append(line)
        return out

    def _block(self, indent: str, tex: str) -> list[str]:
        placeholder = self.md.htmlStash.store(self.render(tex, display=True))
        return ["", indent + placeholder, ""]


def _until(rest: Any, closing: str, what: str) -> str:
    body: list[str] = []
    for line in rest:
        if line.strip().startswith(closing):
            return "\n".join(body)
        body.append(line)
    raise SiteError(f"{what} is never closed: {' '.join(body).strip()[:60]}")


def _through(rest: Any, closing: str) -> list[str]:
    body: list[str] = []
    for line in rest:
        body.append(line)
        if line.strip().startswith(closing):
            break
    return body


def _dollars(first: str, rest: Any) -> str:
    """The formula that a line starting with `$$` opens; it may close on the same line."""
    body = [first]
    while not body[-1].rstrip().endswith("$$"):
        line = next(rest, None)
        if line is None or not line.strip():
            raise SiteError(f"a formula between $$ and $$ is never closed: {' '.join(body).strip()[:60]}")
        body.append(line)
    return "\n".join(body).rstrip().removesuffix("$$")


class _Html(InlineProcessor):
    """An inline pattern whose match becomes ready HTML."""

    def __init__(self, pattern: str, md: Markdown, html: Callable[[re.Match[str]], str]) -> None:
        super().__init__(pattern, md)
        self.html = html

    def handleMatch(  # type: ignore[override]
        self, m: re.Match[str], data: str
    ) -> tuple[str | Element | None, int | None, int | None]:
        """Stash the HTML."""
        return self.md.htmlStash.store(self.html(m)), m.start(0), m.end(0)


class _Equations(_Html):
    """The same, but not inside what is clicked on already."""

    ANCESTOR_EXCLUDES = ("a", "autoref", "summary")


class Options(Treeprocessor):
    """Keeps a word of code such as `--beta-1` in one piece; a browser would break it behind a hyphen."""

    def run(self, root: Element) -> None:
        """Wrap each such word of code in a line of text."""
        for code in [code for code in root.iter("code") if code.text and not len(code)]:
            first, *pieces = re.split(r"((?:(?<=\s)|^)-[\w-]+)", code.text or "")
            code.text = AtomicString(first)
            for word, behind in zip(pieces[::2], pieces[1::2], strict=True):
                whole = SubElement(code, "span", {"class": "whole"})
                whole.text, whole.tail = AtomicString(word), AtomicString(behind)


def _whole(before: str, formula: str, after: str, tex: str) -> str:
    """A formula that no line break parts from its punctuation; a browser would break there.

    One of a few letters is not broken inside either, since a browser that may do that parts its end too.
    """
    kind = "whole short" if len(tex) <= SHORT else "whole"
    return f'<span class="{kind}">{before}{formula}{after}</span>' if before or after else formula


def _indexed(text: str) -> str:
    """Letters with `_` and `^` as they would be printed, the braces gone."""
    return re.sub(
        rf"([_^])({_INDEX})",
        lambda m: "<{0}>{1}</{0}>".format("sub" if m[1] == "_" else "sup", m[2].strip("{}")),
        escape(text),
    )


def _numbers(text: str, equation: Callable[[str], str | None]) -> str:
    """Equation numbers with their links; no line break parts the first from its "Eq."."""
    linked = re.sub(r"\d+", lambda n: _linked(n[0], equation(n[0])), text)
    return re.sub(r"^Eqs?\.\s(?:<a [^>]*>)?\d+(?:</a>)?", r'<span class="whole">\g<0></span>', linked)


def _linked(text: str, href: str | None) -> str:
    return f'<a href="{href}">{text}</a>' if href else text


class Markup(Extension):
    """The additions, each by a callable given as an option.

    Options:
        render: (tex, display=bool) → HTML.
        cite: (keys) → HTML.
        link: (target, text or None) → HTML.
        equation: (number) → address or None.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.config = {name: [str, name] for name in ("render", "cite", "link", "equation")}
        super().__init__(**kwargs)

    def extendMarkdown(self, md: Markdown) -> None:
        """Register: before HTML blocks and fences (20–25), after code spans (190), before escapes (180)."""
        render, cite, link, equation = (self.getConfig(name) for name in self.config)
        md.ESCAPED_CHARS.append("$")
        md.preprocessors.register(DisplayMath(md, render), "display-math", 28)
        inline = _Html(_MARKED_OFF, md, lambda m: _whole(m[1], render(m[2], display=False), m[3], m[2]))
        md.inlinePatterns.register(inline, "inline-math", 185)
        citation = _Html(_CITATION, md, lambda m: cite([key.strip("@ \n") for key in m[1].split(";")]))
        md.inlinePatterns.register(citation, "citation", 175)
        wiki_link = _Html(_WIKI_LINK, md, lambda m: link(m[1].strip(), m[2] and m[2].strip()))
        md.inlinePatterns.register(wiki_link, "wiki-link", 174)
        # Below every kind of link (120–170), so that the text of a link is known to be one.
        equations = _Equations(EQUATION_NUMBERS, md, lambda m: _numbers(m[0], equation))
        md.inlinePatterns.register(equations, "equation", 50)
        md.treeprocessors.register(Options(md), "options", 15)  # behind inline patterns (20)
        md.inlinePatterns.register(_Html(_INDEXED, md, lambda m: _indexed(m[0])), "indices", 45)


def makeExtension(**kwargs: Any) -> Markup:
    """The hook by which Python-Markdown finds the extension."""
    return Markup(**kwargs)
