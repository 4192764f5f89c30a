"""MkDocs' way into `ddpm_spec.site`: each event is handed on, nothing is decided here."""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

PACKAGE = Path(__file__).parents[1]


class State:
    """What outlives a rebuild under `mkdocs serve`."""

    site: Any = None
    katex: Any = None
    read_at: float = time.time()


def on_config(config: MkDocsConfig) -> None:
    """Start a build with the formulas and proofs as they are on disk now."""
    changed_at = max(file.stat().st_mtime for file in PACKAGE.rglob("*.py"))
    if changed_at > State.read_at:
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE.name]:
            del sys.modules[name]
        State.read_at = changed_at

    from ddpm_spec.site import katex
    from ddpm_spec.site.build import Site

    packages = katex.fetch_packages(Path(config.docs_dir), Path(config.config_file_path).parent / ".cache")
    State.katex = State.katex or katex.Katex(packages)
    State.site = Site(config, State.katex, packages)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add generated files."""
    return State.site.collect(files)


def on_pre_page(page: Page, config: MkDocsConfig, files: Files) -> Page:
    """Render what is not kept."""
    page.render = partial(State.site.rendered.render, page)  # type: ignore[method-assign]
    return page


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Embed notes and derivations."""
    return State.site.expand(markdown, page)


def on_env(env: Any, config: MkDocsConfig, files: Files) -> None:
    """Every page is rendered."""
    State.site.finish()


@event_priority(100)  # before the search plugin reads the page
def on_page_context(context: Any, page: Page, config: MkDocsConfig, nav: Any) -> Any:
    """Every page is whole, its references included."""
    page.content = State.site.searched(page.content)
    return context


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """The page is about to be written."""
    return State.site.whole(output)


def on_post_template(output_content: str, template_name: str, config: MkDocsConfig) -> str:
    """A page outside of the navigation is about to be written."""
    return State.site.missing(output_content) if template_name == "404.html" else output_content


def on_post_build(config: MkDocsConfig) -> None:
    """All is written."""
    State.site.keep()


def on_shutdown() -> None:
    """End the Node process."""
    if State.katex:
        State.katex.close()
        State.katex = None
