"""Algorithm 1: the training loop."""

import contextlib
import functools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ddpm_spec.data import Batches, Images, to_unit
from ddpm_spec.errors import InputError
from ddpm_spec.machine import processes
from ddpm_spec.machine.accelerator import compiled, description
from ddpm_spec.noise import normal, row_keys, uniform
from ddpm_spec.runs.checkpoints import Checkpoint
from ddpm_spec.runs.settings import Settings
from ddpm_spec.training import ema

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Diverged", "Look", "Trainer", "belongs_to"]

CHECK_EVERY = 20
"""Most steps between two looks at the loss; a look waits for the device and the other processes."""
CHECK_SECONDS = 2.0
"""Where steps are slow, looks are as many steps apart as take about this long."""


@dataclass(frozen=True)
class Look:
    """What a look at the losses tells."""

    step: int
    loss: float
    """Mean over the last CHECK_EVERY updates."""
    gradient_norm: float
    """Of the last update, before clipping."""
    learning_rate: float
    """Of the last update."""


class Diverged(InputError):
    """The loss, or the gradient under a finite loss, is not finite: a result as much as an error."""

    def __init__(self, step: int, cause: str, value: float, saved: str = "") -> None:
        super().__init__(
            f"the {cause} is {value} at step {step}{saved}; "
            "start a new run with a lower --lr, or a longer --warmup"
        )
        self.step, self.cause, self.value = step, cause, value


def belongs_to(settings: Settings, images: Images) -> dict[str, Any]:
    """What two runs must share for a checkpoint of one to continue the other."""
    lasting = {k: list(v) if isinstance(v, tuple) else v for k, v in settings.lasting().items()}
    return lasting | {"data": images.digest, "shape": list(images.shape), "levels": images.levels}


class Trainer:
    """The state (step, parameters, EMA, optimizer) and the step that advances it.

    Everything random in a step is drawn from keys of (seed, step, position in the global batch), so
    processes that share a batch draw the rows that one process would, and so do the parts in which a
    process may take its share. What is left is the order in which the gradient is added up.
    """

    def __init__(self, settings: Settings, images: Images, accelerator: "Accelerator") -> None:
        self.settings = settings
        self.accelerator = accelerator
        self.diffusion = settings.diffusion()
        self.image_shape, self.levels = images.shape, images.levels
        self.belongs_to = belongs_to(settings, images)
        torch.manual_seed(settings.training.seed)  # for the initial weights, and nothing else
        channels, side, _ = self.image_shape
        self.network: nn.Module = settings.unet(channels, side).to(memory_format=torch.channels_last)
        self.average = ema.shadow(self.network).to(accelerator.device)
        compiled(self.network, settings)
        self.model = accelerator.prepare(self.network)
        # Walking through the modules at every step would take as long as the average itself.
        self.parameters, self.averages = tuple(self.network.parameters()), tuple(self.average.parameters())
        # Not prepared: that would only have a step looked through for what this loop does itself.
        self.optimizer = torch.optim.Adam(self.parameters, lr=settings.training.lr, fused=True)
        self.batches = Batches(
            images,
            seed=settings.training.seed,
            batch=settings.training.batch,
            device=accelerator.device,
            workers=settings.machine.workers,
        )
        self.losses = torch.zeros(settings.training.steps, device=accelerator.device)
        self.norms = torch.zeros_like(self.losses)
        self.step = 0
        self.stopped_by = 0
        """The signal that any process was sent, once all of them have stopped for it."""
        self._looked_at, self._next_look, self._clock = 0, 1, time.monotonic()

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

        x_0 = to_unit(self.batches.rows(step, positions), self.levels)
        if s.flip:
            mirrored = uniform(keys("flip"), 1)[:, :, None, None] < 0.5
            x_0 = torch.where(mirrored, x_0.flip(-1), x_0)
        t = 1 + (uniform(keys("t"), 1).squeeze(1) * self.settings.process.T).long()
        return x_0, t, normal(keys("eps"), tuple(x_0.shape[1:])), keys("dropout")

    def learning_rate(self, step: int) -> float:
        """Linear from 0 over the warm-up, then constant."""
        s = self.settings.training
        return s.lr * min(1.0, step / s.warmup if s.warmup else 1.0)

    def loss(self, x_0: Tensor, t: Tensor, eps: Tensor, keys: Tensor) -> Tensor:
        """What is minimised, averaged over these rows."""
        network = functools.partial(self.model, keys=keys)
        if self.settings.training.objective == "simple":
            return self.diffusion.loss(network, x_0, t, eps)
        bound = self.settings.training.objective == "bound"
        loss = self.diffusion.bound_loss if bound else self.diffusion.hybrid_loss
        return loss(network, x_0, t, eps, self.levels)

    def update(self) -> None:
        """One gradient step (Algorithm 1, line 5) and one step of the average."""
        s = self.settings.training
        drawn = self.batch(self.step, self.positions)
        for part in range(s.accumulate):
            # Processes add up their gradients once an update: behind the last part.
            last = part == s.accumulate - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(self.model):
                loss = self.loss(*(x.chunk(s.accumulate)[part] for x in drawn)) / s.accumulate
                self.accelerator.backward(loss)
            self.losses[self.step] += loss.detach()
        self.norms[self.step] = nn.utils.clip_grad_norm_(self.parameters, s.max_norm, foreach=True)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(self.step)
        self.optimizer.step()
        for parameter in self.parameters:
            parameter.grad = None
        ema.update(self.averages, self.parameters, s.ema)
        self.step += 1

    def run(
        self,
        save: Callable[[Checkpoint], object],
        *,
        draw: Callable[[], object] = lambda: None,
        signal: Callable[[], int] = lambda: 0,
    ) -> Iterator[Look]:
        """Updates until `steps` are made, or a signal has come; looks at the losses on the way.

        Args:
            save: is given a checkpoint every `save_every` steps and at the end, on the first process.
            draw: is called every `sample_every` steps, on the first process.
            signal: the number of the signal that this process has been sent, or 0. All processes stop at
                the same step, which is saved; `stopped_by` then holds the number.

        Raises:
            Diverged: when the loss or the gradient is no longer finite. That state is not saved.
        """
        s = self.settings.training
        while self.step < s.steps and not self.stopped_by:
            self.update()
            saving = self.step % s.save_every == 0 or self.step == s.steps
            drawing = s.sample_every > 0 and self.step % s.sample_every == 0
            alone = self.accelerator.num_processes == 1
            if saving or drawing or self.step >= self._next_look or (alone and signal()):
                yield self._look(signal())
            if saving or self.stopped_by:
                self._first(lambda: save(self.state()))
            if drawing:
                self._first(draw)

    def _first(self, work: Callable[[], object]) -> None:
        with processes.together():
            if processes.is_first():
                work()

    def _look(self, signal: int = 0) -> Look:
        """What the steps since the last look came to; what any process was sent, all now know."""
        first, end = self._looked_at, self.step
        # The norm is that of the gradient of all processes, and the same on each.
        self.losses[first:end] = self.accelerator.reduce(self.losses[first:end], "mean")
        begin = max(0, end - CHECK_EVERY)
        losses, norms = torch.stack([self.losses[begin:end], self.norms[begin:end]]).tolist()
        for step, loss, norm in zip(range(begin + 1, end + 1), losses, norms, strict=True):
            for cause, value in (("loss", loss), ("gradient", norm)):
                if not math.isfinite(value):
                    raise processes.alike(Diverged(step, cause, value))
        pace = (time.monotonic() - self._clock) / max(1, end - first)
        number, pace = processes.most(signal, pace)
        self.stopped_by = int(number)
        self._looked_at, self._clock = end, time.monotonic()
        self._next_look = end + max(1, min(CHECK_EVERY, int(CHECK_SECONDS / max(pace, 1e-9))))
        return Look(end, sum(losses) / len(losses), norms[-1], self.learning_rate(end - 1))

    def state(self) -> Checkpoint:
        """A checkpoint of now.

        Raises:
            Diverged: if a recent loss is not finite: such a state is not worth keeping.
        """
        if self.step > self._looked_at:
            self._look()
        return Checkpoint(
            step=self.step,
            ema=_cpu(self.average),
            raw=_cpu(self.network),
            moments=_cpu(self._moments()),
            losses=self.losses[: self.step].cpu(),
            belongs_to=self.belongs_to,
            made_on=description(self.settings, self.accelerator),
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
        self._begin_at(saved.step)
        try:
            self.average.load_state_dict(saved.ema)
            self.network.load_state_dict(saved.raw)
            for name, moment in self._moments().items():
                moment.copy_(saved.moments[name])
        except (KeyError, RuntimeError):
            raise InputError(
                "the checkpoint's tensors are not those of this network; it is another run's"
            ) from None
        self.losses[: saved.step] = saved.losses.to(self.losses.device)

    def share(self) -> None:
        """Gives all processes the state of the first, which alone needs to have restored it."""
        step = processes.from_first(lambda: self.step)
        if not processes.is_first():
            self._begin_at(step)
        processes.share([*self.parameters, *self.averages, *self._moments().values(), self.losses])

    def _begin_at(self, step: int) -> None:
        """As after `step` updates, with moments of 0.

        They are strided like their parameters: the fused optimizer reads both side by side.
        """
        state = {
            index: {
                "step": torch.tensor(float(step), device=p.device),
                "exp_avg": torch.zeros_like(p),
                "exp_avg_sq": torch.zeros_like(p),
            }
            for index, p in enumerate(self.parameters)
            if step
        }
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.step = self._looked_at = step
        self._next_look = step + 1

    def _moments(self) -> dict[str, Tensor]:
        """Adam's moments as they are, by `<moment>.<parameter>`; none before the first update."""
        state = self.optimizer.state
        return {
            f"{kind}.{name}": state[p][kind]
            for name, p in self.network.named_parameters()
            if p in state
            for kind in ("exp_avg", "exp_avg_sq")
        }


def _cpu(tensors: nn.Module | dict[str, Tensor]) -> dict[str, Tensor]:
    named = tensors.state_dict() if isinstance(tensors, nn.Module) else tensors
    return {name: tensor.detach().cpu() for name, tensor in named.items()}
