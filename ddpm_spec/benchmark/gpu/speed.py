"""How fast CIFAR10's network trains and samples, beside diffusers, the machine's limits and the goals."""

import gc
import time
from dataclasses import replace

import torch

from ddpm_spec.benchmark.contestants import Contestant, Ours, Plan
from ddpm_spec.benchmark.gpu.plain import Plain
from ddpm_spec.benchmark.gpu.sizes import Sizes
from ddpm_spec.benchmark.races import Row, raced, theirs
from ddpm_spec.machine import processes

__all__ = ["data_sheet", "free", "lines", "of_data_sheet", "speed"]

IMAGES_PER_SECOND = 6_700
"""The goal in training, on one H100 or H200."""
SECONDS_OF_SAMPLES = 12
"""The goal for 256 samples by 1,000 steps, on the same."""

PEAKS = {
    "NVIDIA H200 NVL": 835e12,
    "NVIDIA H200": 989e12,
    "NVIDIA H100 PCIe": 756e12,
    "NVIDIA H100 NVL": 835e12,
    "NVIDIA H100": 989e12,
    "NVIDIA A100": 312e12,
}
"""Products of bfloat16 without sparsity, floating-point operations a second, by what the name begins with:
NVIDIA's data sheets of the H200, H100 and A100."""


def data_sheet(device: torch.device) -> tuple[str, float] | None:
    """The GPU that a data sheet speaks about, and its peak in bfloat16; None where it is not known here."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next(((known, peak) for known, peak in PEAKS.items() if name.startswith(known)), None)


def free() -> None:
    """Gives back what an earlier network held, compiled code included."""
    gc.collect()
    if torch.cuda.is_available():
        torch.compiler.reset()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def speed(sizes: Sizes, device: torch.device, *, compiled: bool, graphs: bool) -> Row:
    """Training and sampling in turn with diffusers, if there is one; then all 256 samples.

    With several processes the batch of the plan is the share of each, and the images/s are those of all.
    """
    free()
    world = processes.count()
    plan = replace(sizes.speed, compile=compiled, graphs=graphs, batch=sizes.speed.batch * world)
    ours = Ours(plan, Plain(device, reduced=plan.dtype == "bfloat16"))
    memory = {what: _peak(ours, what, device) for what in ("training", "sampling")}
    others, said = ({}, []) if graphs or world > 1 else _theirs(plan, ours)
    rows = raced(plan, {"ours": ours, **others}, sizes.rounds)
    for row in rows:
        row["peak_bytes"] = memory[row["what"]]
        row["data_sheet"] = of_data_sheet(row, device)
        said += lines(row)
    samples = _samples(ours, plan, sizes.whole_below, rows[1]["ours"]["seconds"]["median"], device)
    how = "measured" if samples["measured"] else f"computed from {plan.sampling_steps} steps"
    said.append(f"goal in training on one H100 or H200: {IMAGES_PER_SECOND:,} images/s")
    said.append(
        f"{plan.drawn} samples by {samples['T']:,} steps: {samples['seconds']:,.2f} s, {how}; "
        f"goal for 256 by 1,000 on one H100 or H200: {SECONDS_OF_SAMPLES} s"
    )
    return {"said": said, "rows": rows, "samples": samples}


def _theirs(plan: Plan, ours: Ours) -> tuple[dict[str, Contestant], list[str]]:
    """diffusers with the same weights, if it is installed and works here, and what is to be said of it."""
    try:
        others = theirs(plan, ours.trainer.network)
        for one in others.values():
            one.train()
            one.sample()
    except Exception as error:  # another library's, which must not cost our own numbers
        return {}, [f"diffusers failed: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"]
    return others, [] if others else ["diffusers is not installed: ours alone"]


def of_data_sheet(row: Row, device: torch.device) -> Row | None:
    """Which part of the data sheet's peak one GPU of this race's reached; None where none is known."""
    sheet = data_sheet(device)
    if sheet is None:
        return None
    achieved = row["ours"]["share_of_fastest"] * row["yardstick"]["flops_per_second"] / row["processes"]
    return {"gpu": sheet[0], "flops_per_second": sheet[1], "share": achieved / sheet[1]}


def lines(row: Row) -> list[str]:
    """What a row of a race says, in words."""
    ours, limit, sheet = row["ours"], row["yardstick"], row["data_sheet"]
    parts = [
        f"{row['what']}: {ours['images_per_second']:,.4g} images/s",
        f"{ours['share_of_fastest']:.0%} of {limit['flops_per_second'] / 1e12:,.3g} TFLOP/s, the rate of the "
        f"fastest layer here ({limit['what']})",
    ]
    if sheet:
        peak = sheet["flops_per_second"] / 1e12
        parts.append(f"{sheet['share']:.0%} of {peak:.0f}, the data sheet's for {sheet['gpu']}")
    if row["peak_bytes"]:
        parts.append(f"{row['peak_bytes'] / 2**30:.1f} GB")
    said = [", ".join(parts)]
    if "theirs" in row:
        times = row["speed"]
        said.append(
            f"  diffusers: {row['theirs']['images_per_second']:,.4g} images/s; ours is {times['median']:.2f} "
            f"({times['lower']:.2f}–{times['upper']:.2f}) times as fast"
        )
    return said


def _peak(ours: Ours, what: str, device: torch.device) -> int | None:
    """The most memory that one update or the plan's steps of the sampler hold, with all that stays; bytes.

    What is compiled or recorded is so here, before anything is timed.
    """
    piece = ours.train if what == "training" else ours.sample
    piece()
    if device.type != "cuda":
        return None
    torch.cuda.reset_peak_memory_stats(device)
    piece()
    return torch.cuda.max_memory_allocated(device)


def _samples(ours: Ours, plan: Plan, whole_below: float, some_seconds: float, device: torch.device) -> Row:
    """The seconds that all T steps take."""
    diffusion = ours.settings.diffusion()
    T = diffusion.schedule.T
    expected = some_seconds / plan.sampling_steps * T
    if expected > whole_below:
        return {"T": T, "images": plan.drawn, "seconds": expected, "measured": False}
    start = time.perf_counter()
    ours.drawn(diffusion, plan.drawn)  # ends with a copy to the CPU
    (seconds,) = processes.most(time.perf_counter() - start)
    return {"T": T, "images": plan.drawn, "seconds": seconds, "measured": True}
