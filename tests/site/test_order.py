"""The site's packages import each other one way, in the order that its docstring says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from ddpm_spec import site

ORDER = re.findall(r"`(\w+)`", site.__doc__.partition("Imports run one way:")[2])
INSIDE = f"{site.__name__}."


def imported(file: Path) -> Iterator[str]:
    """What a module imports, also inside of functions."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_docstring_names_every_package_once() -> None:
    assert sorted(ORDER) == sorted(folder.parent.name for folder in site.SITE.glob("*/__init__.py"))


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_only_those_before_it(package: str) -> None:
    later = ORDER[ORDER.index(package) + 1 :]
    for file in (site.SITE / package).rglob("*.py"):
        names = [name.removeprefix(INSIDE) for name in imported(file) if name.startswith(INSIDE)]
        wrong = [name for name in names if name.partition(".")[0] in later]
        assert not wrong, f"{file.name} imports {wrong}"
