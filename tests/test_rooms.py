"""The rooms of the package stand in one order, and none imports from a room that comes after it.

The order is the table of the README. Imports inside functions count.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ddpm_spec"


def order(readme: str) -> list[str]:
    """The rooms, from the first column of the table that is headed so."""
    table = readme.partition("| rooms, in order |")[2].partition("\n\n")[0]
    return [room for row in table.splitlines()[2:] for room in re.findall(r"`(\w+)`", row.split("|")[1])]


ROOMS = order((ROOT / "README.md").read_text(encoding="utf-8"))


def room_of(module: str) -> str:
    """`laws` for `ddpm_spec.laws.forward`."""
    return module.split(".")[1]


def imported(source: str, modules: set[str]) -> set[str]:
    """The modules of the package that a piece of source imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            inner = {f"{node.module}.{name.name}" for name in node.names}
            found |= {name if name in modules else str(node.module) for name in inner}
    return found & modules


def module_of(file: Path) -> str:
    """`ddpm_spec.laws` for ddpm_spec/laws/__init__.py."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {module_of(file): file for file in PACKAGE.rglob("*.py")}
FILES.pop("ddpm_spec")  # the front door, which takes its names from everywhere when they are asked for
MODULES = set(FILES)


def upward(module: str, source: str) -> list[str]:
    """What a module imports that stands after its room."""
    here = ROOMS.index(room_of(module))
    return [name for name in imported(source, MODULES) if ROOMS.index(room_of(name)) > here]


def test_the_table_names_every_room_once():
    assert sorted(ROOMS) == sorted({room_of(module) for module in MODULES})


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_room_imports_from_one_that_comes_after_it(module):
    assert upward(module, FILES[module].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "from ddpm_spec.training.loop import Trainer",
        "from ddpm_spec.training import loop",
        "import ddpm_spec.training.loop",
        "def f():\n    from ddpm_spec.training import loop",
        "from ddpm_spec import paper",
    ],
)
def test_an_import_of_a_later_room_is_seen(line):
    assert upward("ddpm_spec.evaluation.bound", line)
    assert not upward("ddpm_spec.site", line)
