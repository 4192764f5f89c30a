"""What is printed is what was said, on any terminal; an error that nobody foresaw is a line and a log."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ddpm_spec.errors import InputError
from ddpm_spec.terminal import console
from ddpm_spec.terminal.sections import Section, print_sections

ROOT = Path(__file__).parents[2]
NAMES = ("runs/t[tag]", "runs/a[/b]c", "[bold]x", ":smile:", r"a\[b]")


def raises(error: Exception):
    def command(args: list[str]) -> None:
        raise error

    return command


@pytest.mark.parametrize("name", NAMES)
def test_names_are_printed_as_they_are(capsys, name):
    assert console.run_command(raises(InputError(f"{name} is wrong")), []) == 2
    console.notice(f"{name} is odd")
    console.console.print(f"{name}: done")
    print_sections(name, [Section(name, ("", name), (("", name),), (name,), image="a.png")], Path(name))
    out, err = capsys.readouterr()
    assert err.splitlines() == [f"error: {name} is wrong", f"note: {name} is odd", f"{name}: done"]
    assert out.count(name) == 6


@pytest.mark.parametrize("name", NAMES)
def test_a_bar_shows_names_as_they_are(capsys, name):
    with console.progress_bar(name, 10) as bar:
        bar.advance(1, f"{name} ")
    assert capsys.readouterr().err.startswith(f"{name}: 1 of 10, {name} ")


@pytest.mark.cli
@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1252", "errata"),
        ("ascii", "coding"),
        ("cp1252", "reproduce --list"),
        ("ascii", "train --help"),
    ],
)
def test_a_terminal_that_lacks_letters_gets_all_else(tmp_path, encoding, words):
    command, *args = words.split()
    done = subprocess.run(
        [sys.executable, "-m", f"ddpm_spec.{command}", *args], cwd=tmp_path, capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert b"Error" not in done.stderr
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_an_error_that_nobody_foresaw_is_a_line_and_a_log(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(console.tempfile, "tempdir", str(tmp_path))
    assert console.run_command(raises(KeyError("x[y]")), ["--steps", "3"]) == 1
    out, err = capsys.readouterr()
    (log,) = tmp_path.iterdir()
    assert out == ""
    assert err == (
        f"error: KeyError: 'x[y]'; nobody foresaw this: please report it with {log}; "
        "--debug shows what is in it\n"
    )
    written = log.read_text(encoding="utf-8")
    assert "Traceback" in written
    assert "KeyError: 'x[y]'" in written
    assert written.startswith(f"ddpm_spec {console.__version__}, Python ")


def test_without_a_place_for_the_log(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(console.tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert console.run_command(raises(RuntimeError()), []) == 1
    said = "error: RuntimeError; nobody foresaw this: repeat with --debug and report what it prints\n"
    assert capsys.readouterr().err == said


def test_what_the_system_refuses_is_a_line(capsys):
    def command(args: list[str]) -> None:
        Path("nowhere/x").read_text(encoding="utf-8")

    assert console.run_command(command, []) == 2
    said = "error: nowhere/x: No such file or directory; --debug shows where this came from\n"
    assert capsys.readouterr().err == said


def test_debug_shows_the_traceback_and_is_kept_from_the_command(capsys):
    seen = []

    def command(args: list[str]) -> None:
        seen.extend(args)
        raise KeyError("x")

    assert console.run_command(command, ["--steps", "--debug", "3"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("KeyError: 'x'\n")
    assert seen == ["--steps", "3"]
