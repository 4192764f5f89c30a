"""Two minutes of training, from nothing to samples and the bound of Eq. 5.

On Fashion-MNIST, framed by black pixels to 32×32, if its files are there. Else on three pictures, each with
probability 1/3: then the bound with the exact denoiser is known, from the oracle of finitely many images, and
is written beside what this network has reached.
"""

import io
import math
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ddpm_spec.benchmark.gpu.plain import Plain
from ddpm_spec.benchmark.gpu.sizes import Sizes
from ddpm_spec.benchmark.gpu.speed import free
from ddpm_spec.benchmark.races import Row
from ddpm_spec.data.idx import fashion_mnist
from ddpm_spec.data.images import Images
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.bound import Bound, held_out_bound, histogram_bits, spread
from ddpm_spec.evaluation.draw import draw
from ddpm_spec.machine.accelerator import resolved
from ddpm_spec.oracles.bound import decoder_term, prior_term, step_term
from ddpm_spec.oracles.mixture import Mixture, lattice
from ddpm_spec.runs.folders import write_atomically
from ddpm_spec.runs.presets import preset
from ddpm_spec.schedule import Schedule
from ddpm_spec.training.loop import Trainer

__all__ = ["exact_bound", "framed", "learning", "three_pictures"]

MOST_UPDATES = 1_000_000
CHECK_EVERY = 20
"""Updates between two looks at the clock, each of which waits for the GPU."""
POINTS = 100
"""Of the loss curve: means over as many stretches."""


def framed(images: Images, side: int) -> Images:
    """These square images in the middle of black ones of this side.

    Raises:
        InputError: if they are larger.
    """
    more = side - images.shape[-1]
    if more < 0:
        raise InputError(f"{images.name} has side {images.shape[-1]}; here it must be at most {side}")
    frame = (more // 2, more - more // 2) * 2
    train, held_out = (F.pad(part, frame) for part in (images.whole(), images.held_out))
    name = f"{images.name}, framed to {side}×{side}"
    return replace(images, name=name, train=train, held_out=held_out, fingerprint="")


def three_pictures(side: int, copies: int = 1024) -> Images:
    """A ramp, a checkerboard and their mean, each as often as the others.

    They lie on one line, so that the oracle's averages are over one dimension.
    """
    row = torch.arange(side)
    ramp = (row * 127 // (side - 1) * 2).expand(side, side)
    board = (row[:, None] // 2 + row // 2) % 2 * 254
    pictures = torch.stack([ramp, board, (ramp + board) // 2]).to(torch.uint8)[:, None]
    return Images("three pictures", 256, pictures.repeat(copies, 1, 1, 1), pictures)


def exact_bound(pictures: Tensor, levels: int, schedule: Schedule) -> float:
    """The bound of Eq. 5 in bits/dim with the exact denoiser and σ_t² = β_t; x_0 is one of these pictures."""
    law: Mixture = lattice(schedule, pictures.double() * (2 / (levels - 1)) - 1)
    beta = schedule.steps.beta.tolist()
    steps = sum(step_term(law, t, beta[t]).value for t in range(2, schedule.T + 1))
    nats = prior_term(law) + steps + decoder_term(law, beta[1], levels).value
    return nats / law.D / math.log(2)


def learning(sizes: Sizes, device: torch.device, out: Path, fashion: Path | None) -> Row:
    """Trains for the time given, then draws, measures the bound and writes the samples."""
    free()
    side = sizes.learning.image_shape[-1]
    images = framed(fashion_mnist(fashion), side) if fashion else three_pictures(side)
    trainer = _trainer(sizes, images, device)
    trainer.update()  # is compiled meanwhile; its time does not count
    trainer.losses[0].item()
    start = time.perf_counter()
    while time.perf_counter() - start < sizes.learning_seconds and trainer.step < MOST_UPDATES:
        for _ in range(CHECK_EVERY):
            trainer.update()
        losses = trainer.losses[: trainer.step].cpu()  # waits for the GPU
        if not losses.isfinite().all():
            raise InputError("the loss is not finite")
    seconds = time.perf_counter() - start

    bound = _bound(trainer, images, sizes.draws, device)
    with trainer.accelerator.autocast():
        drawn = draw(
            trainer.average, trainer.diffusion, images.shape, images.levels, count=sizes.draws,
            batch=sizes.draws, seed=0, device=device,
        )  # fmt: skip
    curve = [part.mean().item() for part in losses.chunk(POINTS)]
    rate = (trainer.step - 1) * trainer.settings.training.batch / seconds
    shown = f"{bound.total:.3f} ± {bound.standard_error:.3f} bits/dim"
    said = [
        f"{images.name}: {trainer.step:,} updates in {seconds:.0f} s ({rate:,.4g} images/s)",
        f"loss {curve[0]:.4f} → {curve[-1]:.4f}",
    ]
    row: Row = {
        "images": images.name,
        "updates": trainer.step,
        "seconds": seconds,
        "images_per_second": rate,
        "losses": curve,
        "bits_per_dim": bound.total,
        "standard_error": bound.standard_error,
        "samples": _written(drawn, images.levels, out),
    }
    if fashion:
        row["independent_pixels"] = histogram_bits(images, images.held_out)
        said.append(f"bound on held-out images {shown}; independent pixels {row['independent_pixels']:.3f}")
    else:
        row["exact"] = exact_bound(images.held_out, images.levels, trainer.diffusion.schedule)
        said.append(f"bound {shown}; with the exact denoiser {row['exact']:.3f}")
    return {"said": [*said, f"samples in {row['samples']}"], **row}


def _trainer(sizes: Sizes, images: Images, device: torch.device) -> Trainer:
    """The network of the plan; the warm-up and the average are Fashion-MNIST's, whose runs are short too."""
    settings, short = sizes.learning.settings(), preset("fashion-mnist").training
    training = replace(
        settings.training, steps=MOST_UPDATES, warmup=short.warmup, ema=short.ema, flip=short.flip
    )
    process = replace(settings.process, T=sizes.T, variance="beta")
    accelerator = Plain(device, reduced=settings.machine.dtype == "bfloat16")
    settings = resolved(replace(settings, training=training, process=process), accelerator.device)
    return Trainer(settings, images, accelerator)


def _bound(trainer: Trainer, images: Images, count: int, device: torch.device) -> Bound:
    """On held-out images, or, where they are all there is, on the pictures; the network in float32."""
    held_out = images.held_out
    chosen = held_out[spread(count, len(held_out))]
    return held_out_bound(
        trainer.average, trainer.diffusion, chosen, images.levels, batch=count, seed=0, device=device
    )


def _written(drawn: Tensor, levels: int, out: Path) -> str:
    """The samples, as a picture if there is Pillow, else as an array; the file's name."""
    if find_spec("PIL"):
        from ddpm_spec.pictures import grid_png

        write_atomically(out / "samples.png", grid_png(drawn, levels))
        return "samples.png"
    array = io.BytesIO()
    np.save(array, drawn.numpy(), allow_pickle=False)
    write_atomically(out / "samples.npy", array.getvalue())
    return "samples.npy"
