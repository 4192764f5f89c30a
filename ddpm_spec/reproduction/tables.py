"""The tables: the paper's cells as printed, ours beside them, each with the run it is from."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ddpm_spec.choices import Convention, Prediction, Variance
from ddpm_spec.evaluation.results import Results
from ddpm_spec.reproduction import published
from ddpm_spec.reproduction.plan import Made, Plan, Run, Table, one_run, open_for
from ddpm_spec.reproduction.published import Published
from ddpm_spec.reproduction.runs import find
from ddpm_spec.runs.presets import preset
from ddpm_spec.runs.settings import Settings

__all__ = [
    "NOT_RUN",
    "OWN",
    "beside",
    "elsewhere",
    "explained",
    "own_cells",
    "table_1",
    "table_2",
    "table_3",
    "table_4",
]

NOT_RUN = "not run"


@dataclass(frozen=True)
class Variant:
    """A row of Table 2: what is predicted, and what is minimised."""

    prediction: Prediction
    objective: Literal["simple", "bound"]
    variance: Variance

    def of(self, settings: Settings) -> Settings:
        """These settings with this row's choices; all else is the same."""
        # A squared error has no say in the variance: the preset's stays.
        variance = self.variance if self.objective == "bound" else settings.process.variance
        return dataclasses.replace(
            settings,
            process=dataclasses.replace(settings.process, prediction=self.prediction, variance=variance),
            training=dataclasses.replace(settings.training, objective=self.objective),
        )


VARIANTS = (
    Variant("mu", "bound", "learned"),
    Variant("mu", "bound", "beta"),
    Variant("mu", "simple", "beta"),
    Variant("eps", "bound", "learned"),
    Variant("eps", "bound", "beta"),
    Variant("eps", "simple", "beta"),
)
"""The rows of Table 2, in its order."""

OWN = ("conf.", "novelty", "pixels", "features", "NLL test (bits/dim)", "NLL train")
"""Our own columns for small grey images: no Inception, so none of the paper's."""


def explained(run: Run) -> list[str]:
    """What our own columns mean, and what held-out images get in them."""
    images = run.measure.model.images
    if run.judges is None:
        return []
    judge, features = run.judges
    pixels, distance = judge.distance(images.held_out)["train"], features.distance(images.held_out)["train"]
    return [
        f"{run.plan.samples:,} samples of {images.name}; no number here is an FID or an IS. Conf.: mean "
        "certainty of a classifier, over that of held-out images. Novelty: median distance to the nearest "
        "training image, over that of held-out images; below 0.8 the model stores images. Pixels: Fréchet "
        f"distance to the training images in grey levels (held-out images: {pixels:.1f}). Features: the same "
        "in the last hidden layer of a perceptron trained on the training images "
        f"(held-out images: {distance:.2f}).",
        f"NLL: the bound of Eq. 5 as printed, {run.count['test']} images of each set, ± one standard error.",
    ]


def own_cells(run: Run, convention: Convention = "paper") -> tuple[str, ...]:
    """The cells under OWN, the bound by this convention; what is sampled by DDIM has none."""
    q = run.quality
    nll = ("–", "–") if run.by_ddim else _nll(run.bound[0], convention)
    if "pixel_frechet" not in q:
        return ("", "", "", "", *nll)
    return (
        f"{q['confidence']:.3f}", f"{q['novelty']:.2f}", f"{q['pixel_frechet']['train']:.1f}",
        f"{q['feature_frechet']['train']:.2f}", *nll,
    )  # fmt: skip


def _nll(bound: Results, convention: str) -> tuple[str, str]:
    test, train = (bound[split][convention] for split in ("test", "train"))
    return f"≤ {test['total']:.3f} ± {test['standard_error']:.3f}", f"{train['total']:.3f}"


def _in_the_papers_unit(run: Run) -> str:
    """IS, FID and NLL, as the paper's tables have them, and where they come from."""
    found = run.inception()
    if isinstance(found, str):
        return f"no IS or FID ({found}); NLL {_nll(run.bound[0], 'official')[0]} ({run.named})"
    return (
        f"IS {found['is']:.2f} ± {found['is_spread']:.2f}, FID {found['fid']['train']:.2f} (to the test set "
        f"{found['fid']['test']:.2f}), NLL {_nll(run.bound[0], 'official')[0]} ({run.named})"
    )


def elsewhere(name: str, variant: Variant | None, plan: Plan) -> str:
    """What to say of a row of the paper that this preset does not make."""
    settings = preset(name)
    found = find(variant.of(settings) if variant else settings, plan.runs)
    done = found and found.step == settings.training.steps
    return f"see --preset {name}" if done else NOT_RUN


def _ablation(plan: Plan, table: Published, lines: dict[int, Variant], name: Sequence[int]) -> Made:
    """A table with a run for each of some lines; `name` are the columns that name a line."""
    made, ours, own = Made(), {}, []
    for line, variant in lines.items():
        label = tuple(table.rows[line][k] for k in name)
        found = plan.trained(variant.of(plan.settings))
        if found.diverged:
            noted = f"{found.run.name}: diverged at step {found.diverged['step']:,}"
            ours[line] = f"– ({noted})"
            own.append((*label, *["–"] * len(OWN), noted))
            made.runs.append({"run": found.run.name, "diverged": found.diverged})
            made.numbers[" ".join(label)] = {"diverged": found.diverged}
            continue
        run = open_for(plan, found.run)
        made.runs.append(run.source)
        made.numbers[" ".join(label)] = {"quality": run.quality, "bound": run.bound[0]}
        own.append((*label, *own_cells(run), run.named))
        if plan.preset == "cifar10":
            ours[line] = _in_the_papers_unit(run)
        made.notes = made.notes or explained(run)
    for line, variant in lines.items():
        ours.setdefault(line, elsewhere("cifar10", variant, plan))
    made.tables = [beside(table, ours)]
    if plan.preset != "cifar10":
        header = (*(table.header[k] for k in name), *OWN, "from")
        made.tables.append(Table(f"The same on {plan.preset}, in other units", header, tuple(own)))
    steps, usual = plan.settings.training.steps, preset(plan.preset).training.steps
    fewer = "" if steps == usual else f"; the preset has {usual:,}"
    made.notes.append(f"Every row has the preset's network and {steps:,} updates{fewer}.")
    return made


def beside(table: Published, ours: dict[int, str]) -> Table:
    """What others printed, and a column of ours, by line, in the same unit."""
    rows = tuple((*cells, ours.get(k, "")) for k, cells in enumerate(table.rows))
    return Table(f"{table.place}, {table.data}, as printed", (*table.header, "ours"), rows)


def table_1(plan: Plan) -> Made:
    """Quality and codelength, trained on L and on L_simple."""
    return _ablation(plan, published.TABLE_1, {12: VARIANTS[4], 13: VARIANTS[5]}, (0,))


def table_2(plan: Plan) -> Made:
    """Six ways to train; one that diverges is shown as – with its step."""
    return _ablation(plan, published.TABLE_2, dict(enumerate(VARIANTS)), (0, 1))


def table_3(plan: Plan) -> Made:
    """Quality on LSUN, or of the preset in the place of it."""
    run = one_run(plan)
    made = Made(runs=[run.source], notes=explained(run))
    said: dict[int, list[str]] = {}
    for name, (line, data) in published.LSUN.items():
        if name == plan.preset:
            found = run.inception()
            value = found if isinstance(found, str) else f"{found['fid']['train']:.2f}"
            cell = f"{data} {value} ({run.named})"
        else:
            cell = f"{data} {elsewhere(name, None, plan)}"
        said.setdefault(line, []).append(cell)
    made.tables = [beside(published.TABLE_3, {line: "; ".join(cells) for line, cells in said.items()})]
    if plan.preset not in published.LSUN:
        made.numbers = {"quality": run.quality, "bound": run.bound[0]}
        own = Table(
            f"On {plan.preset}, in other units", ("model", *OWN, "from"),
            (("DDPM (L_simple)", *own_cells(run), run.named),),
        )  # fmt: skip
        made.tables.append(own)
    return made


def table_4(plan: Plan) -> Made:
    """Rate and distortion at ten times."""
    run = one_run(plan)
    curves, table = run.bound[1]["test"], published.TABLE_4
    levels, T = run.measure.model.images.levels, plan.settings.process.T
    steps = [math.ceil(T * k / 10) for k in range(10, 0, -1)]

    def values(reverse_time: int, convention: str) -> tuple[str, str]:
        found, at = curves[convention], T - reverse_time
        return f"{found['rate'][at]:.5f}", f"{found['distortion'][at]:.5f}"

    told = {
        convention: {name: [values[T - step] for step in steps] for name, values in course.items()}
        for convention, course in curves.items()
    }
    made = Made(runs=[run.source], numbers={"T − t + 1": steps, **told, "images": run.count["test"]})
    if plan.preset == "cifar10":
        ours = {k: f"{', '.join(values(step, 'official'))} ({run.named})" for k, step in enumerate(steps)}
    else:
        ours = dict.fromkeys(range(10), elsewhere("cifar10", None, plan))
    made.tables = [beside(table, ours)]
    if plan.preset != "cifar10":
        header = ("T − t + 1", "rate", f"RMSE of 0..{levels - 1}", "rate, official", "RMSE, official", "from")
        rows = tuple(
            (str(step), *values(step, "paper"), *values(step, "official"), run.named) for step in steps
        )
        made.tables.append(Table(f"The same on {plan.preset}, held-out images", header, rows))
    made.notes = [
        f"{run.count['test']} held-out images. Rate: L_T + … + L_t in bits/dim, what has been received when "
        "x_t is known. Distortion: root mean square of x_0 − x̂_0 (Eq. 15) at that x_t ~ q(x_t | x_0), "
        f"over pixels and images, in {levels} grey levels. Official: x̂_0 clipped to [−1, 1]."
    ]
    return made
