"""What the figures show: images predicted on the way or received, from a frozen latent, between others."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ddpm_spec.data import from_unit, to_unit
from ddpm_spec.evaluation.draw import Progress, keyed
from ddpm_spec.evaluation.measure import Measure
from ddpm_spec.evaluation.parts import Tensors
from ddpm_spec.formulas.interpolation import mix

__all__ = ["evenly", "from_latents", "interpolations", "progressive", "received"]


def evenly(T: int, parts: int) -> list[int]:
    """T, …, 0 in so many equal parts, whole steps: where a path is looked at."""
    return [round(T * k / parts) for k in range(parts, -1, -1)]


def progressive(measure: Measure, weights: str, count: int, times: Sequence[int]) -> Tensor:
    """x̂_0 at these times of `count` paths of Algorithm 2; at time 0 x_0 itself.

    Returns:
        uint8, (count, len(times), C, H, W).
    """
    model, diffusion = measure.model, measure.diffusion()
    T, shape, levels = diffusion.schedule.T, model.images.shape, model.images.levels
    network, device = model.networks[weights], model.accelerator.device

    def make(first: int, end: int, progress: Progress) -> Tensors:
        rows = torch.arange(first, end, device=device)
        noise = keyed(measure.seed, "sample", rows, shape)
        x_t, seen = noise(T + 1), {}
        with torch.inference_mode(), model.accelerator.autocast():
            path = diffusion.decode(network, x_t, T, noise)
            for t in range(T, 0, -1):
                if t in times:
                    at = torch.full((len(rows),), t, device=device)
                    seen[t] = from_unit(diffusion.predict_x_0(network, x_t.double(), at), levels)
                x_t = next(path)
                progress(len(rows))
        seen[0] = from_unit(x_t, levels)
        return {"images": torch.stack([seen[t] for t in times], dim=1)}

    purpose = measure.purpose("progressive", weights, times=list(times), convention=diffusion.convention)
    return measure.parts.collect("progressive generation", purpose, count, measure.batch, T, make)["images"]


def received(measure: Measure, weights: str, count: int, rows: Sequence[int], times: Sequence[int]) -> Tensor:
    """What Algorithm 4 shows of held-out images at these times of 1..T: x_t and x̂_0.

    `count`, `rows`: of so many images of `Measure.terms`, those at these places. x_t is the one that the
    curves are measured on.

    Returns:
        uint8, (len(rows), len(times), 2, C, H, W).
    """
    model, diffusion = measure.model, measure.diffusion()
    shape, levels, device = model.images.shape, model.images.levels, model.accelerator.device
    network = model.networks[weights]
    store, chosen = measure.chosen("test", count)

    def make(first: int, end: int, progress: Progress) -> Tensors:
        places = torch.tensor(rows[first:end])
        x_0 = to_unit(store[chosen[places]].to(device), levels).double()
        noise, columns = keyed(measure.seed, "bound", places.to(device), shape, progress), []
        with torch.inference_mode(), model.accelerator.autocast():
            for t in times:
                at = torch.full((len(places),), t, device=device)
                x_t = diffusion.q_sample(x_0, at, noise(t).double())
                pair = [x_t, diffusion.predict_x_0(network, x_t, at)]
                columns.append(torch.stack([from_unit(x, levels) for x in pair], dim=1))
        return {"images": torch.stack(columns, dim=1)}

    purpose = measure.purpose("received", weights, images=count, rows=list(rows), times=list(times))
    return measure.parts.collect("received images", purpose, len(rows), measure.batch, len(times), make)[
        "images"
    ]


def from_latents(measure: Measure, weights: str, count: int, times: Sequence[int], draws: int) -> Tensor:
    """x_t of `count` paths frozen at each of these times, and `draws` images x_0 ~ p_θ(x_0 | x_t) from each.

    Returns:
        uint8, (count, len(times), 1 + draws, C, H, W); first of each row x_t itself.
    """
    model, diffusion = measure.model, measure.diffusion()
    T, shape, levels = diffusion.schedule.T, model.images.shape, model.images.levels
    network, device = model.networks[weights], model.accelerator.device

    def make(first: int, end: int, progress: Progress) -> Tensors:
        rows = torch.arange(first, end, device=device)
        noise = keyed(measure.seed, "sample", rows, shape, progress)
        frozen, x_t = {}, noise(T + 1)
        again = (rows[:, None] * draws + torch.arange(draws, device=device)).flatten()
        with torch.inference_mode(), model.accelerator.autocast():
            path, lowest = diffusion.decode(network, x_t, T, noise), min(times)
            for t in range(T, lowest - 1, -1):
                if t in times:
                    frozen[t] = x_t
                if t > lowest:
                    x_t = next(path)
            columns = []
            for t in times:
                start = frozen[t].repeat_interleave(draws, dim=0)
                fresh = keyed(measure.seed, "again", again, shape, progress)
                *_, x_0 = diffusion.decode(network, start, t, fresh)
                drawn = x_0.reshape(len(rows), draws, *shape)
                columns.append(from_unit(torch.cat([frozen[t][:, None], drawn], dim=1), levels))
        return {"images": torch.stack(columns, dim=1)}

    purpose = measure.purpose(
        "latents", weights, times=list(times), draws=draws, convention=diffusion.convention
    )
    calls = T - min(times) + sum(times)
    return measure.parts.collect("frozen latents", purpose, count, measure.batch, calls, make)["images"]


def interpolations(
    measure: Measure, weights: str, pairs: Tensor, times: Sequence[int], mixing: Sequence[float]
) -> Tensor:
    """Images between the two held-out images of each pair, mixed at each of these times (§4.4).

    `pairs`: numbers of held-out images, int64, (N, 2). `mixing`: weights λ on the second. The noise of a pair
    is the same for all weights and times. At time 0 the images themselves are mixed.

    Returns:
        uint8, (N, len(times), len(mixing), C, H, W).
    """
    model, diffusion = measure.model, measure.diffusion()
    shape, levels, device = model.images.shape, model.images.levels, model.accelerator.device
    network = model.networks[weights]

    def make(first: int, end: int, progress: Progress) -> Tensors:
        rows = torch.arange(first, end, device=device)
        x_0 = [to_unit(model.images.held_out[pairs[first:end, side]].to(device), levels) for side in (0, 1)]
        ends = [keyed(measure.seed, name, rows, shape) for name in ("left", "right")]
        weight = torch.tensor(mixing, device=device).repeat(len(rows))[:, None, None, None]
        everyone = rows.repeat_interleave(len(mixing))
        columns = []
        with torch.inference_mode(), model.accelerator.autocast():
            for t in times:
                at = torch.full((len(rows),), t, device=device)
                latents = [
                    (diffusion.q_sample(x, at, eps(t)) if t else x).repeat_interleave(len(mixing), dim=0)
                    for x, eps in zip(x_0, ends, strict=True)
                ]
                noise = keyed(measure.seed, "between", everyone, shape, progress)
                mixed = (
                    diffusion.interpolate(network, (latents[0], latents[1]), weight, t, noise)
                    if t
                    else mix(latents[0], latents[1], weight)
                )
                columns.append(from_unit(mixed, levels).reshape(len(rows), len(mixing), *shape))
        return {"images": torch.stack(columns, dim=1)}

    purpose = measure.purpose(
        "interpolations", weights, pairs=pairs.tolist(), times=list(times), mixing=list(mixing),
        convention=diffusion.convention,
    )  # fmt: skip
    batch = math.ceil(measure.batch / len(mixing))
    calls = max(1, sum(times) - len([t for t in times if t]))
    return measure.parts.collect("interpolations", purpose, len(pairs), batch, calls, make)["images"]
