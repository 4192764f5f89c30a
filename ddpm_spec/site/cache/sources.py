"""What comes from the code of the package: the modules that others import, and which parts of them matter.

A result is kept for as long as the digests of what it comes from are the same. A digest leaves out what the
result cannot show: a docstring where code is run, the inside of functions where names are looked up.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from ddpm_spec.site.cache import kept
from ddpm_spec.site.cache.kept import Kept, libraries

__all__ = ["Sources"]

Source = dict[str, Any]
"""Of a file: digests of its `text`, of the `code` without docstrings, of its `face` without function bodies;
what it `names` in imports; which of these names it `passes` on; and whether it `tells` a docstring."""


TELLING = ("__doc__", "getdoc", "help")
"""Names by which code reads a docstring."""


class Sources:
    """The modules of the package as they are on disk; what was read in one is kept until it changes."""

    def __init__(self) -> None:
        self._kept = Kept("sources", [Path(__file__), *libraries()])
        self._modules = {_dotted(file): self._read(file) for file in sorted(kept.PACKAGE.rglob("*.py"))}
        self._kept.write()

    def code(self, *names: str) -> list[str]:
        """What these modules run, with all that they import; docstrings do not run.

        Of the packages around a module only what stands in them counts, not what else they import.
        """
        reached = self._closure(names, "names")
        reached |= {above for name in reached for above in _above(name)} & self._modules.keys()
        # Where a docstring is itself read by code, none is left out.
        part = "text" if any(self._modules[name]["tells"] for name in reached) else "code"
        return self._listed(reached, part)

    def shown(self, *names: str) -> list[str]:
        """What the API says of these modules: all that is in them, and what others look like from outside."""
        return [*self._listed(self._closure(names, "passes"), "text"), *self._listed(self._modules, "face")]

    def _listed(self, names: Iterable[str], part: str) -> list[str]:
        return [f"{name} {self._modules[name][part]}" for name in sorted(names)]

    def _closure(self, names: Iterable[str], by: str) -> set[str]:
        reached: set[str] = set()
        named = set(names)
        todo = [*named]
        while todo:
            for module in {*self._brought(todo.pop())} - reached:
                reached.add(module)
                todo += {*self._modules[module][by]} - named
                named |= {*self._modules[module][by]}
        return reached

    def _brought(self, name: str) -> list[str]:
        """The modules that a dotted name brings: a package with all in it, or the module of an object."""
        found = [module for module in self._modules if module == name or module.startswith(f"{name}.")]
        return found or (self._brought(name.rpartition(".")[0]) if "." in name else [])

    def _read(self, file: Path) -> Source:
        text = file.read_bytes()
        name, digest = _dotted(file), _digest(text)
        source: Source | None = self._kept.find(name)
        if source is None or source["text"] != digest:
            source = {"text": digest, **_parsed(text, file)}
            self._kept.put(name, source)
        return source


def _above(name: str) -> Iterator[str]:
    """The packages that a module is in."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _dotted(file: Path) -> str:
    parts = file.relative_to(kept.PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]


def _parsed(text: bytes, file: Path) -> Source:
    tree = ast.parse(text, file)
    nodes = list(ast.walk(tree))
    imported = [found for node in nodes for found in _imported(node)]
    public = _public(tree)
    return {
        "code": _digest(_without(text, _docstrings(tree))),
        "face": _digest(_without(text, _insides(tree))),
        "names": sorted({name for name, _ in imported}),
        "passes": sorted({name for name, alias in imported if public is None or alias in {*public, "*"}}),
        "tells": any(getattr(node, "attr", getattr(node, "id", "")) in TELLING for node in nodes),
    }


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The dotted name of each thing that a statement imports, and what it is called here."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, alias.asname or alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            name = f"{node.module}.{alias.name}".removesuffix(".*")
            # A relative import may bring anything of the package.
            yield kept.PACKAGE.name if node.level else name, alias.asname or alias.name


def _public(tree: ast.Module) -> set[str] | None:
    """The names in `__all__`; None where that is not simply written down, once."""
    mentions = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "__all__"]
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets == mentions and isinstance(node.value, ast.List):
            names = {str(name.value) for name in node.value.elts if isinstance(name, ast.Constant)}
            return names if len(names) == len(node.value.elts) else None
    return None


def _docstrings(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The texts that nothing runs: of the module, of its functions and classes, and below attributes."""
    for part in getattr(node, "body", ()):
        if isinstance(part, ast.ClassDef):
            yield from _docstrings(part)
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from ([part.body[0]] for _ in filter(_is_text, part.body[:1]))
        elif _is_text(part):
            yield [part]


def _is_text(part: ast.stmt) -> bool:
    constant = part.value if isinstance(part, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)


def _insides(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """What cannot be seen from outside: docstrings, and what functions do."""
    for part in getattr(node, "body", ()):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            yield part.body
        elif isinstance(part, ast.ClassDef):
            yield from _insides(part)
        elif _is_text(part):
            yield [part]


def _without(text: bytes, parts: Iterable[list[ast.stmt]]) -> bytes:
    """The text without some runs of statements, which stand one after the other."""
    lines = text.splitlines(keepends=True)
    starts = [0, *accumulate(len(line) for line in lines)]
    rest, end = [], 0
    for first, *_, last in ([*part, part[-1]] for part in parts):
        rest.append(text[end : starts[first.lineno - 1] + first.col_offset])
        end = starts[(last.end_lineno or 0) - 1] + (last.end_col_offset or 0)
    return b"\0".join([*rest, text[end:]])
