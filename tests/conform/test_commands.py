"""`python -m ddpm_spec.conform`, from the words to the exit status."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ddpm_spec.conform import example
from ddpm_spec.conform.commands import conform
from ddpm_spec.conform.verdict import Verdict
from ddpm_spec.errors import InputError

EXAMPLE = f"{sys.executable} {example.__file__}"

MINE = """
import numpy as np

class Right:
    betas = np.linspace(0.02, 0.4, 8)
    alpha_bars = np.cumprod(1 - betas)

    def q_sample(self, x_0, t, eps):
        bar = self.alpha_bars[t - 1][:, None]
        return np.sqrt(bar) * x_0 + np.sqrt(1 - bar) * eps

class Wrong(Right):
    def q_sample(self, x_0, t, eps):
        bar = self.alpha_bars[t - 1][:, None]
        return bar * x_0 + np.sqrt(1 - bar) * eps

class Raises(Right):
    def q_sample(self, x_0, t, eps):
        raise KeyError("x")

class Both(Wrong):
    def predict_x_0(self, x_t, t, eps):
        raise KeyError("x")

class Empty:
    pass

class Broken:
    def __init__(self):
        raise OSError("no weights")

right = Right()
number = 3
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with a module of one's own."""
    (tmp_path / "mine.py").write_text(textwrap.dedent(MINE), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    sys.modules.pop("mine", None)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("mine:Right", 0),
        ("mine:right", 0),
        ("mine:Wrong", 1),
        ("mine:Both", 1),
        ("mine:Raises", 2),
        ("mine:Empty", 2),
        ("mine:number", 2),
    ],
)
def test_exit_status(target, status) -> None:
    assert conform([target]) == status


def test_what_is_broken_is_named_with_its_equation_and_where(capsys) -> None:
    conform(["mine:Wrong"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "Eq. 4" in printed
    assert "t = " in printed


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "TARGET is missing"),
        (["nothing"], "nothing is not a known package; --list shows those"),
        (["mine:Nowhere"], "there is no Nowhere in mine"),
        (["mine.py:Right"], "a file is named without .py"),
        (["nomodule:x"], "cannot be imported: No module named 'nomodule'"),
        (["mine:Broken"], "raised OSError: no weights; the object must be an adapter, or make one"),
        (["mine:Right", "--command", "x"], "--command is judged instead of a TARGET"),
        (["mine:Right", "--python", "nowhere"], "nowhere, which cannot be run"),
        (["mine:Right", "--json", "."], "which is a folder"),
        (["mine:Right", "--html", "no/folder/x"], "cannot be written"),
        (["mine:Right", "--limit", "0"], "give seconds"),
    ],
)
def test_refused_in_one_line(args, said) -> None:
    with pytest.raises(InputError, match=said) as refused:
        conform(args)
    assert "\n" not in str(refused.value)


def test_written_as_json_and_read_back(here) -> None:
    conform(["mine:Wrong", "--json", "found.json"])
    told = json.loads(Path("found.json").read_text(encoding="utf-8"))
    verdict = Verdict.from_json(Path("found.json").read_text(encoding="utf-8"))
    assert told["target"] == "mine:Wrong"
    assert [result.law.id for result in verdict.broken] == ["forward/mean"]
    assert verdict.status == 1
    assert Verdict.from_json(verdict.to_json()) == verdict


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}'])
def test_what_is_no_verdict_is_refused(text) -> None:
    with pytest.raises(ValueError, match="this is no verdict"):
        Verdict.from_json(text)


def test_a_verdict_of_a_later_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format 99"):
        Verdict.from_json('{"format": 99}')


def test_the_page_stands_alone_and_says_what_is_broken() -> None:
    conform(["mine:Wrong", "--html", "found.html"])
    html = Path("found.html").read_text(encoding="utf-8")
    assert "1 of " in html
    assert "Eq. 4: without noise" in html
    for outside in ("http:", "https:", "src=", "<link", "<script"):
        assert outside not in html


def test_in_another_python_the_verdict_is_the_same() -> None:
    assert conform(["mine:Wrong", "--json", "here.json"]) == 1
    assert conform(["mine:Wrong", "--json", "there.json", "--python", sys.executable]) == 1
    here, there = (
        Verdict.from_json(Path(name).read_text(encoding="utf-8")) for name in ("here.json", "there.json")
    )
    assert there.results == here.results


def test_another_python_needs_numpy_alone() -> None:
    """Everything but the standard library, NumPy and this package is out of reach."""
    block = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        top = name.partition('.')[0]\n"
        "        if top not in sys.stdlib_module_names and top not in ('numpy', 'ddpm_spec', 'mine'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "from ddpm_spec.conform.alone import alone\n"
        "sys.exit(alone('.', 'costs', 'mine:Right'))\n"
    )
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Verdict.from_json(Path("0.json").read_text(encoding="utf-8")).status == 0


def test_the_last_line_of_another_python_is_passed_on() -> None:
    with pytest.raises(InputError, match=r"mine:Broken.. raised OSError: no weights"):
        conform(["mine:Broken", "--python", sys.executable])


def test_a_program_is_judged_and_its_end_is_told() -> None:
    assert conform(["--command", f"{EXAMPLE} wrong", "--no-costs"]) == 1
    with pytest.raises(InputError, match=r"its first line must be|ended with status"):
        conform(["--command", f"{sys.executable} -c pass"])


def test_the_known_packages_are_listed(capsys) -> None:
    assert conform(["--list"]) == 0
    assert "installed" in capsys.readouterr().out
