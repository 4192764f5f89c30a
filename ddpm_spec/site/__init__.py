"""What the build of the reading site calls; nothing imports this package."""

from mkdocs.exceptions import BuildError

__all__ = ["SiteError"]


class SiteError(BuildError):
    """Something on a page is wrong. MkDocs prints the page and this one line, and stops."""
