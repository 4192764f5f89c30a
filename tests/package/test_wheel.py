"""The package as others get it: what the wheel and the source distribution hold, and that the wheel runs.

Built and installed without the network, from what is installed here.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from small_run import FLAGS

from ddpm_spec import __version__
from ddpm_spec.terminal.commands import COMMANDS

pytestmark = [pytest.mark.slow, pytest.mark.cli]

ROOT = Path(__file__).parents[2]
NAME = f"ddpm_spec-{__version__}"
TREE = (
    "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "README.md",
    "pyproject.toml", "mkdocs.yml", "ddpm_spec", "docs", "notes", "tests",
)  # fmt: skip
PACKAGE = {
    file.relative_to(ROOT).as_posix()
    for file in (ROOT / "ddpm_spec").rglob("*")
    if file.is_file() and "__pycache__" not in file.parts
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution, built from a copy of the tree."""
    pytest.importorskip("build", reason="needs the dev extra: pip install -e '.[dev]'")
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    for name in TREE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def test_the_wheel_holds_the_package(built):
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
        metadata = wheel.read(f"{NAME}.dist-info/METADATA").decode()
    about = {name for name in names if name.startswith(f"{NAME}.dist-info/")}
    assert names - about == PACKAGE
    others = {"py.typed", "training/report.html", "site/markdown/katex.mjs"}
    assert {f"ddpm_spec/{name}" for name in others} <= names
    assert f"{NAME}.dist-info/licenses/LICENSE" in about
    for line in (f"Version: {__version__}", "License-Expression: MIT", "Requires-Python: >=3.11"):
        assert f"\n{line}\n" in metadata
    assert "Classifier: License ::" not in metadata


def test_the_source_distribution_holds_what_builds_it(built):
    with tarfile.open(built / f"{NAME}.tar.gz") as sdist:
        names = {member.name.removeprefix(f"{NAME}/") for member in sdist.getmembers() if member.isfile()}
    made = {name for name in names if name.startswith("ddpm_spec.egg-info/")} | {"PKG-INFO", "setup.cfg"}
    texts = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md"}
    assert names - made == PACKAGE | texts | {"MANIFEST.in", "pyproject.toml"}


@pytest.fixture(scope="module")
def python(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with the wheel in it, and the libraries of this one behind it."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, symlinks=os.name == "posix")
    found = next(path for path in (folder / "bin/python", folder / "Scripts/python.exe") if path.exists())
    wheel = built / f"{NAME}-py3-none-any.whl"
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(found), *install], check=True)
    [packages] = folder.glob("**/site-packages")
    here = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    # A path alone: what that folder installs for editing, such as this package, is not followed.
    (packages / "libraries.pth").write_text("\n".join(sorted(here)) + "\n")
    return found


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder without the repository, in which all commands run."""
    return tmp_path_factory.mktemp("elsewhere")


def ran(python: Path, empty: Path, *words: str, status: int = 0) -> tuple[str, str]:
    """Stdout and stderr of the installed package there."""
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"COLUMNS": "200"}
    done = subprocess.run([python, *words], cwd=empty, env=alone, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


def test_what_runs_is_the_wheel(python, empty):
    ask = "import ddpm_spec, importlib.metadata as m; print(ddpm_spec.__file__, m.version('ddpm_spec'))"
    out, _ = ran(python, empty, "-c", ask)
    file, version = out.split()
    assert Path(file).is_relative_to(python.parents[1])
    assert not Path(file).is_relative_to(ROOT)
    assert version == __version__


def test_the_list(python, empty):
    for words in ([], ["--help"]):
        out, _ = ran(python, empty, "-m", "ddpm_spec", *words)
        assert all(f"\n  {name} " in out for name in COMMANDS)
    assert ran(python, empty, "-m", "ddpm_spec", "--version")[0] == f"ddpm_spec {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_version(python, empty, command):
    assert ran(python, empty, "-m", f"ddpm_spec.{command}", "--version")[0] == f"ddpm_spec {__version__}\n"
    assert ran(python, empty, "-m", f"ddpm_spec.{command}", "--help")[0].startswith("usage: ")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("floors", "The paper reports a rate of 1.78"),
        ("errata", "sigma-1 (slip, §3.2 and §3.3): shown"),
        ("coding", "blocks of 4 symbols with 5 levels"),
    ],
)
def test_what_is_computed_needs_no_file(python, empty, command, said):
    assert said in ran(python, empty, "-m", f"ddpm_spec.{command}")[0]


def test_the_record_is_in_the_repository_alone(python, empty):
    (empty / "other.json").write_text("{}")
    out, err = ran(python, empty, "-m", "ddpm_spec.evidence", "other.json", status=2)
    assert out == ""
    assert err.startswith("error: there is no record at ")
    assert err.endswith("; run this from a checkout of the repository\n")
    assert err.count("\n") == 1


def test_a_run_from_its_first_step_to_its_export(python, empty):
    ran(python, empty, "-m", "ddpm_spec.train", *FLAGS)
    run = Path("runs/digits-1")
    report = json.loads((empty / run / "report.json").read_text())
    assert report["environment"]["ddpm_spec"] == __version__
    assert (empty / run / "report.html").is_file()
    ran(python, empty, "-m", "ddpm_spec.sample", str(run), "-n", "3", "--out", "drawn")
    assert (empty / "drawn" / "samples.npy").is_file()
    few = ["--samples", "12", "--images", "4", "--device", "cpu", "--out", "measured"]
    ran(python, empty, "-m", "ddpm_spec.evaluate", str(run), *few)
    assert (empty / "measured" / "results.json").is_file()
    ran(python, empty, "-m", "ddpm_spec.export", str(run), "exported")
    assert (empty / "exported" / "model_index.json").is_file()
    assert "table1" in ran(python, empty, "-m", "ddpm_spec.reproduce", "--list")[0]
