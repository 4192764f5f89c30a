"""An adapter for a scheduler: an object with tables, `add_noise` and `step`, as in diffusers."""

import copy
from collections.abc import Mapping
from typing import Any

import torch

from ddpm_spec.laws.adapters.partial import Partial, named, setting
from ddpm_spec.laws.protocol import Network, Prediction
from ddpm_spec.laws.replay import seeded

__all__ = ["SchedulerAdapter", "scheduler_adapter"]

_PREDICTIONS: dict[str, Prediction] = {"epsilon": "eps", "v_prediction": "v", "sample": "x_0"}


def scheduler_adapter(
    scheduler: Any, *, step: Mapping[str, Any] | None = None, **stated: Any
) -> "SchedulerAdapter":
    """Make an adapter of a scheduler. What the scheduler lacks is not judged.

    Its tables are `betas` and `alphas_cumprod`. `add_noise(x_0, noise, t)` is Eq. 4, and `step(output, t,
    x_t)` is a step of Algorithm 2. With `set_timesteps(steps)` and `timesteps` it is also a sampler for fewer
    steps. A step may return an object with `prev_sample` and `pred_original_sample`, a tuple of the two, or
    x_{t−1} alone. It draws its noise from PyTorch's global generator. Prediction and clipping are read off
    `config`, or off the scheduler itself.

    The scheduler is copied and stays as it is. Times count from 0, images are of shape (3, 2, 2), in float32.

    Args:
        scheduler: the scheduler.
        step: further arguments of its `step`, such as {"eta": 1.0}.
        **stated: what else it states, see `protocol.Stated`. A part may be stated, too: `p_sample=None` takes
        it
            away.

    Raises:
        TypeError: if there is no such thing to state.
        ValueError: if the scheduler's `prediction_type` is not known.
    """
    return SchedulerAdapter(scheduler, step or {}, stated)


class SchedulerAdapter(Partial):
    """A scheduler as the laws want it."""

    draws = ("p_sample", "sampler")

    def __init__(self, scheduler: Any, step: Mapping[str, Any], stated: Mapping[str, Any]) -> None:
        self.scheduler, self.options = copy.deepcopy(scheduler), dict(step)
        self.betas, self.alpha_bars = (setting(scheduler, name) for name in ("betas", "alphas_cumprod"))
        config = setting(scheduler, "config")
        # Some keep their options in a configuration, others on themselves.
        kind, clips, thresholds = (
            setting(config, name) if setting(config, name) is not None else setting(scheduler, name)
            for name in ("prediction_type", "clip_sample", "thresholding")
        )
        kind = kind or "epsilon"
        if kind not in _PREDICTIONS:
            raise ValueError(f"prediction_type is {kind!r}; known are {', '.join(_PREDICTIONS)}")
        self.prediction = _PREDICTIONS[kind]
        self.clips = bool(clips or thresholds)
        if not hasattr(scheduler, "add_noise"):
            self.lacks("q_sample")
        # A scheduler that starts from larger noise scales x_t in another way than the paper.
        if not hasattr(scheduler, "set_timesteps") or setting(scheduler, "init_noise_sigma") not in (None, 1):
            self.lacks("sampler")
        if not hasattr(scheduler, "step"):
            self.lacks("p_sample", "predict_x_0", "sampler")
        self.shape = stated.get("shape", self.shape)
        table = self.betas if self.betas is not None else self.alpha_bars
        if hasattr(scheduler, "set_timesteps") and table is not None:
            self.scheduler.set_timesteps(len(table))
        if hasattr(scheduler, "step") and not self._tells_x_0():
            self.lacks("predict_x_0")
        self.states(stated)

    def _tells_x_0(self) -> bool:
        """Whether a step also returns x̂_0. One that raises is asked again by the laws, which say so."""
        x = torch.zeros(1, *self.shape)
        try:
            answer = self._step(copy.deepcopy(self.scheduler), x, 0, x)
        except Exception:
            return False
        return isinstance(answer, tuple) or setting(answer, "pred_original_sample") is not None

    def _step(self, scheduler: Any, output: Any, t: Any, x_t: Any) -> Any:
        return scheduler.step(output, t, x_t, **self.options)

    def q_sample(self, x_0: Any, t: Any, eps: Any) -> Any:
        """Their `add_noise`."""
        return self.scheduler.add_noise(x_0, eps, t)

    def p_sample(self, network: Network, x_t: Any, t: int) -> Any:
        """Their `step`, after the network has been asked."""
        return named(self._step(self.scheduler, network(x_t, t), t, x_t), "prev_sample")

    def predict_x_0(self, x_t: Any, t: int, eps: Any) -> Any:
        """The x̂_0 that their `step` returns with x_{t−1}."""
        with seeded(0):
            return named(self._step(self.scheduler, eps, t, x_t), "pred_original_sample", place=1)

    def sampler(self, steps: int) -> "_Run":
        """Their scheduler after `set_timesteps`."""
        scheduler = copy.deepcopy(self.scheduler)
        scheduler.set_timesteps(steps)
        return _Run(self, scheduler)


class _Run:
    """One chain of a scheduler."""

    def __init__(self, adapter: SchedulerAdapter, scheduler: Any) -> None:
        self.options, self.scheduler = adapter.options, scheduler
        self.times = scheduler.timesteps

    def step(self, network: Network, x_t: Any, k: int) -> Any:
        t = self.times[k]
        scaled = (
            self.scheduler.scale_model_input(x_t, t) if hasattr(self.scheduler, "scale_model_input") else x_t
        )
        return named(self.scheduler.step(network(scaled, t), t, x_t, **self.options), "prev_sample")
