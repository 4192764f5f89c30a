"""Our training step and sampler, and diffusers', on the same network, images and hardware."""

import contextlib
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, cast

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, AdamW, Optimizer

from ddpm_spec.data import Images, to_unit
from ddpm_spec.diffusion import Diffusion
from ddpm_spec.evaluation.draw import draw
from ddpm_spec.interop.configuration import unet_config
from ddpm_spec.interop.names import DIFFUSERS, names
from ddpm_spec.machine.accelerator import accelerator_for, resolved
from ddpm_spec.runs.presets import preset
from ddpm_spec.runs.settings import Settings
from ddpm_spec.schedule import linear_schedule
from ddpm_spec.training.loop import Trainer
from ddpm_spec.unet import UNet

__all__ = ["Contestant", "Ours", "Plan", "Theirs", "random_images"]

CONTESTED = 1_000_000
"""Updates that the trainer may be asked for."""


@dataclass(frozen=True)
class Plan:
    """One comparison."""

    preset: str
    image_shape: tuple[int, int, int]
    batch: int
    dtype: Literal["float32", "bfloat16"]
    compile: bool
    device: Literal["cpu", "cuda"]
    sampling_steps: int
    """Network calls in one timed piece of Algorithm 2; the time of a step does not depend on T."""
    updates: int
    """Training steps in one timed piece."""
    defaults: bool = False
    """diffusers as its tutorial has it instead: float32, contiguous memory, AdamW."""

    def settings(self) -> Settings:
        """The preset on this machine; nothing is saved or drawn on the way."""
        base = preset(self.preset)
        machine = replace(
            base.machine,
            device=self.device,
            dtype=self.dtype,
            compile="on" if self.compile else "off",
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

    def __init__(self, plan: Plan) -> None:
        settings = plan.settings()
        self.plan, self.accelerator = plan, accelerator_for(settings)
        self.settings = resolved(settings, self.accelerator.device)
        noise = random_images(plan.image_shape)
        self.images = Images("noise", 256, noise, noise[:8])
        self.trainer = Trainer(self.settings, self.images, self.accelerator)
        self.diffusion = Diffusion(linear_schedule(plan.sampling_steps), settings.process.variance)

    def train(self) -> None:
        """`Trainer.update`."""
        self.trainer.update()

    def sample(self) -> object:
        """`draw`, with as many steps as the plan has."""
        # The averaged network: not compiled anew, so that the trained one is taken where that matters.
        network = self.trainer.network if self.plan.compile else self.trainer.average
        with self.accelerator.autocast():
            return draw(
                network, self.diffusion, self.images.shape, self.images.levels, count=self.plan.batch,
                batch=self.plan.batch, seed=0, device=self.accelerator.device,
            )  # fmt: skip


class Theirs:
    """`UNet2DModel` and `DDPMScheduler` in the loop of diffusers' tutorial, and its `DDPMPipeline`."""

    def __init__(self, plan: Plan, network: nn.Module | None = None) -> None:
        s = plan.settings()
        config = {k: v for k, v in unet_config(s.network, plan.image_shape).items() if k != "_class_name"}
        self.plan, self.device = plan, torch.device(plan.device)
        self.model = UNet2DModel(**config).to(self.device)
        if network is not None:
            state, own = network.state_dict(), names(cast(UNet, network), DIFFUSERS)
            self.model.load_state_dict({theirs: state[ours] for ours, theirs in own.items()})
        self.layout = torch.contiguous_format if plan.defaults else torch.channels_last
        self.model.to(memory_format=self.layout)
        if s.network.checkpointing:
            self.model.enable_gradient_checkpointing()
        if plan.compile:
            self.model.compile(fullgraph=True)
        self.scheduler = DDPMScheduler(clip_sample=False)
        if plan.defaults:
            self.optimizer: Optimizer = AdamW(self.model.parameters(), lr=s.training.lr)
        else:
            self.optimizer = Adam(self.model.parameters(), lr=s.training.lr, fused=True)
        self.average = EMAModel(
            self.model.parameters(), decay=s.training.ema, foreach=not plan.defaults, model_cls=UNet2DModel,
            model_config=self.model.config,
        )  # fmt: skip
        self.images = to_unit(random_images(plan.image_shape), 256).to(self.device)
        self.flip, self.max_norm = s.training.flip, s.training.max_norm
        sampled = DDPMScheduler(num_train_timesteps=plan.sampling_steps, clip_sample=False)
        self.pipeline = DDPMPipeline(self.model, sampled)
        self.pipeline.set_progress_bar_config(disable=True)

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        low = self.plan.dtype == "bfloat16" and not self.plan.defaults
        return torch.autocast(self.device.type, torch.bfloat16) if low else contextlib.nullcontext()

    def train(self) -> None:
        """The loop of the tutorial."""
        batch = self.plan.batch
        x_0 = self.images[torch.randint(len(self.images), (batch,), device=self.device)]
        if self.flip:
            x_0 = torch.where(torch.rand(batch, 1, 1, 1, device=self.device) < 0.5, x_0.flip(-1), x_0)
        x_0 = x_0.contiguous(memory_format=self.layout)
        noise, t = torch.randn_like(x_0), torch.randint(1000, (batch,), device=self.device)
        with self._autocast():
            predicted = self.model(self.scheduler.add_noise(x_0, noise, t), t, return_dict=False)[0]
            loss = F.mse_loss(predicted.float(), noise)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.max_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.step(self.model.parameters())

    def sample(self) -> object:
        """The pipeline."""
        self.model.eval()
        with self._autocast():
            images = self.pipeline(
                batch_size=self.plan.batch, num_inference_steps=self.plan.sampling_steps, output_type="np"
            ).images
        self.model.train()
        return images
