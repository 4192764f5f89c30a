"""Algorithm 1: the training loop."""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ddpm_spec.data import Images, indices, to_unit
from ddpm_spec.errors import InputError
from ddpm_spec.noise import normal, row_keys, uniform
from ddpm_spec.training import ema
from ddpm_spec.training.checkpoints import Checkpoint
from ddpm_spec.training.settings import Settings

__all__ = ["Trainer", "accelerator_for", "belongs_to"]

CHECK_EVERY = 20
"""Steps between two looks at the loss; a look waits for the device."""


def accelerator_for(settings: Settings) -> Accelerator:
    """The device, the dtype and the processes that these settings ask for.

    Raises:
        InputError: if there is no such device.
    """
    machine = settings.machine
    if machine.device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device is cuda, but torch sees no GPU here; use --device cpu")
    if machine.threads:
        torch.set_num_threads(machine.threads)
    mixed = "bf16" if machine.dtype == "bfloat16" else "no"
    return Accelerator(cpu=machine.device == "cpu", mixed_precision=mixed)


def belongs_to(settings: Settings, images: Images) -> dict[str, Any]:
    """What two runs must share for a checkpoint of one to continue the other."""
    training = {k: v for k, v in vars(settings.training).items() if k not in ("steps", "save_every")}
    schedule = {k: getattr(settings.process, k) for k in ("T", "beta_1", "beta_T")}
    network = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(settings.network).items()}
    return {"data": images.digest} | network | schedule | training


class Trainer:
    """The state (step, parameters, EMA, optimizer) and the step that advances it.

    Everything random in a step is drawn from keys of (seed, step, position in the global batch), so
    processes that share a batch draw the rows that one process would.
    """

    def __init__(self, settings: Settings, images: Images, accelerator: Accelerator) -> None:
        self.settings = settings
        self.accelerator = accelerator
        self.diffusion = settings.diffusion()
        self.levels = images.levels
        self.belongs_to = belongs_to(settings, images)
        torch.manual_seed(settings.training.seed)  # for the initial weights, and nothing else
        channels, side, _ = images.shape
        network = settings.unet(channels, side).to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(network.parameters(), lr=settings.training.lr, fused=True)
        self.average = ema.shadow(network).to(accelerator.device)
        self.model, self.optimizer = accelerator.prepare(network, optimizer)
        self.images = images.train.to(accelerator.device)
        self.losses = torch.zeros(settings.training.steps, device=accelerator.device)
        self.step = 0

    @property
    def network(self) -> nn.Module:
        """The network itself, without what accelerate wraps around it."""
        model: nn.Module = self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)
        return model

    @functools.cached_property
    def positions(self) -> Tensor:
        """This process's places in the global batch, int64."""
        share = self.settings.training.batch // self.accelerator.num_processes
        first = self.accelerator.process_index * share
        return torch.arange(first, first + share, device=self.accelerator.device)

    def batch(self, step: int, positions: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """x_0, t, ε and the dropout keys at these positions of this step's batch (Algorithm 1, 2–4)."""
        s = self.settings.training

        def keys(stream: str) -> Tensor:
            return row_keys(s.seed, stream, step, positions)

        x_0 = self.images[indices(s.seed, step, s.batch, positions, len(self.images))]
        x_0 = to_unit(x_0, self.levels)
        if s.flip:
            mirrored = uniform(keys("flip"), 1)[:, :, None, None] < 0.5
            x_0 = torch.where(mirrored, x_0.flip(-1), x_0)
        t = 1 + (uniform(keys("t"), 1).squeeze(1) * self.settings.process.T).long()
        return x_0, t, normal(keys("eps"), tuple(x_0.shape[1:])), keys("dropout")

    def learning_rate(self, step: int) -> float:
        """Linear from 0 over the warm-up, then constant."""
        s = self.settings.training
        return s.lr * min(1.0, step / s.warmup if s.warmup else 1.0)

    def update(self) -> None:
        """One gradient step (Algorithm 1, line 5) and one step of the average."""
        s = self.settings.training
        x_0, t, eps, keys = self.batch(self.step, self.positions)
        loss = self.diffusion.loss(functools.partial(self.model, keys=keys), x_0, t, eps)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.model.parameters(), s.max_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(self.step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        ema.update(self.average, self.network, s.ema)
        self.losses[self.step] = loss.detach()
        self.step += 1

    def run(self, save: Callable[[Checkpoint], object]) -> Iterator[float]:
        """Updates until `steps` are made, saving on the way; yields the recent loss after each.

        The caller may stop between two updates and save `state()`.

        Raises:
            InputError: when the loss is no longer finite, with the step.
        """
        s = self.settings.training
        recent = float("nan")
        while self.step < s.steps:
            self.update()
            if self.step % CHECK_EVERY == 0 or self.step == s.steps or math.isnan(recent):
                recent = self._recent()
            if self.step % s.save_every == 0 or self.step == s.steps:
                save(self.state())
            yield recent

    def _recent(self) -> float:
        """The mean loss of the steps since the last look."""
        first = max(0, self.step - CHECK_EVERY)
        chunk = self.losses[first : self.step]
        mean = float(chunk.mean())
        if not math.isfinite(mean):
            bad = first + int(chunk.isfinite().logical_not().nonzero()[0]) + 1
            raise InputError(
                f"the loss is {float(self.losses[bad - 1])} at step {bad}; lower --lr, or lengthen --warmup "
                "(saved checkpoints are from before)"
            )
        return mean

    def state(self) -> Checkpoint:
        """A checkpoint of now.

        Raises:
            InputError: if a recent loss is not finite: such a state is not worth keeping.
        """
        if self.step:
            self._recent()
        names = [name for name, _ in self.network.named_parameters()]
        state = self.optimizer.state_dict()["state"]
        moments = {
            f"{kind}.{name}": state[index][kind]
            for index, name in enumerate(names)
            if index in state
            for kind in ("exp_avg", "exp_avg_sq")
        }
        losses = self.accelerator.reduce(self.losses[: self.step].clone(), "mean")
        return Checkpoint(
            self.step, _cpu(self.average), _cpu(self.network), _cpu(moments), losses.cpu(), self.belongs_to
        )

    def restore(self, saved: Checkpoint) -> None:
        """Goes on from a checkpoint as if there had been no stop.

        Raises:
            InputError: if it does not fit this network, or is of a later step than the last.
        """
        if saved.step > self.settings.training.steps:
            raise InputError(
                f"the run is at step {saved.step} already, --steps asks for {self.settings.training.steps}; "
                "ask for more, or leave --steps away"
            )
        device = self.accelerator.device
        try:
            # The fused optimizer reads parameter and moments side by side in memory: same strides.
            self.average.load_state_dict(saved.ema)
            self.network.load_state_dict(saved.raw)
            state = {
                index: {
                    "step": torch.tensor(float(saved.step), device=device),
                    "exp_avg": torch.empty_like(p).copy_(saved.moments[f"exp_avg.{name}"]),
                    "exp_avg_sq": torch.empty_like(p).copy_(saved.moments[f"exp_avg_sq.{name}"]),
                }
                for index, (name, p) in enumerate(self.network.named_parameters())
                if saved.step
            }
        except (KeyError, RuntimeError):
            raise InputError(
                "the checkpoint's tensors are not those of this network; it is another run's"
            ) from None
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.losses[: saved.step] = saved.losses.to(device)
        self.step = saved.step


def _cpu(tensors: nn.Module | dict[str, Tensor]) -> dict[str, Tensor]:
    named = tensors.state_dict() if isinstance(tensors, nn.Module) else tensors
    return {name: tensor.detach().cpu() for name, tensor in named.items()}
