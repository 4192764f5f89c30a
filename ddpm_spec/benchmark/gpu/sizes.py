"""How large everything is: on a GPU, and so small that a CPU tries all of it in seconds."""

from dataclasses import dataclass, replace
from typing import Literal

from ddpm_spec.benchmark.contestants import Plan

__all__ = ["Sizes", "full", "tiny"]


VARIANTS = ((True, False), (True, True), (False, False), (False, True))


@dataclass(frozen=True)
class Sizes:
    """Of the four parts. What a network is like stands in the presets that the plans name."""

    speed: Plan
    """CIFAR10's network: a batch of the paper's, and 256 samples at once."""
    variants: tuple[tuple[bool, bool], ...]
    """Whether compiled, and whether with CUDA graphs; the most telling first."""
    rounds: int
    whole_below: float
    """Seconds: the 256 samples by all T steps are measured if they take no longer, else computed from the
    time of a step."""
    exactness: Plan
    learning: Plan
    T: int
    """Steps of the process that is learned."""
    learning_seconds: float
    draws: int
    """Samples to show, and images for the bound."""
    large: Plan
    largest: int
    """The last batch to try."""
    patience: float
    """Seconds: no larger batch is tried when an update or a step of the sampler takes longer."""


def full() -> Sizes:
    """The paper's networks: what an H100 or H200 does in ten minutes."""
    cifar10 = Plan(
        preset="cifar10", image_shape=(3, 32, 32), batch=128, dtype="bfloat16", compile=False,
        device="cuda", sampling_steps=20, updates=20, samples=256,
    )  # fmt: skip
    return Sizes(
        speed=cifar10,
        variants=VARIANTS,
        rounds=5,
        whole_below=20.0,
        exactness=replace(cifar10, batch=4, dtype="float32"),
        # Fashion-MNIST has one channel: the same network, but for its first and its last convolution.
        learning=replace(cifar10, image_shape=(1, 32, 32), compile=True),
        T=1000,
        learning_seconds=120.0,
        draws=64,
        large=replace(
            cifar10,
            preset="lsun-bedroom",
            image_shape=(3, 256, 256),
            batch=8,
            samples=0,
            sampling_steps=3,
            updates=1,
        ),
        largest=4096,
        patience=6.0,
    )


def tiny(device: Literal["cpu", "cuda"]) -> Sizes:
    """The network of the digits in all parts: a trial of the script, its numbers no result."""
    digits = Plan(
        preset="digits", image_shape=(1, 8, 8), batch=4, dtype="bfloat16", compile=False,
        device=device, sampling_steps=2, updates=1, samples=2,
    )  # fmt: skip
    return Sizes(
        speed=digits,
        variants=VARIANTS if device == "cuda" else ((False, False),),
        rounds=2,
        whole_below=0.0,
        exactness=replace(digits, dtype="float32"),
        learning=digits,
        T=4,
        learning_seconds=1.0,
        draws=6,
        large=replace(digits, samples=0),
        largest=8,
        patience=6.0,
    )
