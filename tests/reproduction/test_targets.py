"""Every target, from nothing to its files, on the small preset."""

import dataclasses
import json
import re

import pytest
from PIL import Image
from small_run import SMALL, small

from ddpm_spec.data import Source
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation import features
from ddpm_spec.evaluation.model import _loaded
from ddpm_spec.machine import memory
from ddpm_spec.reproduction import published, runs
from ddpm_spec.reproduction.commands import reproduce
from ddpm_spec.reproduction.makers import MAKERS
from ddpm_spec.reproduction.targets import TARGETS
from ddpm_spec.runs import presets
from ddpm_spec.training.loop import Trainer

PUBLISHED = {
    "table1": published.TABLE_1,
    "table2": published.TABLE_2,
    "table3": published.TABLE_3,
    "table4": published.TABLE_4,
}


def made(folder, target, *words):
    """What a target wrote."""
    reproduce([target, "--runs", str(folder), *words])
    return json.loads((folder / "results" / f"{target}-digits.json").read_text())


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """All targets, one after the other in one folder of runs."""
    folder = tmp_path_factory.mktemp("all")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(presets.PRESETS, "digits", SMALL)
        patch.setattr(features, "UPDATES", 20)
        other = small(steps=99)
        for name in ("cifar10", *published.LSUN):
            patch.setitem(presets.PRESETS, name, other)
        return folder, {target: made(folder, target) for target in TARGETS}


@pytest.mark.slow
def test_every_target_ends_with_its_files(everything):
    folder, results = everything
    for target, result in results.items():
        stem = folder / "results" / f"{target}-digits"
        assert stem.with_suffix(".md").read_text().count("python -m ddpm_spec.reproduce") == 1
        assert (result["picture"] is not None) == target.startswith(("fig", "followups"))
        if result["picture"]:
            assert stem.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"
            assert result["alt"]
        else:
            assert len(result["tables"]) == 2
        assert {"commit", "seconds", "processor", "torch"} <= set(result["provenance"])


@pytest.mark.slow
def test_runs_are_shared(everything):
    """Six rows of Table 2, two of them those of Table 1 and one what all figures show; three follow-ups."""
    folder, results = everything
    assert len(list(folder.glob("digits-*"))) == 6 + 3
    shown = {results[t]["runs"][0]["sha256"] for t in TARGETS if t not in ("table1", "table2")}
    assert shown == {results["table1"]["runs"][1]["sha256"]} == {results["table2"]["runs"][5]["sha256"]}


@pytest.mark.slow
@pytest.mark.parametrize("target", PUBLISHED)
def test_the_papers_columns_hold_the_papers_numbers_only(everything, target):
    table, (printed, own) = PUBLISHED[target], everything[1][target]["tables"]
    assert printed["header"] == [*table.header, "ours"]
    assert [row[:-1] for row in printed["rows"]] == [list(row) for row in table.rows]
    ours = " ".join(row[-1] for row in printed["rows"])
    assert "not run" in ours
    assert re.fullmatch(r"((Bedroom|Church|Cat) |not run|;| )*", ours)
    assert "digits" in own["caption"]
    assert not {"FID", "IS"} & set(own["header"])


@pytest.mark.slow
@pytest.mark.parametrize("target", PUBLISHED)
def test_our_rows_name_run_hash_and_seed(everything, target):
    folder, results = everything
    known = {run["run"]: run for run in results[target]["runs"]}
    for row in results[target]["tables"][1]["rows"]:
        name, digest = re.fullmatch(r"(digits-\d), (\w{8}), seed 0", row[-1]).groups()
        assert known[name]["sha256"].startswith(digest)
        state = json.loads((folder / name / "checkpoint-7" / "state.json").read_text())
        assert state["sha256"]["ema.safetensors"] == known[name]["sha256"]
        assert known[name]["trained_with_seed"] == 3
        assert known[name]["trained"]["seconds"] > 0


@pytest.mark.slow
def test_cells_are_what_was_measured(everything):
    result = everything[1]["table2"]
    for row in result["tables"][1]["rows"]:
        numbers = result["numbers"][" ".join(row[:2])]
        test, train = (numbers["bound"][split]["paper"] for split in ("test", "train"))
        assert row[2:-1] == [
            f"{numbers['quality']['confidence']:.3f}", f"{numbers['quality']['novelty']:.2f}",
            f"{numbers['quality']['pixel_frechet']['train']:.1f}",
            f"{numbers['quality']['feature_frechet']['train']:.2f}",
            f"≤ {test['total']:.3f} ± {test['standard_error']:.3f}", f"{train['total']:.3f}",
        ]  # fmt: skip
    assert len({tuple(row[2:]) for row in result["tables"][1]["rows"]}) == 6


@pytest.mark.slow
def test_table_4_and_figure_5_are_one_measurement(everything):
    _, results = everything
    curves = results["fig5"]["numbers"]["test"]
    told = results["table4"]["numbers"]
    for convention in ("paper", "official"):
        for name, values in curves[convention].items():
            assert values[0] == pytest.approx(told[convention][name][0], rel=1e-5)
            assert values[-1] == pytest.approx(told[convention][name][-1], rel=1e-5)
    first = results["table4"]["tables"][1]["rows"][0]
    assert first[0] == "8"
    assert first[1:3] == [f"{told['paper'][name][0]:.5f}" for name in ("rate", "distortion")]
    last = results["table4"]["tables"][1]["rows"][-1]
    assert last[0] == "1"
    assert last[1] == f"{told['paper']['rate'][-1]:.5f}"
    assert first[1] != last[1]


@pytest.mark.slow
def test_received_images_are_written_a_letter_a_pixel(everything):
    stored = everything[1]["fig5"]["numbers"]["received"]
    assert stored["times"] == list(range(1, 9))
    assert stored["shape"] == [1, 8, 8]
    written = [*stored["x_0"], *(letters for path in stored["paths"] for pair in path for letters in pair)]
    assert len(written) == len(stored["classes"]) * (1 + 8 * 2)
    assert all(re.fullmatch(r"[0-9a-g]{64}", letters) for letters in written)  # 17 levels


@pytest.mark.slow
def test_a_second_call_is_the_same_and_trains_nothing(everything, monkeypatch):
    folder, results = everything
    monkeypatch.setattr(runs, "fit", None)
    again = made(folder, "fig10")
    assert again | {"provenance": 0} == results["fig10"] | {"provenance": 0}


@pytest.mark.slow
def test_a_run_can_be_named(everything, tmp_path):
    folder, results = everything
    run = folder / results["fig6"]["runs"][0]["run"]
    reproduce(["fig6", "--from", str(run), "--runs", str(tmp_path)])
    stem = tmp_path / "results" / "fig6-digits"
    assert json.loads(stem.with_suffix(".json").read_text())["runs"] == results["fig6"]["runs"]
    assert stem.with_suffix(".png").read_bytes() == (folder / "results" / "fig6-digits.png").read_bytes()
    assert list(tmp_path.glob("digits-*")) == []


def test_a_figure_of_a_run_that_is_trained_first(tmp_path):
    result = made(tmp_path, "fig8", "--seed", "2")
    (run,) = result["runs"]
    assert run["measured_with_seed"] == 2
    assert result["provenance"]["command"] == "python -m ddpm_spec.reproduce fig8 --preset digits --seed 2"
    assert (tmp_path / "digits-1" / run["checkpoint"]).is_dir()
    assert f"digits-1, {run['sha256'][:8]}, seed 2" in result["notes"][0]


def test_a_row_that_diverges_is_shown_with_its_step(tmp_path, monkeypatch):
    monkeypatch.setitem(presets.PRESETS, "digits", small(lr=1e30, warmup=0, max_norm=float("inf")))
    result = made(tmp_path, "table1")
    for row in result["tables"][1]["rows"]:
        assert set(row[1:-1]) == {"–"}
        assert re.fullmatch(r"digits-\d: diverged at step \d", row[-1])
    with pytest.raises(InputError, match=r"diverged at step \d; change its settings"):
        reproduce(["fig3", "--runs", str(tmp_path)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], r"no target was named; choose from table1"),
        (["table5"], r"there is no target 'table5'; choose from table1"),
        (["table1", "--samples", "1"], r"--samples is 1; it must be from 2 to"),
        (["table1", "--preset", "digit"], r"there is no preset 'digit'"),
        (["table2", "--from", "runs/x"], r"table2 is made of several runs"),
        (["followups", "--from", "runs/x"], r"followups is made of several runs"),
        (["fig6", "--path", "nowhere"], r"digits takes no --path; leave it away"),
        (
            ["fig6", "--from", "runs/x", "--steps", "3"],
            r"--from names a run that is trained already; leave",
        ),
        (
            ["fig6", "--from", "ex"],
            r"ex is not a run folder.* python -m ddpm_spec\.evaluate ex --preset digits$",
        ),
    ],
)
def test_bad_options_in_one_line(words, message, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        reproduce([*words, "--runs", str(tmp_path)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("target", "held"), [("table1", 2), ("fig10", 42), ("followups", 2)])
def test_more_samples_than_the_memory_holds_are_refused_before_any_training(
    target, held, tmp_path, monkeypatch
):
    need = held * 100 * 64
    monkeypatch.setattr(memory, "memory_of", lambda device: need - 1)
    monkeypatch.setattr(Trainer, "run", None)
    words = [target, "--samples", "100", "--runs", str(tmp_path)]
    monkeypatch.setattr(memory, "refuse_training", lambda *_: None)
    with pytest.raises(
        InputError, match=rf"--samples is 100; so many images need {need / 1e9:.1f} GB of mem"
    ):
        reproduce(words)
    assert list(tmp_path.glob("digits-*")) == []


def test_a_run_that_is_there_is_measured_within_the_memory(tmp_path, monkeypatch):
    made(tmp_path, "fig3")
    monkeypatch.setattr(memory, "memory_of", lambda device: 2 * 100 * 64 - 1)
    run = str(tmp_path / "digits-1")
    with pytest.raises(InputError, match="--samples is 100; so many images need"):
        reproduce(["table3", "--from", run, "--samples", "100", "--runs", str(tmp_path)])
    made(tmp_path, "fig3", "--samples", "100")  # it draws 64 at most


def test_files_that_are_left_out_are_said(tmp_path, monkeypatch, capsys):
    for part in ("train", "test"):
        (tmp_path / "set" / part).mkdir(parents=True)
        for i in range(6):
            Image.new("L", (8, 8), 40 * i + len(part)).save(tmp_path / "set" / part / f"{i}.png")
    (tmp_path / "set" / "train" / "x.heic").touch()
    source = Source(path=str(tmp_path / "set"), cache=str(tmp_path / "cache"), grey=True)
    monkeypatch.setitem(presets.PRESETS, "digits", dataclasses.replace(small(), data="folder", source=source))
    made(tmp_path, "fig3")
    capsys.readouterr()
    _loaded.cache_clear()
    made(tmp_path, "fig3")
    assert "train: 7 found, 6 used; left out: 1 whose suffix" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_on_other_images_is_refused(everything):
    folder, results = everything
    run = folder / results["fig6"]["runs"][0]["run"]
    settings = (run / "settings.json").read_text()
    try:
        (run / "settings.json").write_text(settings.replace('"train_part": "train"', '"train_part": "other"'))
        with pytest.raises(InputError, match=r"on other images .* name the preset it was trained with"):
            reproduce(["fig6", "--from", str(run), "--runs", str(folder)])
    finally:
        (run / "settings.json").write_text(settings)


def test_each_target_has_what_makes_it():
    assert list(MAKERS) == list(TARGETS)


def test_the_list_explains_each(capsys):
    reproduce(["--list"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(TARGETS)
    assert all("paper:" in line for line in lines)
