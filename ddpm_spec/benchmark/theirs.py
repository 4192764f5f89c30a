"""diffusers' training step and sampler, on the same network, images and hardware as ours."""

import contextlib
from typing import Any, cast

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from diffusers.training_utils import EMAModel
from torch import nn
from torch.nn import functional as F
from torch.optim import Adam, AdamW, Optimizer

from ddpm_spec.benchmark.contestants import Plan, random_images
from ddpm_spec.data.images import to_unit
from ddpm_spec.interop.configuration import unet_config
from ddpm_spec.interop.names import DIFFUSERS, names
from ddpm_spec.unet import UNet

__all__ = ["Theirs"]


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
                batch_size=self.plan.drawn, num_inference_steps=self.plan.sampling_steps, output_type="np"
            ).images
        self.model.train()
        return images
