"""All that pages take from the package. It loads torch and sympy; a build that has the texts does not."""

import posixpath
from collections.abc import Callable
from pathlib import Path

from ddpm_spec.site.mathematics import figures, proved
from ddpm_spec.site.printing import errata, gpu, implementations, index, nodes, overview, results, score

__all__ = ["PAGES", "embedded", "scripts"]

PAGES, scripts = index.PAGES, figures.scripts


def embedded(name: str, part: str, docs: Path, src_uri: str, address: Callable[[str], str]) -> str:
    """The Markdown that stands for `![[name#part]]`.

    Args:
        name: an id of the index, or one of those below.
        part: which part of it.
        docs: the folder of the pages.
        src_uri: the page.
        address: gives another page as seen from this one.

    Raises:
        SiteError: if there is no such part, or what it prints is false.
    """
    match name, part:
        case "evidence", "graph":
            return overview.picture(address)
        case "evidence", "mutation":
            return score.summary()
        case "evidence", "counts":
            return overview.counts()
        case "evidence", "claims":
            return overview.claims()
        case "evidence", _:
            return overview.status_table()
        case "gaps", _:
            return overview.gap_table()
        case "figure", _:
            return figures.place(part, docs)
        case "errata", _:
            return errata.table(part)
        case "implementations", _:
            return implementations.part(part, docs / "results")
        case "results", _:
            seen_from = posixpath.relpath(name, posixpath.dirname(src_uri) or ".")
            if part == "gpu":
                return gpu.section(docs / name, seen_from)
            return results.section(part, docs / name, seen_from)
    text = nodes.proof(part) if name == "proof" else nodes.part(name, part, docs.parent)
    proved.proofs().write()
    return text
