"""What came after the paper, from nothing to its files, on the small preset."""

import dataclasses
import json
import math
import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from small_run import small

from ddpm_spec.evaluation import features
from ddpm_spec.evaluation.draw import draw
from ddpm_spec.evaluation.features import Features
from ddpm_spec.evaluation.model import open_run
from ddpm_spec.evaluation.quality import Judge
from ddpm_spec.formulas.bound import variance_mismatch
from ddpm_spec.formulas.posterior import posterior_variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.reproduction import followups, plan, published, runs
from ddpm_spec.reproduction.commands import reproduce
from ddpm_spec.reproduction.tables import OWN
from ddpm_spec.runs import presets
from ddpm_spec.runs.settings import Settings

BASE = small(process={"beta_1": 0.02, "beta_T": 0.4})
"""Wide steps: it matters how many there are."""

DOCS = Path(__file__).parents[2] / "docs"

ROWS = [
    ("baseline", "Alg. 2", "8"),
    ("other noise", "Alg. 2", "8"),
    ("cosine", "Alg. 2", "8"),
    ("v", "Alg. 2", "8"),
    ("learned Σ", "Alg. 2", "8"),
    ("baseline", "DDIM", "4"),
    ("baseline", "Alg. 2", "4"),
    ("learned Σ", "Alg. 2", "4"),
    ("baseline", "DDIM", "2"),
    ("baseline", "Alg. 2", "2"),
    ("learned Σ", "Alg. 2", "2"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The runs of a finished target, and its results."""
    made = tmp_path_factory.mktemp("followups")
    with pytest.MonkeyPatch.context() as patch:
        as_here(patch)
        patch.setattr(features, "UPDATES", 20)
        reproduce(["followups", "--runs", str(made)])
    return made


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """The same for each test."""
    as_here(monkeypatch)


def as_here(patch):
    """The presets, and the steps to take: nine are more than there are."""
    patch.setitem(presets.PRESETS, "digits", BASE)
    patch.setitem(presets.PRESETS, "cifar10", small(steps=99))
    patch.setattr(followups, "STEPS", (9, 4, 2))


@pytest.fixture
def result(folder):
    return json.loads((folder / "results" / "followups-digits.json").read_text())


def test_a_row_for_each_way_to_train_and_to_sample(folder, result):
    """By both conventions, and nothing is measured twice."""
    for own in result["tables"][:2]:
        assert own["header"] == ["trained", "sampler", "steps", *OWN, "from"]
        assert [tuple(row[:3]) for row in own["rows"]] == ROWS
        assert not {"FID", "IS"} & {word for cell in own["header"] for word in re.findall(r"\w+", cell)}
    measured = [tuple(row[3:9]) for own in result["tables"][:2] for row in own["rows"]]
    assert len(set(measured)) == 2 * len(ROWS)
    picture = Image.open(folder / "results" / result["picture"])
    assert picture.height / picture.width == pytest.approx(len(ROWS) / 12, rel=0.5)
    assert result["alt"]


def test_the_runs_differ_in_what_their_row_names_only(folder, result):
    """Same network, budget and seed; every run is named with its hash."""
    changes = [
        {},
        {"schedule": "cosine"},
        {"prediction": "v"},
        {"variance": "learned_range", "objective": "hybrid"},
    ]
    assert len(list(folder.glob("digits-*"))) == len(result["runs"]) == 4
    for run, change in zip(result["runs"], changes, strict=True):
        saved = Settings.load(folder / run["run"] / "settings.json")
        objective = change.pop("objective", "simple")
        assert saved.process == dataclasses.replace(BASE.process, **change)
        assert saved.training == dataclasses.replace(BASE.training, objective=objective)
        assert saved.network == BASE.network
    named = [row[-1] for row in result["tables"][0]["rows"]]
    assert named == [row[-1] for row in result["tables"][1]["rows"]]
    first, *others = (f"{run['run']}, {run['sha256'][:8]}, seed 0" for run in result["runs"])
    fewer = [first, first, others[-1]]
    assert named == [first, first.replace("seed 0", "seed 1"), *others, *fewer, *fewer]


@pytest.mark.parametrize(("place", "convention"), [(0, "paper"), (1, "official")])
def test_cells_are_what_was_measured(result, place, convention):
    for row in result["tables"][place]["rows"]:
        numbers = result["numbers"][convention][", ".join(row[:3])]
        q, bound = numbers["quality"], numbers["bound"]
        assert row[3:7] == [
            f"{q['confidence']:.3f}", f"{q['novelty']:.2f}", f"{q['pixel_frechet']['train']:.1f}",
            f"{q['feature_frechet']['train']:.2f}",
        ]  # fmt: skip
        if row[1].startswith("DDIM"):
            assert bound is None
            assert row[7:9] == ["–", "–"]
        else:
            test, train = (bound[split][convention] for split in ("test", "train"))
            assert row[7] == f"≤ {test['total']:.3f} ± {test['standard_error']:.3f}"
            assert row[8] == f"{train['total']:.3f}"


@pytest.mark.parametrize(
    ("convention", "row", "seed", "sampler"),
    [
        ("paper", "baseline, Alg. 2, 8", 0, {}),
        ("paper", "other noise, Alg. 2, 8", 1, {}),
        ("paper", "baseline, DDIM, 4", 0, {"times": [2, 4, 6, 8], "eta": 0.0}),
        ("official", "baseline, DDIM, 4", 0, {"times": [2, 4, 6, 8], "eta": 0.0}),
        ("official", "baseline, Alg. 2, 2", 0, {"times": [4, 8]}),
    ],
)
def test_a_row_is_of_the_sampler_that_it_names(folder, result, convention, row, seed, sampler):
    """From the same x_T for one seed, whatever the sampler."""
    model = open_run(folder / result["runs"][0]["run"], "cpu")
    diffusion = dataclasses.replace(model.settings.diffusion(), convention=convention)
    drawn = draw(
        model.networks["ema"], diffusion, (1, 8, 8), 17, count=12, batch=5, seed=seed,
        device=torch.device("cpu"), **sampler,
    )  # fmt: skip
    quality = result["numbers"][convention][row]["quality"]
    assert quality["pixel_frechet"] == Judge(model.images).distance(drawn)
    assert quality["feature_frechet"] == Features(model.images, 0).distance(drawn)  # one judge for all rows


def test_fewer_steps_cost_what_their_own_variances_cost(result):
    """C of Eq. 8 in the bound of the shorter chain: of its one divergence, for σ² = β."""
    at = Step(*(table[2] for table in BASE.diffusion().schedule.visiting([4, 8]).steps))
    nats = variance_mismatch(posterior_variance(at), at.beta).item()
    bound = result["numbers"]["paper"]["baseline, Alg. 2, 2"]["bound"]["test"]["paper"]
    assert bound["mismatch"] == pytest.approx(nats / math.log(2), rel=1e-12)


def test_the_literatures_columns_hold_the_literatures_numbers_only(result):
    for table, printed in zip((published.DDIM, published.IDDPM), result["tables"][2:], strict=True):
        assert printed["header"] == [*table.header, "ours"]
        assert [row[:-1] for row in printed["rows"]] == [list(row) for row in table.rows]
        assert {row[-1] for row in printed["rows"]} == {"not run"}


def test_a_second_call_trains_and_draws_nothing(folder, result, monkeypatch):
    monkeypatch.setattr(runs, "fit", None)
    monkeypatch.setattr("ddpm_spec.evaluation.measure.draw", None)
    reproduce(["followups", "--runs", str(folder)])
    again = json.loads((folder / "results" / "followups-digits.json").read_text())
    assert again | {"provenance": 0} == result | {"provenance": 0}


def test_a_change_that_diverges_is_shown_with_its_step(folder, tmp_path, monkeypatch):
    found = runs.find(BASE, folder)
    ended = dataclasses.replace(found, diverged={"step": 5})
    monkeypatch.setattr(plan, "trained", lambda settings, *asked: found if settings == BASE else ended)
    monkeypatch.setattr(followups, "STEPS", ())
    reproduce(["followups", "--runs", str(folder), "--out", str(tmp_path)])
    made = json.loads((tmp_path / "followups-digits.json").read_text())
    assert [row[0] for row in made["tables"][0]["rows"]] == [ROWS[0][0], ROWS[1][0], *followups.CHANGES]
    for row, run in zip(made["tables"][0]["rows"][2:], made["runs"][1:], strict=True):
        assert row[1:] == ["", "", *["–"] * 6, f"{ended.run.name}: diverged at step 5"]
        assert run["diverged"] == {"step": 5}


def test_the_page_says_what_the_stored_numbers_say():
    """The sentences of the results page, one by one; a distance is that of pixels and of features."""
    page = (DOCS / "train" / "results.md").read_text(encoding="utf-8")
    stored = json.loads((DOCS / "results" / "followups-digits.json").read_text(encoding="utf-8"))["numbers"]

    def distances(convention, row):
        quality = stored[convention][row]["quality"]
        return [quality[f"{kind}_frechet"]["train"] for kind in ("pixel", "feature")]

    def nats(convention, row):
        return stored[convention][row]["bound"]["test"][convention]["total"]

    def closer(row, than, convention="official"):
        return all(
            a < b for a, b in zip(distances(convention, row), distances(convention, than), strict=True)
        )

    whole, other = "baseline, Alg. 2, 1000", "other noise, Alg. 2, 1000"
    v, hybrid = "v, Alg. 2, 1000", "learned Σ, Alg. 2, 1000"
    cosine, fewer = "cosine, Alg. 2, 1000", "baseline, {}, {}".format
    assert "Without the clip the cosine schedule and DDIM miss the images by far" in page
    for row in (cosine, *(fewer("DDIM", steps) for steps in (100, 50, 10))):
        assert distances("paper", row)[0] > 3 * distances("official", row)[0]
    assert "loss has the lowest bound of the four" in page
    assert "Every shorter chain has a lower one than the whole" in page
    for convention in ("paper", "official"):
        assert nats(convention, hybrid) < min(nats(convention, row) for row in (whole, cosine, v))
        for steps in (100, 50, 10):
            assert nats(convention, fewer("Alg. 2", steps)) < nats(convention, whole)
            short = hybrid.replace("1000", str(steps))
            assert nats(convention, short) < nats(convention, hybrid)
    assert "closer to the training images than Algorithm 2 in 10 steps, and farther from them in 100" in page
    assert closer(fewer("DDIM", 10), fewer("Alg. 2", 10))
    assert closer(fewer("Alg. 2", 100), fewer("DDIM", 100))
    assert "less than other noise does" in page
    for convention in ("paper", "official"):
        measured = [[*distances(convention, row), nats(convention, row)] for row in (whole, v, other)]
        for base, changed, noisy in zip(*measured, strict=True):
            assert abs(changed - base) < abs(noisy - base)
