"""What a build keeps for the next: found while nothing has changed, and only then."""

import ast
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from ddpm_spec.site import derivation, kept

PACKAGE = Path(derivation.__file__).parents[1]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kept, "PACKAGE", tmp_path / "package")
    monkeypatch.delenv("CI", raising=False)
    (tmp_path / "package").mkdir()
    source = tmp_path / "source.py"
    source.write_text("a")
    return source


def keep(source: Path, value: int) -> int:
    """What a build finds that would compute this value."""
    store = kept.Kept("demo", [source, "library 1"])
    found = store.get("name", lambda: value)
    store.write()
    return found


def test_a_result_is_found_until_a_source_changes(source: Path) -> None:
    assert [keep(source, 1), keep(source, 2)] == [1, 1]
    source.write_text("b")
    assert keep(source, 3) == 3
    assert len(list((source.parent / ".cache").iterdir())) == 1


def test_in_ci_nothing_is_kept(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(source, 1)
    monkeypatch.setenv("CI", "true")
    assert [keep(source, 2), keep(source, 3)] == [2, 3]


def imported(module: str) -> set[str]:
    """The modules of the package that a module imports, by reading it."""
    path = PACKAGE.parent / (module.replace(".", "/") + ".py")
    tree = ast.parse((path if path.exists() else path.with_suffix("") / "__init__.py").read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ddpm_spec."):
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                file = PACKAGE.parent / name.replace(".", "/")
                names |= {name} if file.is_dir() or file.with_suffix(".py").exists() else set()
    return names


def test_a_proof_depends_on_no_code_that_is_not_watched() -> None:
    reached, todo = set(), {"ddpm_spec.proofs", "ddpm_spec.proofs.followups"}
    while todo:
        module = todo.pop()
        reached.add(module)
        todo |= imported(module) - reached
    assert len(reached) > 40
    assert {module.split(".")[1] for module in reached} <= set(derivation.ROOMS)
