"""The page "Check your implementation": what it shows to copy does what it says."""

import re
import sys
from pathlib import Path

import pytest

from ddpm_spec.conform.commands import conform
from ddpm_spec.laws.protocol import PARTS, Stated

PAGE = (Path(__file__).parents[2] / "docs/implementations/index.md").read_text(encoding="utf-8")


def block(after: str) -> str:
    """The code block that follows a comment."""
    found = re.search(rf"<!-- {re.escape(after)} -->\n```\w*\n(.*?)```", PAGE, re.DOTALL)
    assert found, after
    return found[1]


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(block("mine.py"), encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv("COLUMNS", "80")
    yield tmp_path
    sys.modules.pop("mine", None)


def test_the_adapter_to_copy_gives_the_report_that_is_shown(mine, capsys) -> None:
    assert conform(["mine:Mine"]) == 1
    assert block("report") in capsys.readouterr().out


def test_the_adapter_to_copy_has_ten_lines() -> None:
    assert len([line for line in block("mine.py").splitlines() if line.strip()]) <= 10


def test_the_mended_adapter_passes(mine) -> None:
    right = block("mine.py").replace("(1 - bar) * eps", "np.sqrt(1 - bar) * eps")
    (mine / "mine.py").write_text(right, encoding="utf-8")
    assert conform(["mine:Mine"]) == 0


def test_parts_and_statements_are_those_of_the_protocol() -> None:
    table = PAGE.partition("| part | what it is |")[2].partition("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines()[2:]]
    named = [name for cell in cells for name in re.findall(r"`(\w+)", cell)]
    assert set(named) <= set(PARTS)
    stated = re.findall(r"`(\w+) = ", PAGE.partition("### Schedulers")[0].partition("## What an adapter")[2])
    assert stated
    assert all(hasattr(Stated, name) for name in stated)


def test_the_test_to_copy_runs(mine) -> None:
    source = PAGE.partition("## In your own tests")[2].partition("```python\n")[2].partition("```")[0]
    names: dict[str, type] = {}
    exec(source, names)  # what the page shows
    results = names["TestMine"].results()
    broken = {law for law, result in results.items() if result.outcome == "failed"}
    assert broken == set(names["TestMine"].expected)
