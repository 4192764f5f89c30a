"""The reading site, which MkDocs builds. Nothing outside of this package imports it.

How a derivation becomes HTML:

1. `build/hooks.py` is called by MkDocs. `build/site.py` reads a page and finds `![[eq-7#derivation]]` on it.
2. `printing/embeds.py` knows what that stands for, and `printing/nodes.py` puts it together.
3. `mathematics/proved.py` checks the derivation, and `mathematics/derivation.py` prints it as Markdown.
4. `markdown/extension.py` is our part of Python-Markdown, which makes HTML of the page. It asks
   `markdown/katex.py` for each formula, and `build/links.py` for each link.

What a build has computed is kept for the next one by `cache`. Imports run one way: `cache`, `markdown`,
`mathematics`, `printing`, `build`, each from those before it.
"""

from pathlib import Path

from mkdocs.exceptions import BuildError

__all__ = ["SITE", "SiteError"]

SITE = Path(__file__).parent
"""The code of the site; a page that is kept holds only while none of it changes."""


class SiteError(BuildError):
    """Something on a page is wrong. MkDocs prints the page and this one line, and stops."""
