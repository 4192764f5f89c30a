"""Laws of the network (App. B), a torch module that is called with x_t and t."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ddpm_spec.laws.law import Case, Cases, law
from ddpm_spec.laws.reference import Reference, spread
from ddpm_spec.laws.subject import Subject

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["alone", "gradients", "group_norm", "padding", "parameters", "shape", "silent_start", "time"]


@law("network/shape", "make_network")
def shape(reference: Reference, model: Subject) -> Cases:
    """Network: the answer has the shape of x_t, or twice its channels if it decides a variance too."""
    with _made(model) as (network, ask):
        answer = tuple(ask(network, *_inputs(model, 3)).shape)
    once = (3, *model.shape)
    twice = (3, 2 * model.shape[0], *model.shape[1:])
    yield Case(float(answer not in (once, twice)), 0.0, f"shape {answer} for {once}")


@law("network/parameters", "make_network", level="choice")
def parameters(reference: Reference, model: Subject) -> Cases:
    """Network: it has as many parameters as is stated."""
    stated = model.stated("parameters")
    if stated is not None:
        with _made(model) as (network, _):
            count = sum(weights.numel() for weights in network.parameters())
        yield Case(abs(count - stated), 0.0, f"{count:,} parameters")


@law("network/silent-start", "make_network", level="custom")
def silent_start(reference: Reference, model: Subject) -> Cases:
    """Network: before training the answer is nearly 0, since the last layer starts near 0."""
    with _made(model) as (network, ask):
        largest = float(ask(network, *_inputs(model, 2)).detach().abs().max())
    # The loss, E(ε − ε_θ)², then starts at 1 to three digits. Usual initialisations give answers of about 1.
    yield Case(largest, 5e-4, "the largest answer")


@law("network/gradients", "make_network")
def gradients(reference: Reference, model: Subject) -> Cases:
    """Network: every parameter gets a gradient, once those that start at 0 have moved."""
    import torch

    with _made(model, moved=True) as (network, ask):
        x, t = _inputs(model, 2)
        answer = ask(network, x, t)
        learned = {name: weights for name, weights in network.named_parameters() if weights.requires_grad}
        outcome = (answer * _like(answer)).sum()
        found = torch.autograd.grad(outcome, list(learned.values()), allow_unused=True)
    for name, gradient in zip(learned, found, strict=True):
        # A bias may cancel in a softmax or a norm, a whole matrix may not.
        dead = gradient is None or (gradient.ndim > 1 and not gradient.any())
        yield Case(float(dead), 0.0, name)


@law("network/alone", "make_network")
def alone(reference: Reference, model: Subject) -> Cases:
    """Network: an example's answer does not depend on the rest of the batch, not even in training."""
    import torch

    with _made(model, moved=True) as (network, ask):
        answers = []
        for other in (1.0, -3.0):
            x, t = _inputs(model, 2)
            x[1] *= other
            torch.manual_seed(1)  # the same units drop out
            answers.append(ask(network.train(), x, t)[0].detach())
    first, second = answers
    # The same numbers by the same operations, which a batch may round in another order.
    allowed = 1e3 * torch.finfo(first.dtype).eps * float(first.abs().max())
    yield Case(float((first - second).abs().max()), allowed, "the first of two images")


@law("network/time", "make_network")
def time(reference: Reference, model: Subject) -> Cases:
    """Network: the answer depends on the time, each example's on its own."""
    import torch

    with _made(model, moved=True) as (network, ask):
        x, t = _inputs(model, 2)
        x[1] = x[0]
        first, second = ask(network, x, t).detach()
    # The effect of a time that is used stands out from rounding.
    least = 1e3 * torch.finfo(first.dtype).eps * float(first.abs().max())
    differs = float((first - second).abs().max())
    yield Case(max(least - differs, 0.0), 0.0, "the same image at the first and the last time")


@law("network/group-norm", "make_network", level="custom")
def group_norm(reference: Reference, model: Subject) -> Cases:
    """Network: group norms add ε = 10⁻⁶ to the variance, as in the released weights; torch's ε is 10⁻⁵."""
    from torch import nn

    with _made(model) as (network, _):
        for name, layer in network.named_modules():
            if isinstance(layer, nn.GroupNorm):
                yield Case(abs(layer.eps - 1e-6), 1e-12, name)


@law("network/padding", "make_network", level="custom")
def padding(reference: Reference, model: Subject) -> Cases:
    """Network: a convolution that halves pads at the bottom and right only, as in the released weights."""
    from torch import nn

    seen: list[tuple[str, nn.Module, Tensor]] = []
    with _made(model, moved=True) as (network, ask):
        for name, layer in network.named_modules():
            if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2) and layer.kernel_size == (3, 3):
                layer.register_forward_pre_hook(
                    lambda layer, inputs, name=name: seen.append((name, layer, inputs[0].detach()))
                )
        ask(network, *_inputs(model, 2))
        for name, layer, x in tuple(seen):
            yield Case(float(not _pads_at_the_end(layer, x)), 0.0, name)


def _pads_at_the_end(layer: "nn.Module", x: "Tensor") -> bool:
    """Whether x, as the layer was given it, is padded at the bottom and right only, here or in the layer."""
    import torch

    y = layer(x.requires_grad_())
    if 2 * y.shape[-1] == x.shape[-1]:
        # The layer pads. If only at the end, then its first output sees the first three rows and columns.
        (sees,) = torch.autograd.grad(y[..., 0, 0].sum(), x)
        return bool(sees[..., 2, :].any() and sees[..., 2].any())
    first, last = (bool(x[..., k, :].any() or x[..., k].any()) for k in (0, -1))
    return first and not last


_Asked = Callable[["nn.Module", "Tensor", "Tensor"], "Tensor"]


@contextmanager
def _made(model: Subject, *, moved: bool = False) -> Iterator[tuple["nn.Module", _Asked]]:
    """A new network in which nothing drops out, and how it is asked; torch's own generator stays where it is.

    With `moved`, a little is added to every parameter, so that none is 0.
    """
    import torch

    def ask(network: "nn.Module", x: "Tensor", t: "Tensor") -> "Tensor":
        weights = next(network.parameters(), x)
        answer = network(x.to(weights), t.to(weights.device))
        # Some return an object, or a tuple, with the answer in it.
        answer = getattr(answer, "sample", answer)
        found: Tensor = answer[0] if isinstance(answer, tuple) else answer
        return found

    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        network = model.make_network().eval()
        if moved:
            generator = torch.Generator().manual_seed(0)
            with torch.no_grad():
                for weights in network.parameters():
                    weights += 0.05 * torch.randn(weights.shape, generator=generator).to(weights.dtype)
        yield network, ask


def _inputs(model: Subject, count: int) -> tuple["Tensor", "Tensor"]:
    """Images between −1 and 1, and times from the first to the last of a thousand, or of the schedule."""
    import torch

    x = torch.from_numpy(spread(count, model.dim, 0.9).reshape(count, *model.shape)).float()
    last = len(model.betas) if model.betas is not None else 1000
    times = np.linspace(1, last, count).astype(int) + int(model.stated("first_time")) - 1
    return x, torch.from_numpy(times)


def _like(answer: "Tensor") -> "Tensor":
    """Numbers that differ from place to place."""
    import torch

    return torch.from_numpy(spread(1, answer.numel(), 1.0, start=500)).reshape(answer.shape).to(answer.dtype)
