"""Pages as the last build rendered them, found again where they would not come out otherwise.

A page is rendered anew unless its Markdown, with all that is embedded, is what it was, and each formula,
citation and link on it gets the answer that it got. To ask again does what asking does: formulas are drawn,
it is noted what is cited where, and what is wrong stops the build. A page of the API is also rendered anew
after any change of the modules that it shows, or of what is seen of another module from outside; a page that
something was warned about, in every build.

References from page to page are resolved by the plugins in every build, when all pages are there. What a page
told them while it was rendered is kept with it, and told again.
"""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import mkdocs
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import AnchorLink, get_toc
from mkdocs.utils import CountHandler

from ddpm_spec.site import SITE
from ddpm_spec.site.cache.kept import Kept, libraries
from ddpm_spec.site.cache.sources import Sources

__all__ = ["Rendered"]

_AUTODOC = re.compile(r"^#* *::: +(\S+)", re.MULTILINE)


class Rendered:
    """What earlier builds rendered.

    Args:
        config: of the build, with its plugins.
        files: all files of the site.
        answers: the options of the Markdown extension, by their names.
        sources: the modules of the package.
    """

    def __init__(
        self,
        config: MkDocsConfig,
        files: Files,
        answers: Iterable[Callable[..., Any]],
        sources: Sources,
    ) -> None:
        installed = Path(mkdocs.__file__).parents[1].glob("*.dist-info")
        names = sorted(folder.name for folder in installed), sorted(file.src_uri for file in files)
        site = sorted(SITE.rglob("*.py"))
        known: list[Path | str] = [Path(config.config_file_path), json.dumps(names), *site, *libraries()]
        self._sources = sources
        self._pages = Kept("pages", known)
        self._names = Kept("names", [*known, *sources.shown()])
        self._asked: list[Any] = []
        self._told: list[Any] = []
        self._answers = {answer.__name__: answer for answer in answers}
        self._hearers: dict[str, Callable[..., Any]] = {}
        config.mdx_configs["ddpm_spec.site.markdown.extension"] = {
            name: partial(self._ask, name) for name in self._answers
        }
        if {"autorefs", "mkdocstrings"} <= set(config.plugins):
            self._listen(config, config.plugins["autorefs"], config.plugins["mkdocstrings"])
        self._searched = Kept("searched", known)
        plugins: dict[str, Any] = dict(config.plugins)
        if "material/search" in plugins:
            self._read_once(plugins["material/search"].search_index)

    def _listen(self, config: MkDocsConfig, autorefs: Any, mkdocstrings: Any) -> None:
        """Hear what a page tells the plugins: its anchors, and the objects that it describes."""
        register, inventory = autorefs.register_anchor, mkdocstrings.handlers.inventory
        self._hearers = {
            "anchor": lambda *anchor, **about: register(autorefs.current_page, *anchor, **about),
            "object": inventory.register,
        }
        autorefs.register_anchor = lambda _, *anchor, **about: self._tell("anchor", *anchor, **about)
        inventory.register = partial(self._tell, "object")
        # At the end of a build it is asked for the other names of each object, whether or not any was read.
        handler = mkdocstrings.get_handler("python")
        handler.update_env(config)
        aliases = handler.get_aliases
        handler.get_aliases = lambda name: self._names.get(name, lambda: list(aliases(name)))

    def _read_once(self, index: Any) -> None:
        """Let search read only the pages that have changed; it takes as long as all else."""
        read = index.add_entry_from_context

        def read_once(page: Page) -> None:
            state = [page.content, page.url, page.title, page.meta, [_token(item) for item in page.toc]]
            digest, before = _digest(state), len(index.entries)
            found = self._searched.find(page.file.src_uri)
            if found and found["of"] == digest:
                index.entries += found["entries"]
                return
            read(page)
            self._searched.put(page.file.src_uri, {"of": digest, "entries": index.entries[before:]})

        index.add_entry_from_context = read_once

    def _ask(self, question: str, *args: Any, **options: Any) -> Any:
        answer = self._answers[question](*args, **options)
        self._asked.append([question, args, options, answer])
        return answer

    def _tell(self, what: str, *args: Any, **options: Any) -> None:
        self._told.append([what, args, options])
        self._hearers[what](*args, **options)

    def render(self, page: Page, config: MkDocsConfig, files: Files) -> None:
        """As `Page.render`, which it calls where it has to."""
        modules = _AUTODOC.findall(page.markdown or "")
        shown = self._sources.shown(*modules) if modules else []
        text = _digest([page.markdown, page.meta, shown])
        found = self._pages.find(page.file.src_uri)
        if not (found and found["text"] == text and self._holds(found)):
            self._asked, self._told = [], []
            with _warnings() as warnings:
                Page.render(page, config, files)
            if not warnings.get_counts():
                self._pages.put(page.file.src_uri, {"text": text, **self._state(page)})
            return
        page.content = found["content"]
        page.title = found["title"]
        page.toc = get_toc(found["toc"])
        page.present_anchor_ids = set(found["anchors"])
        page.links_to_anchors = {files.src_uris[uri]: links for uri, links in found["links"].items()}
        for what, args, options in found["told"]:
            self._hearers[what](*args, **options)

    def _holds(self, found: dict[str, Any]) -> bool:
        """Ask again, up to the first other answer."""
        return all(self._answers[question](*a, **o) == answer for question, a, o, answer in found["asked"])

    def _state(self, page: Page) -> dict[str, Any]:
        return {
            "asked": self._asked,
            "told": self._told,
            "content": page.content,
            "title": page.title,
            "toc": [_token(item) for item in page.toc],
            "anchors": sorted(page.present_anchor_ids or ()),
            "links": {file.src_uri: links for file, links in (page.links_to_anchors or {}).items()},
        }

    def write(self) -> None:
        """Keep what was rendered for the next build."""
        self._pages.write()
        self._names.write()
        self._searched.write()


@contextmanager
def _warnings() -> Iterator[CountHandler]:
    """Counts what is warned about meanwhile."""
    counter, logger = CountHandler(), logging.getLogger("mkdocs")
    counter.setLevel(logging.WARNING)
    logger.addHandler(counter)
    try:
        yield counter
    finally:
        logger.removeHandler(counter)


def _digest(state: list[Any]) -> str:
    return hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest()


def _token(item: AnchorLink) -> dict[str, Any]:
    children = [_token(child) for child in item.children]
    return {"name": item.title, "id": item.id, "level": item.level, "children": children}
