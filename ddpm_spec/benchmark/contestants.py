"""What is raced, and our training step and sampler."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from torch import Tensor

from ddpm_spec.benchmark import graphs
from ddpm_spec.data.images import Images
from ddpm_spec.diffusion import Diffusion, Network
from ddpm_spec.evaluation.draw import draw
from ddpm_spec.machine import processes
from ddpm_spec.machine.accelerator import accelerator_for, resolved
from ddpm_spec.runs.presets import preset
from ddpm_spec.runs.settings import Settings
from ddpm_spec.schedule import linear_schedule
from ddpm_spec.training.loop import Trainer

if TYPE_CHECKING:
    from accelerate import Accelerator

    from ddpm_spec.benchmark.gpu.plain import Plain

__all__ = ["Contestant", "Ours", "Plan", "random_images"]

CONTESTED = 1_000_000
"""Updates that the trainer may be asked for."""


@dataclass(frozen=True)
class Plan:
    """One comparison."""

    preset: str
    image_shape: tuple[int, int, int]
    batch: int
    """Over all processes together."""
    dtype: Literal["float32", "bfloat16"]
    compile: bool
    device: Literal["cpu", "cuda"]
    sampling_steps: int
    """Network calls in one timed piece of Algorithm 2; the time of a step does not depend on T."""
    updates: int
    """Training steps in one timed piece."""
    defaults: bool = False
    """diffusers as its tutorial has it instead: float32, contiguous memory, AdamW."""
    samples: int = 0
    """Images that the samplers draw at once; 0: as many as in a batch."""
    graphs: bool = False
    """Our network's kernels are recorded once and launched together: CUDA graphs."""

    @property
    def drawn(self) -> int:
        """Images that the samplers draw at once."""
        return self.samples or self.batch

    def settings(self) -> Settings:
        """The preset on this machine; nothing is saved or drawn on the way."""
        base = preset(self.preset)
        machine = replace(
            base.machine,
            device=self.device,
            dtype=self.dtype,
            compile="on" if self.compile and not self.graphs else "off",
            threads=0,
        )
        training = replace(base.training, batch=self.batch, accumulate=1, steps=CONTESTED)
        return replace(base, machine=machine, training=training)


def random_images(shape: tuple[int, int, int]) -> Tensor:
    """Noise: what the images show does not change the time."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (64, *shape), dtype=torch.uint8, generator=generator)


class Contestant(Protocol):
    """Who can train and sample."""

    def train(self) -> None:
        """One update: batch, loss, gradient, clipping, Adam, average."""
        ...

    def sample(self) -> object:
        """A batch of images by as many reverse steps as the plan has."""
        ...


class Ours:
    """What `ddpm_spec.train` and `ddpm_spec.sample` run."""

    def __init__(self, plan: Plan, accelerator: "Accelerator | Plain | None" = None) -> None:
        settings = plan.settings()
        self.plan, self.accelerator = plan, accelerator or accelerator_for(settings)
        self.settings = resolved(settings, self.accelerator.device)
        noise = random_images(plan.image_shape)
        self.images = Images("noise", 256, noise, noise[:8])
        self.trainer = Trainer(self.settings, self.images, self.accelerator)
        self.diffusion = Diffusion(linear_schedule(plan.sampling_steps), settings.process.variance)
        self.sampler: Network = self.trainer.average
        if plan.compile:
            mode = "reduce-overhead" if plan.graphs else None  # in which the compiler records graphs
            self.trainer.average.compile(fullgraph=True, dynamic=False, mode=mode)
            if plan.graphs:
                self.trainer.network.compile(fullgraph=True, dynamic=False, mode=mode)
        elif plan.graphs:
            self.trainer.model = graphs.training(self.trainer, plan.dtype == "bfloat16")
            self.sampler = graphs.Forward(self.trainer.average)

    def train(self) -> None:
        """`Trainer.update`."""
        self.trainer.update()

    def sample(self) -> object:
        """`draw`, with as many steps as the plan has; each process its share."""
        return self.drawn(self.diffusion, self.plan.drawn)

    def drawn(self, diffusion: Diffusion, count: int) -> Tensor:
        """This process's share of so many images, in one batch."""
        first, end = processes.my_share(count)
        with self.accelerator.autocast():
            return draw(
                self.sampler, diffusion, self.images.shape, self.images.levels, start=first, count=end,
                batch=max(1, end - first), seed=0, device=self.accelerator.device,
            )  # fmt: skip
