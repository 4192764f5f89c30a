"""What a result comes from: it is noted wherever a change could show, and nowhere else."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from ddpm_spec.site.cache import kept
from ddpm_spec.site.cache.sources import Sources

FILES = {
    "__init__.py": "",
    "top.py": '"""Top."""\nfrom pack.middle import double\n\n__all__ = ["double"]\nA = 1\n"""One."""\n',
    "middle.py": 'from pack import room\n\n__all__ = ["double"]\n'
    'def double(x):\n    """Twice."""\n    return 2 * x  # exactly\n',
    "room/__init__.py": '"""Found by name."""\n',
    "room/found.py": "B = 2\n",
    "aside.py": "from pack.room import found\n\n__all__ = []\nC = 3\n",
    "near/__init__.py": "from . import one\n\n__all__ = []\n",
    "near/one.py": "class One:\n    '''One.'''; D = 4\n\n    def get(self):\n        return self.D\n"
    "class Two(int): 'Two.'\n",
}


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / "pack" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pack" / name).write_text(text)
    monkeypatch.setattr(kept, "PACKAGE", tmp_path / "pack")
    monkeypatch.delenv("CI", raising=False)
    return tmp_path / "pack"


def changes(pack: Path, file: str, old: str, new: str) -> tuple[set[str], set[str]]:
    """The modules whose code, and those whose entry in the API, is not the same after a change."""
    names = ["pack.top", "pack.middle", "pack.aside", "pack.near"]
    before = {name: (Sources().code(name), Sources().shown(name)) for name in names}
    text = (pack / file).read_text()
    assert old in text
    (pack / file).write_text(text.replace(old, new))
    after = {name: (Sources().code(name), Sources().shown(name)) for name in names}
    code, shown = ({name for name in names if before[name][n] != after[name][n]} for n in (0, 1))
    return {name.removeprefix("pack.") for name in code}, {name.removeprefix("pack.") for name in shown}


EVERYWHERE = {"top", "middle", "aside", "near"}


@pytest.mark.parametrize(
    ("file", "old", "new", "code", "shown"),
    [
        ("aside.py", "C = 3", "C = 4", {"aside", "near"}, EVERYWHERE),
        ("middle.py", "2 * x", "x + x", {"top", "middle", "near"}, {"top", "middle"}),
        ("middle.py", "exactly", "quite", {"top", "middle", "near"}, EVERYWHERE),
        ("middle.py", "Twice.", "Two\n    times.", set(), {"top", "middle"}),
        ("middle.py", "(x)", "(x, y=0)", {"top", "middle", "near"}, EVERYWHERE),
        ("room/found.py", "B = 2", "B = 3", EVERYWHERE, EVERYWHERE),
        ("room/__init__.py", "Found", "Seen", set(), set()),
        ("top.py", '"""Top."""', '"""Best."""', set(), {"top"}),
        ("top.py", "One.", "1.", set(), {"top"}),
        ("top.py", "A = 1", "A = 2", {"top", "near"}, EVERYWHERE),
        ("near/one.py", "'''One.'''", "'''1.'''", set(), {"near"}),
        ("near/one.py", "D = 4", "D = 5", {"near"}, EVERYWHERE),
        ("near/one.py", "self.D", "self.D + 0", {"near"}, {"near"}),
        ("near/one.py", "int", "str", {"near"}, EVERYWHERE),
        ("top.py", '["double"]', "[]", {"top", "near"}, EVERYWHERE),
    ],
)
def test_a_change_counts_where_it_can_show(
    pack: Path, file: str, old: str, new: str, code: set[str], shown: set[str]
) -> None:
    assert changes(pack, file, old, new) == (code, shown)


def test_a_docstring_counts_where_code_reads_it(pack: Path) -> None:
    (pack / "aside.py").write_text("from pack.middle import double\n\nprint(double.__doc__)\n")
    assert changes(pack, "middle.py", "Twice.", "Two times.")[0] == {"aside", "near"}


def test_a_module_that_is_new_counts_where_its_package_is_named(pack: Path) -> None:
    before = [Sources().code(name) for name in ("pack.middle", "pack.aside")]
    (pack / "room/new.py").write_text("")
    after = [Sources().code(name) for name in ("pack.middle", "pack.aside")]
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True]


@pytest.mark.parametrize("public", ["", "__all__ = []\n__all__ += ['double']\n", "__all__ = [*'ab']\n"])
def test_where_it_is_not_plain_which_names_are_passed_on_all_are(pack: Path, public: str) -> None:
    (pack / "top.py").write_text(f"from pack.middle import double\n\n{public}")
    assert "top" in changes(pack, "middle.py", "Twice.", "Two times.")[1]


def noted(module: str) -> set[str]:
    return {line.split()[0] for line in Sources().code(module)}


def test_what_python_loads_is_noted() -> None:
    module = "ddpm_spec.site.printing.embeds"
    code = f"import sys, {module}; print(*(name for name in sys.modules if name.startswith('ddpm_spec')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - noted(module) == set()


def test_what_surrounds_a_module_is_noted_where_it_works_in_it() -> None:
    """All proofs are loaded with the engine, but do not work in it."""
    module = "ddpm_spec.proofs.engine"
    assert {module, "ddpm_spec.proofs"} - noted(module) == set()


def test_what_is_printed_does_not_depend_on_all() -> None:
    printed = " ".join(Sources().code("ddpm_spec.site"))
    assert "ddpm_spec.formulas.posterior " in printed
    assert not any(f"ddpm_spec.{room}" in printed for room in ("training", "data", "interop"))
