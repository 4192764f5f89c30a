"""The score stays in the record until another run replaces it, and is shown for what it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddpm_spec import evidence
from ddpm_spec.evidence import Recorder, load, mutation_hash

FATES = {"mutants": 1234, "killed": 1200, "crashed": 30, "equivalent": 4, "survived": 0}
LATER = {"mutants": 2100, "killed": 2055, "crashed": 37, "equivalent": 8, "survived": 0}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A record of our own, with a score."""
    path = tmp_path / "record.json"
    monkeypatch.setattr(evidence, "PATH", path)
    monkeypatch.setattr(evidence.load, "__defaults__", (path,))
    recorder = Recorder()
    functions = {"formulas.forward.alpha": FATES, "followups.snr.snr": LATER}
    recorder.mutation = {"functions": functions, "survivors": [], "hash": mutation_hash()}
    recorder.mutation |= {"parts": {"paper": 12.3, "followups": 45.6}}
    recorder.write(path)
    return path


@pytest.fixture
def summary(path: Path) -> Callable[[], str]:
    """What the Check page says of it."""
    pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")
    from ddpm_spec.site.printing import score

    return score.summary


def rewrite(path: Path, **changes: Any) -> None:
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"mutation": data["mutation"] | changes}))


@pytest.mark.parametrize("seconds", [None, 300.0], ids=["partial", "full"])
def test_a_run_without_mutants_keeps_the_score(path: Path, seconds: float | None) -> None:
    before = load(path).mutation
    Recorder().write(path, full_run_seconds=seconds)
    assert load(path).mutation == before
    assert load(path).score_is_current


def test_a_comparison_of_records_asks_for_no_score(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    Recorder().write(other)
    assert not load(other).mutation
    assert evidence.main([str(other)]) == 0


def test_the_score_is_of_the_code_at_hand(path: Path, summary: Callable[[], str]) -> None:
    assert "outdated" not in summary()
    rewrite(path, hash="0" * 16)
    assert not load(path).score_is_current
    assert "outdated" in summary()


def test_the_page_says_what_the_record_says(path: Path, summary: Callable[[], str]) -> None:
    assert load(path).mutation["date"][:10] in summary()
    paper, later = summary().split("What came after")
    assert all(f"{count:,}" in paper for count in FATES.values())
    assert all(f"{count:,}" in later for count in LATER.values())
    assert f"{LATER['mutants']:,}" not in paper
    assert "in 12 s" in paper
    assert "in 46 s" in later
    rewrite(path, functions={"formulas.forward.alpha": FATES})
    assert "What came after" not in summary(), "a run of the paper alone says nothing of the rest"
    rewrite(path, survivors=["forward.alpha, line 21: 1 - beta → 1"])
    assert "- forward.alpha, line 21: 1 - beta → 1" in summary()


def test_without_a_run_there_is_no_score(path: Path, summary: Callable[[], str]) -> None:
    path.unlink()
    assert summary() == "No mutation run is recorded.\n"
