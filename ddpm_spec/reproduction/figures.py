"""The figures, each of one run."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ddpm_spec import pictures
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.bound import spread
from ddpm_spec.evaluation.results import Results
from ddpm_spec.reproduction import images
from ddpm_spec.reproduction.plan import WEIGHTS, Made, Plan, Run, one_run
from ddpm_spec.reproduction.published import LSUN
from ddpm_spec.reproduction.tables import explained
from ddpm_spec.reproduction.targets import TIMES

__all__ = ["figure_5", "figure_6", "figure_7", "figure_8", "figure_9", "figure_10", "samples"]


def _shown(run: Run, said: str = "", of: str = "Model of") -> list[str]:
    """What is to be said under a picture: a sentence, if there is one, and of which model it is what."""
    model = run.measure.model
    return [
        f"{said} {of} {model.images.name}, {model.origin['step']:,} updates, averaged weights, convention "
        f"{run.measure.diffusion().convention}, unselected. From {run.named}.".lstrip()
    ]


def samples(data: str) -> Callable[[Plan], Made]:
    """Figs. 3 and 4: 64 samples; `data` is what the paper shows."""

    def make(plan: Plan) -> Made:
        run = one_run(plan)
        count = min(64, plan.samples)
        grid = pictures.grid_png(run.measure.samples(WEIGHTS, count), run.measure.model.images.levels)
        name = run.measure.model.images.name
        stand = (
            "" if plan.preset in LSUN else f"The paper shows {data} here; these are samples of another set."
        )
        notes = [*_shown(run, of=f"{count} samples of"), *filter(None, [stand])]
        return Made(picture=grid, alt=f"{count} generated images of {name}", notes=notes, runs=[run.source])

    return make


def figure_5(plan: Plan) -> Made:
    """Rate and distortion, over reverse time and over each other."""
    run = one_run(plan)
    curves, T = run.bound[1]["test"], plan.settings.process.T
    levels = run.measure.model.images.levels
    figure, (first, second, third) = pictures.panels(
        f"RMSE of 0..{levels - 1}", "rate (bits/dim)", "RMSE over rate"
    )
    received = range(T - 1, -1, -1)  # T − t for t = 1..T
    for colour, (name, found) in zip(pictures.COLOURS, curves.items(), strict=False):
        first.plot(received, found["distortion"], color=colour, label=name)
        second.plot(received, found["rate"], color=colour)
        third.plot(found["rate"], found["distortion"], color=colour)
    for axes, x in ((first, "$T - t$"), (second, "$T - t$"), (third, "rate (bits/dim)")):
        axes.set_xlabel(x)
    for axes in (first, third):
        axes.set_ylim(0, levels - 1)
    pictures.legend(first)
    notes = _shown(run, of=f"{run.count['test']} held-out images of")
    largest = max(curves["paper"]["distortion"])
    notes.append(
        "Rate and distortion as in Table 4. Official: x̂_0 clipped to [−1, 1]; unclipped, an error of the "
        f"predicted noise is divided by √ᾱ_t, and the distortion reaches {largest:.0f} grey levels."
    )
    return Made(
        picture=pictures.png(figure),
        alt="Distortion and rate over the reverse process, and distortion over rate",
        notes=notes, runs=[run.source], numbers={"test": _short(curves), "received": _received(run, T)},
    )  # fmt: skip


LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


def _received(run: Run, T: int) -> Results:
    """x_t and x̂_0 of an image of each class, t from 1 to T in even ratios: a letter a pixel, row by row.

    They are the first of their class among those of the curves. Nothing of images with more levels than
    there are letters.
    """
    sets, count = run.measure.model.images, run.count["test"]
    if sets.levels > len(LETTERS) or not len(sets.held_out_labels):
        return {}
    _, chosen = run.measure.chosen("test", count)
    labels = sets.held_out_labels[chosen.numpy()].tolist()
    classes = sorted(set(labels))
    rows = [labels.index(label) for label in classes]
    times = sorted({round(T ** (k / 30)) for k in range(31)})
    paths = images.received(run.measure, WEIGHTS, count, rows, times)
    return {
        "classes": classes,
        "times": times,
        "shape": list(sets.shape),
        "levels": sets.levels,
        "x_0": [_letters(image) for image in sets.held_out[chosen[rows]]],
        "paths": [[[_letters(image) for image in pair] for pair in path] for path in paths],
    }


def _letters(image: Tensor) -> str:
    return "".join(LETTERS[level] for level in image.flatten().tolist())


def _short(curves: Results) -> Results:
    """The curves with six digits, as they are stored."""
    return {
        convention: {name: [float(f"{x:.6g}") for x in values] for name, values in course.items()}
        for convention, course in curves.items()
    }


def figure_6(plan: Plan) -> Made:
    """Predicted images on the way, one path a row."""
    run = one_run(plan)
    times = images.evenly(plan.settings.process.T, 10)
    drawn = images.progressive(run.measure, WEIGHTS, min(8, plan.samples), times)
    grid = pictures.labelled_grid(
        drawn, run.measure.model.images.levels, columns=[str(t) for t in times], rows=[""] * len(drawn),
        x_label="$t$",
    )  # fmt: skip
    notes = _shown(run, "Predicted x̂_0 (Eq. 15) at time t of Algorithm 2; at 0 x_0 itself.")
    return Made(picture=grid, alt="Predicted images, sharper as t falls", notes=notes, runs=[run.source])


def figure_7(plan: Plan) -> Made:
    """Images from the same frozen latents."""
    run = one_run(plan)
    T, count, draws = plan.settings.process.T, 3, 8
    times = [math.ceil(T * k / 4) for k in (4, 3, 2, 1)]
    drawn = images.from_latents(run.measure, WEIGHTS, count, times, draws).transpose(0, 1)
    rows = [f"$t = {t}$" if k == count // 2 else "" for t in times for k in range(count)]
    grid = pictures.labelled_grid(
        drawn.flatten(0, 1), run.measure.model.images.levels, columns=["$x_t$", *[""] * draws], rows=rows
    )
    notes = _shown(run, f"First column: x_t of {count} paths of Algorithm 2, frozen. Right of it, in each "
                        f"row, {draws} images x_0 ~ p_θ(x_0 | x_t), by the same noise at all t.")  # fmt: skip
    return Made(
        picture=grid, alt="Images drawn from the same frozen x_t, more alike as t falls", notes=notes,
        runs=[run.source],
    )  # fmt: skip


MIXING = [k / 10 for k in range(11)]


def _pairs(run: Run, count: int) -> Tensor:
    """Pairs of held-out images, evenly spread, of two classes where there are any: int64, (count, 2)."""
    sets = run.measure.model.images
    pairs = spread(2 * count, len(sets.held_out)).reshape(count, 2)
    labels = sets.held_out_labels
    for pair in pairs if len(labels) else ():
        others = (labels != labels[pair[0]]).nonzero()[0]
        behind = others[others >= int(pair[1])]
        pair[1] = int(behind[0] if len(behind) else others[0])
    return pairs


def _between(run: Run, pairs: Tensor, times: list[int]) -> Tensor:
    """Rows of source, interpolations and source: (pairs · times, 2 + weights, C, H, W)."""
    held_out = run.measure.model.images.held_out
    mixed = images.interpolations(run.measure, WEIGHTS, pairs, times, MIXING)
    ends = [held_out[pairs[:, side]][:, None, None].expand(-1, len(times), 1, -1, -1, -1) for side in (0, 1)]
    return torch.cat([ends[0], mixed, ends[1]], dim=2).flatten(0, 1)


COLUMNS = ["source", "rec.", *(f"{weight:g}" for weight in MIXING[1:-1]), "rec.", "source"]


def figure_8(plan: Plan) -> Made:
    """Interpolations of six pairs, half-way through."""
    run = one_run(plan)
    t = math.ceil(plan.settings.process.T / 2)
    rows = _between(run, _pairs(run, 6), [t])
    grid = pictures.labelled_grid(
        rows, run.measure.model.images.levels, columns=COLUMNS, rows=[""] * len(rows), x_label="λ"
    )
    notes = _shown(run, f"Two held-out images, their x_t at t = {t} mixed with weight λ on the second, and "
                        "decoded with the same noise for all λ; at 0 and 1 reconstructions.")  # fmt: skip
    return Made(picture=grid, alt="Interpolations between pairs of images", notes=notes, runs=[run.source])


def figure_9(plan: Plan) -> Made:
    """Interpolations of one pair, over t."""
    run = one_run(plan)
    times = images.evenly(plan.settings.process.T, 8)
    rows = _between(run, _pairs(run, 1), times)
    grid = pictures.labelled_grid(
        rows, run.measure.model.images.levels, columns=COLUMNS, rows=[str(t) for t in times], x_label="λ",
        y_label="$t$",
    )  # fmt: skip
    notes = _shown(run, "One pair of held-out images, mixed at different t: coarse to fine. At t = 0 the "
                        "images themselves are mixed.")  # fmt: skip
    return Made(
        picture=grid, alt="Interpolations of one pair, from new images at large t to cross-fading at 0",
        notes=notes, runs=[run.source],
    )  # fmt: skip


def figure_10(plan: Plan) -> Made:
    """Quality of predicted images over time: IS and FID, or our own measures for small grey images."""
    run = one_run(plan)
    T = plan.settings.process.T
    times = images.evenly(T, TIMES)
    drawn = images.progressive(run.measure, WEIGHTS, plan.samples, times)
    judges = run.judges
    if judges is None:
        course = _inception_course(run, drawn)
    else:
        judge, features = judges
        course = {
            "Fréchet, features": [features.distance(drawn[:, k])["train"] for k in range(len(times))],
            "Fréchet, pixels": [judge.distance(drawn[:, k])["train"] for k in range(len(times))],
            "confidence": [judge.figures(drawn[:, k]).confidence for k in range(len(times))],
        }
    figure, plots = pictures.panels(*course)
    taken = [T - t for t in times]
    for axes, (name, values) in zip(plots, course.items(), strict=True):
        axes.plot(taken, values, color=pictures.COLOURS[0], marker="o", markersize=3)
        axes.set_xlabel("$T - t$")
        if "Fréchet" in name or name == "FID":
            pictures.logarithmic(axes)
    notes = _shown(run, of=f"Quality of x̂_0 over time, {plan.samples:,} samples of")
    if judges:
        notes += ["The paper shows IS and FID; these are other measures.", *explained(run)]
    return Made(
        picture=pictures.png(figure), alt=f"{', '.join(course)} over the reverse process", notes=notes,
        runs=[run.source], numbers={"times": times, **course},
    )  # fmt: skip


def _inception_course(run: Run, drawn: Tensor) -> dict[str, list[float]]:
    """IS and FID over time.

    Raises:
        InputError: if there are no weights for them.
    """
    found = [run.inception(drawn[:, k]) for k in range(drawn.shape[1])]
    for one in found:
        if isinstance(one, str):
            raise InputError(f"Fig. 10 is made of IS and FID: {one}")
    told = [one for one in found if not isinstance(one, str)]
    return {"IS": [one["is"] for one in told], "FID": [one["fid"]["train"] for one in told]}
