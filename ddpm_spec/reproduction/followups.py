"""What came after the paper, on small images: other ways to train with the same budget, and fewer steps."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import torch

from ddpm_spec.diffusion import Prediction, Variance
from ddpm_spec.reproduction import published
from ddpm_spec.reproduction.plan import WEIGHTS, Made, Plan, Run, Table, one_run, open_for
from ddpm_spec.reproduction.runs import trained
from ddpm_spec.reproduction.tables import NOT_RUN, OWN, beside, elsewhere, explained, own_cells
from ddpm_spec.schedule import evenly
from ddpm_spec.training import pictures
from ddpm_spec.training.settings import Settings

__all__ = ["followups"]

STEPS = (100, 50, 10)
"""Fewer than T: so many are taken of the baseline by DDIM and by Algorithm 2, and of a learned variance."""
SHOWN = 10
"""Samples of each row in the picture."""


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


LEARNED = "Σ learned, L_hybrid"
CHANGES = {
    "cosine schedule": Change(schedule="cosine"),
    "v predicted": Change(prediction="v"),
    LEARNED: Change(variance="learned_range", objective="hybrid"),
}


def followups(plan: Plan) -> Made:
    """A row for each way to train, then fewer steps; the literature's numbers apart."""
    baseline, T = one_run(plan), plan.settings.process.T
    rows = {("baseline", "Algorithm 2", T): baseline}
    rows["baseline, other noise", "Algorithm 2", T] = _sampled(baseline, seed=plan.seed + 1)
    made, diverged = Made(runs=[baseline.source], notes=explained(baseline)), {}
    for name, change in CHANGES.items():
        found = trained(change.of(plan.settings), plan.preset, plan.runs, plan.interrupt)
        if found.diverged:
            diverged[name] = f"{found.run.name}: diverged at step {found.diverged['step']:,}"
            made.runs.append({"run": found.run.name, "diverged": found.diverged})
            continue
        rows[name, "Algorithm 2", T] = open_for(plan, found.run)
        made.runs.append(rows[name, "Algorithm 2", T].source)
    for steps in (steps for steps in STEPS if steps < T):
        times = tuple(evenly(T, steps))
        rows["baseline", "DDIM, η = 0", steps] = _sampled(baseline, times=times, eta=0.0)
        for name in ("baseline", LEARNED):
            if name not in diverged:
                rows[name, "Algorithm 2", steps] = _sampled(rows[name, "Algorithm 2", T], times=times)
    header = ("trained", "sampler", "steps", *OWN, "from")
    own = [(name, by, str(steps), *own_cells(run), run.named) for (name, by, steps), run in rows.items()]
    own += [(name, "", "", *["–"] * len(OWN), noted) for name, noted in diverged.items()]
    made.tables = [
        Table(f"On {plan.preset}, with the same budget", header, tuple(own)),
        *_literature(plan, rows),
    ]
    made.numbers = {
        ", ".join(map(str, row)): {"quality": run.quality, "bound": None if run.by_ddim else run.bound[0]}
        for row, run in rows.items()
    }
    shown = torch.stack([run.measure.samples(WEIGHTS, plan.samples)[:SHOWN] for run in rows.values()])
    labels = [f"{name}, {by}, {steps}" for name, by, steps in rows]
    levels = baseline.measure.model.images.levels
    made.picture = pictures.labelled_grid(shown, levels, columns=[""] * shown.shape[1], rows=labels)
    made.alt = f"{shown.shape[1]} samples for each row of the table"
    made.notes += _notes(plan)
    return made


def _sampled(run: Run, **otherwise: Any) -> Run:
    """The same model, measured with another seed, or sampled in fewer steps or by DDIM."""
    return dataclasses.replace(run, measure=dataclasses.replace(run.measure, **otherwise))


def _literature(plan: Plan, rows: dict[tuple[str, str, int], Run]) -> list[Table]:
    """What the follow-ups print, in their unit; ours only where it is in that unit too."""
    ours = {}
    for line, (steps, *_) in enumerate(published.DDIM.rows):
        samplers = [by for name, by, taken in rows if name == "baseline" and str(taken) == steps]
        ours[line] = elsewhere("cifar10", None, plan) if plan.preset != "cifar10" else NOT_RUN
        if plan.preset == "cifar10" and samplers:
            ours[line] = "; ".join(f"{by} {_fid(rows['baseline', by, int(steps)])}" for by in samplers)
    other_T = dict.fromkeys(range(len(published.IDDPM.rows)), NOT_RUN)
    return [beside(published.DDIM, ours), beside(published.IDDPM, other_T)]


def _fid(run: Run) -> str:
    """FID of these samples, or why there is none."""
    found = run.inception()
    return found if isinstance(found, str) else f"{found['fid']['train']:.2f}"


def _notes(plan: Plan) -> list[str]:
    training = plan.settings.training
    return [
        f"Every run has the preset's network, {training.steps:,} updates and seed {training.seed}. The "
        "second row is the first with other noise in samples and bound, which moves the numbers so far. "
        "How far two trainings differ was not measured.",
        "Fewer steps: evenly spread over 1..T, the last T, each as one long step with its own β. Algorithm 2 "
        "takes that β for σ², or for the upper end of what is learned; it has the shorter chain's bound. "
        "DDIM starts from the same x_T as the first row, and Eq. 5 does not bound it.",
        "The literature's numbers are FIDs and bits/dim of CIFAR10, from networks and budgets of another "
        "size; an empty cell was not checked. IDDPM has T = 4,000, the cosine schedule and 500,000 updates.",
    ]
