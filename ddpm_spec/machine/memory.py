"""Whether the memory at hand can hold what is asked for, before anything is computed."""

import math
import os

import torch

from ddpm_spec.errors import InputError
from ddpm_spec.runs.settings import Settings

__all__ = ["memory_of", "refuse_samples", "refuse_training"]

COPIES = 5
"""Of every parameter while training: itself, its average, its gradient and Adam's two moments."""


def memory_of(device: torch.device) -> int | None:
    """Bytes of memory of this device in all; None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows
        return None


def refuse_training(
    settings: Settings, parameters: int, image_shape: tuple[int, int, int], device: torch.device, parts: int
) -> None:
    """Refuses a training that takes more memory than there is.

    What is counted is the least that it takes: the parameters, the curve of the loss, and of each image in a
    network call one map of full size for every stage, which even --checkpointing keeps.

    Args:
        settings: those of the run.
        parameters: of its network.
        image_shape: (C, H, W).
        device: where it trains.
        parts: in how many network calls a batch is done, over all processes.

    Raises:
        InputError: with the memory needed and the memory there is.
    """
    network, training = settings.network, settings.training
    _, height, width = image_shape
    images = training.batch // parts
    number = 2 if settings.machine.dtype == "bfloat16" else 4
    maps = images * (2 * network.blocks + 1) * network.channels * height * width * number
    need, have = 4 * COPIES * parameters + maps + 8 * training.steps, memory_of(device)
    if have is not None and need > have:
        raise InputError(
            f"at least {_gb(need)} GB of memory are needed for {parameters:,} parameters, {images:,} images "
            f"at a time and {training.steps:,} steps, and there are {_gb(have)} GB; lower --channels, "
            "--multipliers, --batch or the size of the images, or raise --accumulate"
        )


def refuse_samples(flag: str, count: int, image_shape: tuple[int, int, int], held: int = 2) -> None:
    """Refuses to draw more images than the memory can hold.

    Args:
        flag: the option with their number.
        count: their number.
        image_shape: (C, H, W).
        held: how often so many images are in the memory at once; 2: as they are made, and joined.

    Raises:
        InputError: with the memory needed and the memory there is.
    """
    need, have = held * count * math.prod(image_shape), memory_of(torch.device("cpu"))
    if have is not None and need > have:
        raise InputError(
            f"{flag} is {count}; so many images need {_gb(need)} GB of memory, and there are {_gb(have)} GB; "
            "draw fewer at a time, each with another --seed"
        )


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f}"
