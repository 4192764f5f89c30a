"""The files of the site that nobody wrote: fonts and a style sheet from npm, and the formulas of figures."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File

from ddpm_spec.site.markdown import katex

__all__ = ["assets"]

FACES = [
    f"source-serif-4-{face}"
    for face in (
        "latin-400-normal",
        "latin-400-italic",
        "latin-600-normal",
        "greek-400-normal",
        "greek-400-italic",
    )
]
"""The cuts of the text face that the style sheet names."""


def assets(config: MkDocsConfig, packages: Path, scripts: Mapping[str, str]) -> Iterator[File]:
    """Those files.

    Args:
        config: of the build.
        packages: the folder `node_modules`.
        scripts: the text of each script that figures share, by name.
    """
    yield File.generated(config, "assets/katex/katex.css", content=katex.stylesheet(packages))
    for name, script in scripts.items():
        yield File.generated(config, f"assets/figures/{name}", content=script)
    faces = packages / "@fontsource/source-serif-4/files"
    fonts = (packages / "katex/dist/fonts").glob("*.woff2")
    taken = {
        **{f"katex/fonts/{font.name}": font for font in fonts},
        **{f"fonts/{face}.woff2": faces / f"{face}.woff2" for face in FACES},
    }
    for name, path in sorted(taken.items()):
        yield File.generated(config, f"assets/{name}", abs_src_path=str(path))
