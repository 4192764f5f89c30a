"""MkDocs' way into `ddpm_spec.site`: each event is handed on, nothing is decided here."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

from jinja2.bccache import Bucket, BytecodeCache
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

PACKAGE = Path(__file__).parents[2]


def _written() -> dict[Path, float]:
    """When each file of the package was written."""
    return {file: file.stat().st_mtime for file in PACKAGE.rglob("*.py")}


class Templates(BytecodeCache):
    """The templates of the theme, as they were compiled."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Find a template again; the bucket refuses it where its text has changed."""
        if bucket.key in self._compiled:
            bucket.bytecode_from_string(self._compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template."""
        self._compiled[bucket.key] = bucket.bytecode_to_string()


class State:
    """What outlives a rebuild under `mkdocs serve`."""

    site: Any = None
    katex: Any = None
    templates = Templates()
    read = _written()


def on_config(config: MkDocsConfig) -> None:
    """Start a build with the formulas and proofs as they are on disk now."""
    written = _written()
    if written != State.read:
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE.name]:
            del sys.modules[name]
        State.read = written

    from ddpm_spec.site.build.site import Site
    from ddpm_spec.site.markdown.katex import Katex
    from ddpm_spec.site.markdown.npm import fetch_packages

    packages = fetch_packages(Path(config.docs_dir), Path(config.config_file_path).parent / ".cache")
    State.katex = State.katex or Katex(packages)
    State.site = Site(config, State.katex, packages)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add generated files."""
    return State.site.collect(files)


def on_pre_page(page: Page, config: MkDocsConfig, files: Files) -> Page:
    """Render what is not kept."""
    page.render = partial(State.site.draw, page)  # type: ignore[method-assign]
    return page


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Embed notes and derivations."""
    return State.site.expand(markdown, page)


def on_env(env: Any, config: MkDocsConfig, files: Files) -> None:
    """Every page is rendered, and no template is compiled."""
    env.bytecode_cache = State.templates
    State.site.finish()


@event_priority(100)  # before the search plugin reads the page
def on_page_context(context: Any, page: Page, config: MkDocsConfig, nav: Any) -> Any:
    """Every page is whole, its references included."""
    page.content = State.site.places.searched(page.content)
    return context


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """The page is about to be written."""
    return State.site.places.whole(output)


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
