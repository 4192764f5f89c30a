"""The results of an evaluation: computed once, as JSON, and read by tables and figures."""

import functools
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from torch import Tensor

from ddpm_spec.data import Images
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.bound import curves, summary
from ddpm_spec.evaluation.features import Features
from ddpm_spec.evaluation.inception import fid_and_is, inception_weights
from ddpm_spec.evaluation.measure import Measure, Split
from ddpm_spec.evaluation.model import Model
from ddpm_spec.evaluation.quality import Judge, has_judge, why_no_judge
from ddpm_spec.machine import processes
from ddpm_spec.runs.provenance import provenance

__all__ = ["Results", "bounds", "evaluate", "judges_of", "quality"]

Results = dict[str, Any]


def bounds(measure: Measure, weights: str, counts: dict[Split, int]) -> tuple[Results, Results]:
    """Bound and curves of these weights, by split and convention."""
    images = measure.model.images
    dims = math.prod(images.shape)
    found: tuple[Results, Results] = ({}, {})
    for split, count in counts.items():
        terms = measure.terms(weights, split, count)
        found[0][split] = {c: asdict(summary(t, dims, measure.chain(c))) for c, t in terms.items()}
        found[1][split] = {c: asdict(curves(t, dims, images.levels)) for c, t in terms.items()}
    return found


def quality(samples: Tensor, judges: tuple[Judge, Features] | None) -> Results:
    """Figures of these samples that need no Inception."""
    if judges is None:
        return {"samples": len(samples)}
    judge, features = judges
    return {
        "samples": len(samples),
        **asdict(judge.figures(samples)),
        "pixel_frechet": judge.distance(samples),
        "feature_frechet": features.distance(samples),
    }


@functools.lru_cache(maxsize=1)
def judges_of(images: Images, seed: int) -> tuple[Judge, Features] | None:
    """What judges samples of small grey images with labels; for others there is Inception.

    Fitted once for several runs on the same images.
    """
    return (Judge(images), Features(images, seed)) if has_judge(images) else None


def evaluate(
    measure: Measure, which: list[str], samples: int, images: int, inception: Path | None
) -> tuple[Results, dict[str, Tensor]]:
    """Everything that is said of these weights, and the samples it is said of.

    All processes call this; FID and IS are the first one's work.

    Raises:
        InputError: if there are fewer images than asked for.
        Interrupted: by a signal.
        StoppedElsewhere: where another process has failed.
    """
    start, model = time.monotonic(), measure.model
    sizes = {"train": len(model.images.train), "test": len(model.images.held_out)}
    counts: dict[Split, int] = {split: images or sizes[split] for split in get_args(Split)}
    for split, count in counts.items():
        measure.chosen(split, count)  # refused before anything is measured
    judge_file = processes.from_first(lambda: _inception_weights(model.images, inception))
    judges = judges_of(model.images, measure.seed)
    results: Results = {
        "model": model.name,
        "origin": model.origin,
        "process": asdict(model.settings.process),
        "data": model.images.name,
        "data_sha256": model.images.digest,
        "levels": model.images.levels,
        "seed": measure.seed,
        "files": [asdict(part) for part in model.images.taken],
        "held_out": len(model.images.held_out),
        "held_out_copies": model.images.copies,
        "not_judged": why_no_judge(model.images),
        "sampled_by": measure.diffusion().convention,
        "weights": {},
        "curves": {},
    }
    drawn = {name: measure.samples(name, samples) for name in which}
    for name in which:
        terms, course = bounds(measure, name, counts)
        said = {"sha256": model.digests[name], "bound": terms, "quality": quality(drawn[name], judges)}
        results["weights"][name], results["curves"][name] = said, course
    if judges:
        results["reference"] = _reference(model.images, *judges)
    results["inception"] = processes.from_first(lambda: _inception(model, drawn, judge_file))
    results["seconds"] = round(time.monotonic() - start, 1)
    results["provenance"] = provenance(model.accelerator)
    return results, drawn


def _reference(images: Images, judge: Judge, features: Features) -> Results:
    """The same figures of the held-out images, and what the classifier of the features is worth."""
    return {
        "images": len(images.held_out),
        **asdict(judge.figures(images.held_out)),
        "pixel_frechet": judge.distance(images.held_out),
        "feature_frechet": features.distance(images.held_out),
        "classifier_accuracy": features.accuracy,
        "classifier_seed": features.seed,
    }


def _suits_inception(images: Images) -> bool:
    """Whether these are images as Inception was trained on."""
    return images.shape[0] == 3 and images.levels == 256


def _inception_weights(images: Images, given: Path | None) -> Path | str:
    """The file of Inception's weights, or why there will be no FID and IS.

    Raises:
        InputError: if a file is given that is not right, or cannot be used for these images.
    """
    if not _suits_inception(images):
        reason = f"FID and IS are for colour images of 256 levels, which {images.name} has not"
        if given:
            raise InputError(f"{reason}; leave --inception away")
        return reason
    try:
        return inception_weights(given)
    except InputError as error:
        if given:
            raise
        return str(error)


def _inception(model: Model, drawn: dict[str, Tensor], weights: Path | str) -> Results:
    """FID and IS of each of the weights, or why there are none."""
    images = model.images
    if isinstance(weights, str):
        return {"none": weights}
    references = {"train": images.train, "test": images.held_out}
    device = model.accelerator.device
    return {name: fid_and_is(x, references, weights, device) for name, x in drawn.items()}
