"""Every known package, each in an environment of its own: here with packages made up for the purpose."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from ddpm_spec.conform import everything
from ddpm_spec.conform.commands import conform
from ddpm_spec.conform.everything import judge_everything, make_environment, store
from ddpm_spec.conform.targets import Package, known
from ddpm_spec.conform.verdict import Verdict, judge
from ddpm_spec.errors import InputError


class Tables:
    betas = np.linspace(0.02, 0.4, 8)
    alpha_bars = np.cumprod(1 - betas)


class Late(Tables):
    alpha_bars = np.concatenate([[1.0], Tables.alpha_bars[:-1]])


@pytest.fixture
def installer(tmp_path, monkeypatch):
    """A stand-in for uv: its environments are links to this Python, and one package cannot be had."""
    script = tmp_path / "tools" / "uv"
    script.parent.mkdir()
    script.write_text(
        f"#!{sys.executable}\n"
        "import os, sys\n"
        "if sys.argv[1] == 'venv':\n"
        "    os.makedirs(os.path.join(sys.argv[-1], 'bin'))\n"
        f"    os.symlink({sys.executable!r}, os.path.join(sys.argv[-1], 'bin', 'python'))\n"
        "elif 'gone==1' in sys.argv:\n"
        "    sys.exit('there is no gone==1')\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(script.parent), os.environ["PATH"]]))


@pytest.fixture
def packages(monkeypatch):
    """Two packages that can be judged, one of them with an option, and one that cannot be had."""
    made = (
        Package("numpy/tables", ("numpy==2",), Tables),
        Package("numpy/tables late", ("numpy==2",), Late, also=True),
        Package("gone/x", ("gone==1",), Tables),
    )
    monkeypatch.setattr(everything, "known", lambda: {package.name: package for package in made})

    def here(python: Path, targets, **_):
        assert python.exists()
        return [judge(target, {p.name: p for p in made}[target].make()) for target in targets]

    monkeypatch.setattr(everything, "judge_elsewhere", here)


def test_names_are_unique_and_requirements_pinned() -> None:
    for package in known().values():
        assert all("==" in requirement for requirement in package.requirements)
        assert package.name.startswith(package.distribution)


def test_an_environment_is_made_once_and_only_whole(installer, tmp_path) -> None:
    python = make_environment(["numpy==2"], tmp_path / "numpy")
    assert python.exists()
    assert make_environment(["numpy==2", "gone==1"], tmp_path / "numpy") == python  # it is there
    with pytest.raises(InputError, match="gone==1 cannot be installed: there is no gone==1"):
        make_environment(["gone==1"], tmp_path / "gone")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["numpy", "tools"]


def test_what_cannot_be_had_is_skipped_with_the_reason(installer, packages, tmp_path) -> None:
    found = dict(judge_everything(tmp_path))
    assert set(found) == {"numpy", "gone"}
    assert found["numpy"]["numpy/tables"].status == 0
    assert "numpy/tables late" not in found["numpy"]
    assert found["gone"]["gone/x"] == "gone==1 cannot be installed: there is no gone==1"


def test_options_are_judged_when_all_are_asked_for(installer, packages, tmp_path) -> None:
    ((_, found),) = judge_everything(tmp_path, everything=True, only="numpy")
    assert {target: verdict.status for target, verdict in found.items()} == {
        "numpy/tables": 0,
        "numpy/tables late": 1,
    }


def test_what_was_found_is_kept_in_a_file_a_package(installer, packages, tmp_path, capsys) -> None:
    folder = tmp_path / "environments"
    assert conform(["--packages", str(folder), "--out", str(tmp_path / "out"), "--all"]) == 1
    kept = json.loads((tmp_path / "out" / "numpy.json").read_text(encoding="utf-8"))
    assert [verdict["target"] for verdict in kept["verdicts"]] == ["numpy/tables", "numpy/tables late"]
    late = Verdict.from_json(json.dumps(kept["verdicts"][1]))
    assert [result.law.id for result in late.broken] == ["forward/product"]
    gone = json.loads((tmp_path / "out" / "gone.json").read_text(encoding="utf-8"))
    assert "there is no gone==1" in gone["skipped"]["gone/x"]
    assert "forward/product" in capsys.readouterr().out


def test_a_file_is_replaced_as_a_whole(tmp_path) -> None:
    store(tmp_path, "x", {"x/a": "no"})
    store(tmp_path, "x", {"x/b": "no"})
    assert [file.name for file in tmp_path.iterdir()] == ["x.json"]
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["skipped"] == {"x/b": "no"}
