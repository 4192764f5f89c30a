"""One race each: what runs in a process of its own, and what it found."""

import functools
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from ddpm_spec.benchmark.contestants import Contestant, Ours, Plan
from ddpm_spec.benchmark.timing import Piece, Spread, forward_flops, ratio, take_turns
from ddpm_spec.benchmark.yardstick import candidates, contenders, fastest
from ddpm_spec.errors import InputError
from ddpm_spec.machine import processes
from ddpm_spec.runs.provenance import peak_memory

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Row", "apart", "overhead", "race", "raced", "sampling_memory", "training_memory"]

Row = dict[str, Any]
"""What a race found, as JSON."""


def apart(part: Callable[[], list[Row]]) -> list[Row]:
    """Run in a new process: nothing allocated, compiled or configured before is left over.

    Raises:
        InputError: if it was killed, as when memory runs out.
    """
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(part).result()
    except BrokenProcessPool:
        raise InputError("a race was killed, as when memory runs out; run it where there is more") from None


def race(plan_fields: Row, rounds: int) -> list[Row]:
    """Training and sampling, ours and theirs in turn, with the machine's fastest layers beside them."""
    plan = Plan(**plan_fields)
    ours = Ours(plan)
    return raced(plan, {"ours": ours, **theirs(plan, ours.trainer.network)}, rounds)


def theirs(plan: Plan, network: "nn.Module | None" = None) -> dict[str, Contestant]:
    """diffusers with the weights of this network; nobody, where it is not installed."""
    if find_spec("diffusers") is None:
        return {}
    from ddpm_spec.benchmark.theirs import Theirs

    return {"theirs": Theirs(plan, network)}


def raced(plan: Plan, contestants: dict[str, Contestant], rounds: int) -> list[Row]:
    """What these came to in training and in sampling; over all processes, if there are several."""
    device = torch.device(plan.device)
    with torch.device("meta"):
        network = plan.settings().unet(*plan.image_shape[:2])
    forward = forward_flops(network, plan.image_shape)
    every = candidates(network, plan.image_shape, plan.batch, device, getattr(torch, plan.dtype))
    contending = contenders(every, device)
    rows = []
    for what, images, updates, passes in (
        ("training", plan.batch, plan.updates, 3),
        ("sampling", plan.drawn, 1, plan.sampling_steps),
    ):
        pieces: dict[str, Piece] = {
            who: functools.partial(_repeat, one.train if what == "training" else one.sample, updates)
            for who, one in contestants.items()
        }
        seconds = take_turns(pieces | {each.name: each.piece for each in contending}, rounds, device)
        for who in contestants:  # where several processes work together, all wait for the slowest
            seconds[who] = list(processes.most(*seconds[who]))
        name, rate = fastest(contending, seconds)
        limit = rate * processes.count()
        row: Row = {
            "what": what,
            "plan": asdict(plan),
            "processes": processes.count(),
            "yardstick": {"what": name, "flops_per_second": limit},
            "flops_per_image": passes * forward,
        }
        if len(contestants) > 1:
            row["speed"] = asdict(ratio(seconds["theirs"], seconds["ours"]))
        for who in contestants:
            spread = Spread.of(seconds[who])
            row[who] = {
                "seconds": asdict(spread),
                # A sampler's image takes T network calls: those of the paper.
                "images_per_second": updates * images / spread.median
                if what == "training"
                else images / spread.median * plan.sampling_steps / 1000,
                "share_of_fastest": updates * passes * images * forward / spread.median / limit,
            }
        rows.append(row)
    return rows


def overhead(plan_fields: Row, rounds: int) -> list[Row]:
    """What our loop costs besides forward and backward, and our sampler besides the network."""
    plan = Plan(**plan_fields)
    ours = Ours(plan)
    trainer, device = ours.trainer, ours.accelerator.device
    x_0, t, eps, keys = trainer.batch(0, trainer.positions)
    x_t = trainer.diffusion.q_sample(x_0, t, eps)

    def forward_and_backward() -> None:
        torch.autograd.backward(F.mse_loss(trainer.model(x_t, t, keys=keys), eps))
        for parameter in trainer.parameters:
            parameter.grad = None

    @torch.inference_mode()
    def network_calls() -> None:
        for _ in range(plan.sampling_steps):
            trainer.average(x_t, t)

    def updates(piece: Callable[[], object]) -> None:
        for _ in range(plan.updates):
            piece()

    rows = []
    for what, whole, core in (
        (
            "training",
            functools.partial(updates, trainer.update),
            functools.partial(updates, forward_and_backward),
        ),
        ("sampling", ours.sample, network_calls),
    ):
        seconds = take_turns({"whole": whole, "core": core}, rounds, device)
        besides = [whole / core - 1 for whole, core in zip(*seconds.values(), strict=True)]
        rows.append(
            {
                "what": what,
                "plan": asdict(plan),
                "whole_seconds": asdict(Spread.of(seconds["whole"])),
                "besides_the_network": asdict(Spread.of(besides)),
            }
        )
    return rows


def training_memory(plan_fields: Row) -> list[Row]:
    """The peak of three updates, each in a new process."""
    everyone = ("ours", "theirs") if find_spec("diffusers") else ("ours",)
    peaks = {who: apart(functools.partial(_peak, plan_fields, who))[0] for who in everyone}
    row = {"what": "training", "plan": plan_fields, **peaks}
    if len(peaks) > 1:
        row["memory"] = peaks["theirs"]["peak_bytes"] / peaks["ours"]["peak_bytes"]
    return [row]


def sampling_memory(plan_fields: Row) -> list[Row]:
    """The peak of Algorithm 2 with few and with many steps, each in a new process."""
    few, many = (
        apart(functools.partial(_peak, plan_fields | {"sampling_steps": T}, "sampler"))[0] for T in (10, 1000)
    )
    return [{"what": "sampling", "plan": plan_fields, "T = 10": few, "T = 1000": many}]


def _peak(plan_fields: Row, who: str) -> list[Row]:
    plan = Plan(**plan_fields)
    device = torch.device(plan.device)
    before = _resident(device)
    contestant = theirs(plan)[who] if who == "theirs" else Ours(plan)
    if who == "sampler":
        contestant.sample()
    else:
        for _ in range(3):
            contestant.train()
    return [{"peak_bytes": _resident(device) - before, "before_bytes": before}]


def _resident(device: torch.device) -> int:
    """The most memory this process has held so far, on the device."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return round(peak_memory() * 2**30)


def _repeat(piece: Callable[[], object], times: int) -> None:
    for _ in range(times):
        piece()
