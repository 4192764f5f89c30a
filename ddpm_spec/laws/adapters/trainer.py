"""An adapter for a `GaussianDiffusion`: an object with tables, `q_sample`, `p_mean_variance` and a loss."""

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ddpm_spec.laws.adapters.partial import Partial, named, setting
from ddpm_spec.laws.protocol import Network, Prediction

__all__ = ["TrainerAdapter", "trainer_adapter"]

_HELD = ("model", "denoise_fn", "net", "network", "unet", "eps_model")
_PREDICTIONS: dict[str, Prediction] = {
    "pred_noise": "eps",
    "pred_v": "v",
    "pred_x0": "x_0",
    "EPSILON": "eps",
    "START_X": "x_0",
}
_X_0 = {"eps": ("predict_start_from_noise", "_predict_xstart_from_eps"), "v": ("predict_start_from_v",)}
_POSTERIOR = ("q_posterior", "q_posterior_mean_variance")
_LOSS = ("p_losses", "training_losses")


def trainer_adapter(diffusion: Any, *, network: str | None = None, **stated: Any) -> "TrainerAdapter":
    """Make an adapter of a `GaussianDiffusion`. What it lacks is not judged.

    Its tables are `betas` and `alphas_cumprod`. Methods are called by the names that are usual: `q_sample`,
    `q_posterior` or `q_posterior_mean_variance`, `predict_start_from_noise`, `p_mean_variance`, `p_sample`,
    `p_sample_loop`, `p_losses` or `training_losses`, and the object itself for a step of training.

    The network is an attribute of the object, or the first argument of those methods. The object is copied.
    Where it holds its network, the copy holds a stand-in: a module that answers as the laws want. So nothing
    of theirs is patched, the object stays as it is, and its network is not even copied.

    Times count from 0. Images have the size that the object states (`channels`, `image_size`), or (3, 2, 2).

    Args:
        diffusion: the object.
        network: the attribute that holds the network; by default the first of the usual names that it has. ""
            if the methods take the network as their first argument although there is such an attribute.
        **stated: what else it states, see `protocol.Stated`. A part may be stated, too: `loss=None` takes it
            away.

    Raises:
        TypeError: if there is no such thing to state.
    """
    return TrainerAdapter(diffusion, network, stated)


class _StandIn(nn.Module):
    """In the place of a network: it answers as it is told for the time of a call."""

    def __init__(self) -> None:
        super().__init__()
        # Some ask a network where its parameters are.
        self.place = nn.Parameter(torch.zeros(()))
        self.answer: Network | None = None

    def forward(self, x: Tensor, t: Tensor, *_: Any, **__: Any) -> Any:
        if self.answer is None:
            raise RuntimeError("the network was asked outside of a call")
        return self.answer(x, t)


class TrainerAdapter(Partial):
    """A `GaussianDiffusion` as the laws want it."""

    draws = ("p_sample",)

    def __init__(self, diffusion: Any, network: str | None, stated: Mapping[str, Any]) -> None:
        if network is None:
            network = next((name for name in _HELD if callable(setting(diffusion, name))), "")
        self.held, self.stand_in = network, _StandIn()
        self.diffusion = copy.deepcopy(
            diffusion, {id(getattr(diffusion, network)): self.stand_in} if network else {}
        )
        self.betas, self.alpha_bars = (setting(diffusion, name) for name in ("betas", "alphas_cumprod"))
        kind = setting(diffusion, "objective") or setting(setting(diffusion, "model_mean_type"), "name")
        self.prediction = _PREDICTIONS.get(str(kind), "eps")
        self.prediction = stated.get("prediction", self.prediction)
        self.shape = _shape(diffusion) or self.shape
        parts: dict[str, tuple[str, ...]] = {
            "q_sample": ("q_sample",),
            "posterior": _POSTERIOR,
            "predict_x_0": _X_0.get(self.prediction, ()),
            "variance": ("p_mean_variance",),
            "p_sample": ("p_sample",),
            "loss": _LOSS,
            "sample": ("p_sample_loop",),
        }
        self.lacks(*(part for part, names in parts.items() if self._method(*names) is None))
        trains = callable(diffusion) and getattr(type(diffusion), "forward", None) is not nn.Module.forward
        if not (network and trains):
            self.lacks("draw_times")
        self.told_to_clip: bool | None = stated.get("clips")
        """Whether they are asked to clip x̂_0; if nothing is stated they do what they do by default."""
        self.states(stated)

    def _method(self, *names: str) -> Any:
        """The first of these methods that is there."""
        return next((getattr(self.diffusion, name) for name in names if hasattr(self.diffusion, name)), None)

    def _ask(self, method: Callable[..., Any], network: Network, *given: Any, **options: Any) -> Any:
        """Call a method with this network in the place of theirs."""
        known = inspect.signature(method).parameters
        if "clip_denoised" in known and self.told_to_clip is not None:
            options["clip_denoised"] = self.told_to_clip
        self.stand_in.answer = network
        try:
            return method(*(() if self.held else (self.stand_in,)), *given, **options)
        finally:
            self.stand_in.answer = None

    def _times(self, t: int, x: Tensor) -> Tensor:
        return torch.full((len(x),), t)

    def q_sample(self, x_0: Tensor, t: Tensor, eps: Tensor) -> Any:
        """Their `q_sample`."""
        return self.diffusion.q_sample(x_0, t, noise=eps)

    def posterior(self, x_0: Tensor, x_t: Tensor, t: int) -> tuple[Any, Any]:
        """Their `q_posterior`."""
        answer = self._method(*_POSTERIOR)(x_start=x_0, x_t=x_t, t=self._times(t, x_t))
        return named(answer, "mean"), named(answer, "variance", place=1)

    def predict_x_0(self, x_t: Tensor, t: int, eps: Tensor) -> Any:
        """Their `predict_start_from_noise`, or from v."""
        return self._method(*_X_0[self.prediction])(x_t, self._times(t, x_t), eps)

    def variance(self, t: int) -> Any:
        """The variance of their `p_mean_variance`."""
        x = torch.zeros(1, *self.shape)
        answer = self._ask(self.diffusion.p_mean_variance, lambda x, t: 0 * x, x, self._times(t, x))
        return named(answer, "variance", place=1)

    def p_sample(self, network: Network, x_t: Tensor, t: int) -> Any:
        """Their `p_sample`, which draws its noise."""
        method = self.diffusion.p_sample
        time = inspect.signature(method).parameters.get("t")
        whole = time is not None and time.annotation in (int, "int")
        return named(self._ask(method, network, x_t, t if whole else self._times(t, x_t)), "sample")

    def loss(self, network: Network, x_0: Tensor, t: Tensor, eps: Tensor) -> Any:
        """Their `p_losses`, averaged over the batch."""
        return named(self._ask(self._method(*_LOSS), network, x_0, t, noise=eps), "loss").mean()

    def sample(self, network: Network, count: int) -> Any:
        """Their `p_sample_loop`, back in [−1, 1] where they end in [0, 1]."""
        images = named(self._ask(self.diffusion.p_sample_loop, network, (count, *self.shape)), "sample")
        return self.diffusion.normalize(images) if hasattr(self.diffusion, "unnormalize") else images

    def draw_times(self, count: int) -> Tensor:
        """The times at which the network is asked while they train."""
        times: list[Tensor] = []

        def network(x: Tensor, t: Tensor) -> Tensor:
            times.append(t)
            return 0 * x

        for start in range(0, count, 256):
            self._ask(self.diffusion, network, torch.zeros(min(256, count - start), *self.shape))
        return torch.cat(times)


def _shape(diffusion: Any) -> tuple[int, ...] | None:
    """The shape of an image, if the object states it."""
    channels, size = setting(diffusion, "channels"), setting(diffusion, "image_size")
    if channels is None or size is None:
        return None
    return (int(channels), *((size, size) if isinstance(size, int) else size))
