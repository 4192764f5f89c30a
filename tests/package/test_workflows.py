"""The workflows run what the README and the gate run, on pinned actions and with few permissions."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*"))
DOCUMENTED = re.sub(
    r"\s+", " ", "\n".join((ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md", ".ci/run"))
)

each = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def jobs(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text())["jobs"]
    return found


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(file).values() for step in job["steps"]]


def test_there_is_one_for_the_tests_and_one_for_the_site():
    assert [file.name for file in FILES] == ["site.yml", "tests.yml"]


@each
def test_what_it_runs_is_what_is_documented(file):
    commands = [step["run"] for step in steps(file) if "run" in step]
    assert commands
    for command in commands:
        assert re.sub(r"\s+", " ", command.strip()) in DOCUMENTED


@each
def test_actions_are_of_github_and_pinned_to_a_major_version(file):
    for step in steps(file):
        assert ("run" in step) != ("uses" in step)
        assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/none@v0"))


@each
def test_only_the_job_that_publishes_may_write(file):
    everywhere = yaml.safe_load(file.read_text())["permissions"]
    assert set(everywhere.values()) <= {"read"}
    for name, job in jobs(file).items():
        writes = {what for what, may in job.get("permissions", {}).items() if may == "write"}
        assert writes == ({"pages", "id-token"} if name == "deploy" else set())


def test_the_tests_run_on_the_oldest_and_the_newest_python():
    project = (ROOT / "pyproject.toml").read_text()
    versions = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)
    matrix = jobs(ROOT / ".github/workflows/tests.yml")["tests"]["strategy"]["matrix"]["python"]
    assert matrix == [versions[0], versions[-1]]
    assert f'requires-python = ">={versions[0]}"' in project


def test_the_site_is_built_for_its_own_address():
    [build] = [step for step in steps(ROOT / ".github/workflows/site.yml") if "mkdocs" in step.get("run", "")]
    assert "SITE_URL" in (ROOT / "mkdocs.yml").read_text()
    assert build["env"]["SITE_URL"] == "${{ steps.pages.outputs.base_url }}/"
