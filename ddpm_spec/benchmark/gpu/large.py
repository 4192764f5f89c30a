"""The network for 256×256: training and sampling with the largest batch that fits."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch

from ddpm_spec.benchmark.contestants import Ours, Plan
from ddpm_spec.benchmark.gpu.plain import Plain
from ddpm_spec.benchmark.gpu.sizes import Sizes
from ddpm_spec.benchmark.gpu.speed import free, lines, of_data_sheet
from ddpm_spec.benchmark.races import Row
from ddpm_spec.benchmark.timing import forward_flops, take_turns
from ddpm_spec.benchmark.yardstick import candidates, contenders, fastest

__all__ = ["Largest", "doubled", "large"]


class Largest(NamedTuple):
    """How far the doubling went."""

    batch: int
    seconds: float
    """At this batch."""
    stopped_by: str


def doubled(first: int, last: int, patience: float, seconds: Callable[[int], float]) -> Largest | None:
    """Doubles the batch until memory, `last` or `patience` ends it; None if not even the first fits.

    Args:
        first: the first batch.
        last: no larger one is tried.
        patience: none is tried after one that took longer, in seconds.
        seconds: what is to fit, and the time it took.
    """
    best, batch = None, first
    while batch <= last:
        free()
        try:
            best = Largest(batch, seconds(batch), "the last to be tried")
        except torch.OutOfMemoryError:
            return best and best._replace(stopped_by=f"{batch} does not fit")
        if best.seconds > patience:
            return best._replace(stopped_by="a larger one would take too long here")
        batch *= 2
    return best


def large(sizes: Sizes, device: torch.device) -> Row:
    """Doubles the batch in training and in sampling; not compiled, which would take minutes."""
    plan, peaks = sizes.large, dict[str, int]()

    def seconds(what: str, batch: int) -> float:
        at = replace(plan, batch=batch)
        ours = Ours(at, Plain(device, reduced=at.dtype == "bfloat16"))
        piece = ours.train if what == "training" else ours.sample
        taken = min(take_turns({what: piece}, 3, device)[what])
        if device.type == "cuda":
            peaks[what] = torch.cuda.max_memory_allocated(device)
        return taken

    rows, said = [], []
    yardstick = _yardstick(plan, device)
    with torch.device("meta"):
        network = plan.settings().unet(*plan.image_shape[:2])
    forward = forward_flops(network, plan.image_shape)
    for what, passes in (("training", 3), ("sampling", plan.sampling_steps)):
        found = doubled(plan.batch, sizes.largest, sizes.patience, functools.partial(seconds, what))
        free()
        if found is None:
            said.append(f"{what}: not even a batch of {plan.batch} fits")
            continue
        per_second = found.batch / found.seconds
        rate = per_second * passes * forward
        row: Row = {
            "what": what,
            "batch": found.batch,
            "stopped_by": found.stopped_by,
            "processes": 1,
            "yardstick": yardstick,
            "flops_per_image": passes * forward,
            "ours": {
                "images_per_second": per_second * (1 if what == "training" else plan.sampling_steps / 1000),
                "share_of_fastest": rate / yardstick["flops_per_second"],
            },
            "peak_bytes": peaks.get(what),
        }
        row["data_sheet"] = of_data_sheet(row, device)
        rows.append(row)
        said += [f"batch {found.batch} ({found.stopped_by})", *lines(row)]
    return {"said": said, "rows": rows}


def _yardstick(plan: Plan, device: torch.device) -> Row:
    """The fastest layer, by itself: beside the largest batch there would be no memory for it."""
    with torch.device("meta"):
        network = plan.settings().unet(*plan.image_shape[:2])
    every = candidates(network, plan.image_shape, plan.batch, device, getattr(torch, plan.dtype))
    contending = contenders(every, device)
    seconds = take_turns({each.name: each.piece for each in contending}, 5, device)
    name, rate = fastest(contending, seconds)
    return {"what": name, "flops_per_second": rate}
