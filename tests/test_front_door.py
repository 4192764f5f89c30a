"""`import ddpm_spec`: what it gives, what it costs, and that the README's programs with it run."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from accelerated import clean_accelerate, images  # noqa: F401 (fixtures)

import ddpm_spec
from ddpm_spec.data import Images

ROOT = Path(__file__).parents[1]
DOOR = ROOT / "ddpm_spec/__init__.py"


def python(program: str, folder: Path = ROOT, *flags: str) -> str:
    """What a program prints in a process of its own."""
    done = subprocess.run([sys.executable, *flags, "-c", program], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_import_brings_nothing_else():
    """In a process without the packages that the environment starts with; importlib is Python's own."""
    brought = "print(*sorted({*sys.modules} - before))"
    program = f"import importlib, sys; before = {{*sys.modules}}; import ddpm_spec; {brought}"
    assert python(program, ROOT, "-S").split() == ["ddpm_spec", "ddpm_spec.version"]


@pytest.mark.parametrize(
    ("name", "heavy"), [("InputError", "torch"), ("__version__", "torch"), ("Diffusion", "sympy")]
)
def test_a_name_brings_what_it_needs(name, heavy):
    program = f"from ddpm_spec import {name}; import sys; print({heavy!r} in sys.modules)"
    assert python(program).strip() == "False"


def test_each_name_is_the_one_in_its_module():
    for name, module in ddpm_spec._MODULES.items():
        home = importlib.import_module(f"ddpm_spec.{module}")
        assert getattr(ddpm_spec, name) is getattr(home, name)
        assert name in home.__all__


def test_editors_are_told_the_same_names():
    imports = [node for node in ast.walk(ast.parse(DOOR.read_text())) if isinstance(node, ast.ImportFrom)]
    told = {
        alias.name: str(node.module).removeprefix("ddpm_spec.")
        for node in imports
        for alias in node.names
        if str(node.module).startswith("ddpm_spec.")
    }
    assert told == ddpm_spec._MODULES | {"__version__": "version"}
    assert sorted(ddpm_spec.__all__) == sorted([*ddpm_spec._MODULES, "__version__"])


def test_the_names_are_listed_before_they_are_asked_for():
    program = (
        "import ddpm_spec, sys; print({*ddpm_spec.__all__} <= {*dir(ddpm_spec)}, 'torch' in sys.modules)"
    )
    assert python(program).split() == ["True", "False"]


def test_an_unknown_name():
    with pytest.raises(AttributeError, match=r"^module 'ddpm_spec' has no attribute 'Difusion'$"):
        ddpm_spec.Difusion  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Difusion' from 'ddpm_spec'"):
        from ddpm_spec import Difusion  # noqa: F401


# ------------------------------------------------------------------------------------ the README's programs


def program(heading: str) -> str:
    """The block of code under a heading of the README."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2]
    blocks = re.findall(
        r"^```python\n(.*?)^```$", section.partition("\n## ")[0].partition("\n### ")[0], re.M | re.S
    )
    assert len(blocks) == 1
    return blocks[0]


@pytest.mark.cli
def test_your_own_network(tmp_path):
    """It runs, the samples are images, and its comment tells the bound."""
    text = program("Your own network")
    said = re.search(r"# about (\d\.\d)$", text, re.M)
    shown = "print(*samples.shape, samples.abs().quantile(0.9).item())"
    bound, samples = python(
        f"torch = __import__('torch'); torch.manual_seed(0)\n{text}{shown}", tmp_path
    ).splitlines()
    assert float(bound.removesuffix(" bits/dim")) == pytest.approx(float(said[1]), abs=0.1)
    *shape, size = samples.split()
    assert shape == ["16", "1", "8", "8"]
    assert 0.9 < float(size) < 1.3


@pytest.mark.cli
def test_a_trained_model(tmp_path, images: Images):  # noqa: F811
    """On a run of the digits, smaller than the one that the reader has."""
    from small_run import finished, small

    run = tmp_path / "runs/digits-1"
    run.parent.mkdir()
    finished(run, images, process={"T": 60})
    small(process={"T": 60}).save(run / "settings.json")
    shown = "print(*images.shape, fewer.shape == images.shape, raw.origin['weights'], bound.images)"
    bound, rest = python(program("A trained model") + shown, tmp_path).splitlines()
    assert re.fullmatch(r"\d+\.\d\d ± \d+\.\d\d bits/dim", bound)
    assert rest.split() == ["16", "1", "8", "8", "True", "raw", "64"]


def test_the_site_shows_the_programs():
    page = (ROOT / "docs/library.md").read_text(encoding="utf-8")
    for heading in ("Your own network", "A trained model"):
        assert f"\n![[../README#{heading}]]\n" in page
