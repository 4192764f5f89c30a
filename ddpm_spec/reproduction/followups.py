"""What came after the paper, on small images: other ways to train with the same budget, and fewer steps."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import torch

from ddpm_spec import pictures
from ddpm_spec.choices import Convention, Prediction, Variance
from ddpm_spec.evaluation.measure import CONVENTIONS
from ddpm_spec.reproduction import published
from ddpm_spec.reproduction.plan import WEIGHTS, Made, Plan, Run, Table, one_run, open_for
from ddpm_spec.reproduction.tables import NOT_RUN, OWN, beside, elsewhere, explained, own_cells
from ddpm_spec.runs.settings import Settings
from ddpm_spec.schedule import evenly

__all__ = ["followups"]

STEPS = (100, 50, 10)
"""Fewer than T: so many are taken of the baseline by DDIM and by Algorithm 2, and of a learned variance."""
SHOWN = 6
"""Samples of each row in the picture, by each convention."""


@dataclass(frozen=True)
class Change:
    """What a follow-up does otherwise than the baseline."""

    schedule: Literal["cosine"] | None = None
    prediction: Prediction | None = None
    variance: Variance | None = None
    objective: Literal["hybrid"] | None = None

    def of(self, settings: Settings) -> Settings:
        """These settings with this change; all else is the same."""
        asked = {name: value for name, value in vars(self).items() if value is not None}
        training = {"objective": asked.pop("objective")} if self.objective else {}
        return dataclasses.replace(
            settings,
            process=dataclasses.replace(settings.process, **asked),
            training=dataclasses.replace(settings.training, **training),
        )


BASELINE, LEARNED = "baseline", "learned Σ"
CHANGES = {
    "cosine": Change(schedule="cosine"),
    "v": Change(prediction="v"),
    LEARNED: Change(variance="learned_range", objective="hybrid"),
}


Rows = dict[tuple[str, str, int], Run]
"""By how it was trained, the sampler and the number of steps."""


def followups(plan: Plan) -> Made:
    """A row for each way to train, then fewer steps, by both conventions; the literature's numbers apart."""
    baseline, diverged = one_run(plan), {}
    made, trained_runs = Made(runs=[baseline.source], notes=explained(baseline)), {BASELINE: baseline}
    for name, change in CHANGES.items():
        found = plan.trained(change.of(plan.settings))
        if found.diverged:
            diverged[name] = f"{found.run.name}: diverged at step {found.diverged['step']:,}"
            made.runs.append({"run": found.run.name, "diverged": found.diverged})
        else:
            trained_runs[name] = open_for(plan, found.run)
            made.runs.append(trained_runs[name].source)
    rows = _rows(plan, trained_runs)
    sampled: dict[Convention, Rows] = {
        convention: {row: _sampled(run, convention=convention) for row, run in rows.items()}
        for convention in CONVENTIONS
    }
    header = ("trained", "sampler", "steps", *OWN, "from")
    for convention, clipping in zip(CONVENTIONS, ("x̂_0 as predicted", "x̂_0 clipped to [−1, 1]"), strict=True):
        own = [
            (name, by, str(steps), *own_cells(run, convention), run.named)
            for (name, by, steps), run in sampled[convention].items()
        ]
        own += [(name, "", "", *["–"] * len(OWN), noted) for name, noted in diverged.items()]
        made.tables.append(Table(f"On {plan.preset}, {clipping}", header, tuple(own)))
        made.numbers[convention] = {
            ", ".join(map(str, row)): {"quality": run.quality, "bound": None if run.by_ddim else run.bound[0]}
            for row, run in sampled[convention].items()
        }
    made.tables += _literature(plan, rows)
    made.picture, made.alt = _picture(plan, sampled), f"{SHOWN} samples for each row of the first two tables"
    made.notes += _notes(plan, baseline)
    return made


def _rows(plan: Plan, runs: dict[str, Run]) -> Rows:
    """What is measured, in its order."""
    T, baseline = plan.settings.process.T, runs[BASELINE]
    rows = {(BASELINE, "Alg. 2", T): baseline}
    rows["other noise", "Alg. 2", T] = _sampled(baseline, seed=plan.seed + 1)
    rows |= {(name, "Alg. 2", T): run for name, run in runs.items()}
    for steps in (steps for steps in STEPS if steps < T):
        times = tuple(evenly(T, steps))
        rows[BASELINE, "DDIM", steps] = _sampled(baseline, times=times, eta=0.0)
        for name in (BASELINE, LEARNED):
            if name in runs:
                rows[name, "Alg. 2", steps] = _sampled(runs[name], times=times)
    return rows


def _picture(plan: Plan, sampled: dict[Convention, Rows]) -> bytes:
    """Samples of every row, by both conventions side by side, from the same noise."""
    shown = torch.cat(
        [
            torch.stack([run.measure.samples(WEIGHTS, plan.samples)[:SHOWN].clone() for run in rows.values()])
            for rows in sampled.values()
        ],
        dim=1,
    )
    rows = sampled["paper"]
    columns = [""] * shown.shape[1]
    for k, title in enumerate(("as predicted", "clipped")):
        columns[(2 * k + 1) * len(columns) // 4] = title
    labels = [f"{name}, {by}, {steps}" for name, by, steps in rows]
    (baseline, *_) = rows.values()
    return pictures.labelled_grid(shown, baseline.measure.model.images.levels, columns=columns, rows=labels)


def _sampled(run: Run, **otherwise: Any) -> Run:
    """The same model, measured with another seed, or sampled in fewer steps or by DDIM."""
    return dataclasses.replace(run, measure=dataclasses.replace(run.measure, **otherwise))


def _literature(plan: Plan, rows: Rows) -> list[Table]:
    """What the follow-ups print, in their unit; ours only where it is in that unit too."""
    ours = {}
    for line, (steps, *_) in enumerate(published.DDIM.rows):
        samplers = [by for name, by, taken in rows if name == BASELINE and str(taken) == steps]
        ours[line] = elsewhere("cifar10", None, plan) if plan.preset != "cifar10" else NOT_RUN
        if plan.preset == "cifar10" and samplers:
            ours[line] = "; ".join(f"{by} {_fid(rows[BASELINE, by, int(steps)])}" for by in samplers)
    other_T = dict.fromkeys(range(len(published.IDDPM.rows)), NOT_RUN)
    return [beside(published.DDIM, ours), beside(published.IDDPM, other_T)]


def _fid(run: Run) -> str:
    """FID of these samples, or why there is none."""
    found = run.inception()
    return found if isinstance(found, str) else f"{found['fid']['train']:.2f}"


def _notes(plan: Plan, baseline: Run) -> list[str]:
    training, half = plan.settings.training, baseline.bound[0]["test"]["paper"]["half_at"]
    return [
        f"Every run has the preset's network, {training.steps:,} updates and seed {training.seed}. The "
        "second row is the first with other noise in samples and bound, which moves the numbers so far. "
        "How far two trainings differ was not measured. Learned Σ: a range, by L_hybrid.",
        "First table: Algorithm 2 as the paper prints it. Second: as the official code has it, samples and "
        "bound. Eq. 15 divides an error of the predicted noise by √ᾱ_t; the clip bounds it.",
        "Fewer steps: evenly spread over 1..T, the last T, each as one long step with its own β. Algorithm 2 "
        "takes that β for σ², or for the upper end of what is learned; it has the shorter chain's bound. "
        f"Half of the first row's bound lies at t ≤ {half}. "
        "DDIM, with η = 0, starts from the same x_T as the first row, and Eq. 5 does not bound it.",
        "The literature's numbers are FIDs and bits/dim of CIFAR10, from networks and budgets of another "
        "size; an empty cell was not checked. IDDPM has T = 4,000, the cosine schedule and 500,000 updates.",
    ]
