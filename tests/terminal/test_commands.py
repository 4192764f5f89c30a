"""The list of the commands, and what all of them have: help, a version, refusals of one line."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from ddpm_spec import __version__
from ddpm_spec.terminal import console
from ddpm_spec.terminal.commands import COMMANDS, words

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ddpm_spec"
README = (ROOT / "README.md").read_text(encoding="utf-8")
LIST = "__main__"
WITHOUT_OPTIONS = ("floors", "errata", "coding", "evidence")

# Other tests have imported some of the modules that are run here.
pytestmark = pytest.mark.filterwarnings("ignore:.*found in sys.modules after import:RuntimeWarning")


def said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str, *args: str
) -> tuple[int | str | None, str, str]:
    """The exit status, stdout and stderr of a command that is run in this process."""
    module = "ddpm_spec" if command == LIST else f"ddpm_spec.{command}"
    monkeypatch.setattr(sys, "argv", ["", *args])
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        runpy.run_module(module, run_name=LIST)
    out, err = capsys.readouterr()
    return stop.value.code or 0, out, err


def runnable() -> set[str]:
    """The modules and rooms of the package that do something when they are run."""
    files = [*PACKAGE.glob("*.py"), *PACKAGE.glob("*/__main__.py")]
    guarded = [file for file in files if f'__name__ == "{LIST}"' in file.read_text(encoding="utf-8")]
    return {file.parent.name if file.stem == LIST else file.stem for file in guarded} - {PACKAGE.name}


def test_the_list_has_every_command():
    assert set(COMMANDS) == runnable()


def test_the_readme_has_every_command():
    """A row of its table or one of its first three lines, and no other."""
    first = README.partition("```\npython -m pip")[2].partition("```")[0]
    table = README.partition("| command | does |")[2].partition("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines()[2:]]
    named = re.findall(r"python -m ddpm_spec\.(\w+)", first)
    for cell in cells:
        rows = re.findall(r"`(?:python -m ddpm_spec)?\.(\w+)", cell)
        assert rows, f"no command in {cell}"
        named += rows
    assert set(named) == set(COMMANDS)
    assert "`python -m ddpm_spec` lists them" in README


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"]], ids=" ".join)
def test_the_list_says_what_each_does(capsys, monkeypatch, args):
    status, out, err = said(capsys, monkeypatch, LIST, *args)
    assert (status, err) == (0, "")
    for name, does in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(does)}$", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ("train --steps 3", "python -m ddpm_spec train is not a command; write python -m ddpm_spec.train"),
        ("smaple", "python -m ddpm_spec smaple is not a command; write python -m ddpm_spec.sample"),
        ("[x]", "python -m ddpm_spec [x] is not a command; python -m ddpm_spec lists the commands"),
        ("--steps 3", "python -m ddpm_spec --steps is not a command; python -m ddpm_spec lists the commands"),
    ],
)
def test_other_words_are_told_the_right_form(capsys, monkeypatch, args, line):
    assert said(capsys, monkeypatch, LIST, *args.split()) == (2, "", f"error: {line}\n")


@pytest.mark.parametrize("command", [LIST, *COMMANDS])
def test_every_command_says_the_version(capsys, monkeypatch, command):
    assert said(capsys, monkeypatch, command, "--version") == (0, f"ddpm_spec {__version__}\n", "")


@pytest.mark.cli
@pytest.mark.parametrize("command", [LIST, *COMMANDS])
@pytest.mark.parametrize(("word", "status"), [("--version", 0), ("--help", 0), ("--zzz", 2)])
def test_it_is_said_without_torch(tmp_path, command, word, status):
    for name in ("torch", "sklearn", "accelerate"):
        (tmp_path / f"{name}.py").write_text("raise AssertionError('it is imported')")
    module = "ddpm_spec" if command == LIST else f"ddpm_spec.{command}"
    done = subprocess.run(
        [sys.executable, "-m", module, word],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == status, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "200")
    status, out, err = said(capsys, monkeypatch, command, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: python -m ddpm_spec.{command}")
    assert len(out.splitlines()) >= 3


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_what_it_does_not_know(capsys, monkeypatch, tmp_path, command):
    monkeypatch.chdir(tmp_path)
    status, out, err = said(capsys, monkeypatch, command, "--zzz")
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.endswith(f"; see python -m ddpm_spec.{command} --help\n")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", WITHOUT_OPTIONS)
def test_a_word_too_many_is_refused(capsys, monkeypatch, command):
    given = ["OTHER.json"] if command == "evidence" else []
    status, out, err = said(capsys, monkeypatch, command, *given, "more")
    see = f"see python -m ddpm_spec.{command} --help"
    assert (status, out, err) == (2, "", f"error: there is no option more; {see}\n")


def test_words_that_are_wanted():
    assert words(["a.json"], "evidence", "OTHER.json") == ["a.json"]
    assert words([], "floors") == []


def test_a_command_may_have_a_status_of_its_own():
    assert console.run_command(lambda args: 1, []) == 1
    assert console.run_command(lambda args: None, []) == 0
