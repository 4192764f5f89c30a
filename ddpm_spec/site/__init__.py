"""The reading site: how a derivation becomes HTML. Nothing outside of this package imports it.

`printing` checks a derivation of `ddpm_spec.proofs` and prints it as Markdown, with its reasons
(`printing/derivation.py`). `markdown` extends Python-Markdown, which turns that into HTML; KaTeX draws
the formulas (`markdown/katex.py`). `build` is called by MkDocs (`build/hooks.py`) and puts the pages
together (`build/site.py`). What a build computed, and what it depends on, is remembered by `cache`.

Imports run one way: `cache`, `markdown`, `printing`, `build`. Each may import those before it.
"""

from pathlib import Path

from mkdocs.exceptions import BuildError

__all__ = ["SITE", "SiteError"]

SITE = Path(__file__).parent
"""All code of the site; what is kept of a page holds only while none of it changes."""


class SiteError(BuildError):
    """Something on a page is wrong. MkDocs prints the page and this one line, and stops."""
