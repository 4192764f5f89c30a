"""Every way to train: what is minimised is its formula, and training on it moves the weights."""

import itertools
import math
from typing import get_args

import pytest
import torch
from small_run import trainer
from torch import Tensor

from ddpm_spec.choices import LEARNED, Prediction, Variance
from ddpm_spec.training.loop import Trainer

ROWS = [
    (prediction, objective, variance)
    for prediction, objective, variance in itertools.product(
        get_args(Prediction), ("simple", "bound", "hybrid"), get_args(Variance)
    )
    # Refused, see test_settings.
    if (objective == "simple" and variance not in LEARNED)
    or objective == "bound"
    or (objective == "hybrid" and variance in LEARNED)
]


def column(table: Tensor, t: Tensor) -> Tensor:
    return table[t].view(-1, 1, 1, 1)


def expected(made: Trainer, x_0: Tensor, t: Tensor, eps: Tensor, keys: Tensor) -> Tensor:
    """The loss from β_1..β_T alone, in float64."""
    process = made.settings.process
    beta = torch.cat(
        [torch.zeros(1), torch.linspace(process.beta_1, process.beta_T, process.T, dtype=torch.float64)]
    )
    alpha_bar = (1 - beta).cumprod(0)
    first = (t == 1).view(-1, 1, 1, 1)
    b, a, a_prev = column(beta, t), column(alpha_bar, t), column(alpha_bar, t - 1)
    x_t = a.sqrt() * x_0 + (1 - a).sqrt() * eps
    out = made.network(x_t, t, keys)

    def posterior_mean(x: Tensor) -> Tensor:
        return a_prev.sqrt() * b / (1 - a) * x + (1 - b).sqrt() * (1 - a_prev) / (1 - a) * x_t

    tilde = (1 - a_prev) / (1 - a) * b
    lower_end = torch.where(
        first, (1 - alpha_bar[1]) / (1 - alpha_bar[2]) * beta[2], tilde
    )  # β̃_2 for β̃_1 = 0
    if process.variance in LEARNED:
        out, deciding = out.chunk(2, dim=1)
        geometric = b ** ((1 + deciding) / 2) * lower_end ** ((1 - deciding) / 2)
        variance = deciding.exp() if process.variance == "learned" else geometric
    else:
        variance = b if process.variance == "beta" else lower_end
    target = {
        "eps": eps, "x_0": x_0, "mu": posterior_mean(x_0), "v": a.sqrt() * eps - (1 - a).sqrt() * x_0,
    }[process.prediction]  # fmt: skip
    error = ((target - out) ** 2).mean()
    if made.settings.training.objective == "simple":
        return error
    mean = {
        "eps": (x_t - b / (1 - a).sqrt() * out) / (1 - b).sqrt(),
        "x_0": posterior_mean(out),
        "mu": out,
        "v": posterior_mean(a.sqrt() * x_t - (1 - a).sqrt() * out),
    }[process.prediction]
    ratio = torch.where(first, 1, tilde) / variance
    divergence = (ratio - 1 - ratio.log() + (posterior_mean(x_0) - mean) ** 2 / variance) / 2
    half_bin = 1 / (made.levels - 1)
    standard = torch.distributions.Normal(0, 1)
    upper = standard.cdf((x_0 + half_bin - mean) / variance.sqrt())
    lower = standard.cdf((x_0 - half_bin - mean) / variance.sqrt())
    upper, lower = torch.where(x_0 > 0.999, 1, upper), torch.where(x_0 < -0.999, 0, lower)
    nats = torch.where(first, -(upper - lower).log(), divergence)
    bits = nats.flatten(1).sum(1).mean() / (math.log(2) * x_0[0].numel())
    return bits if made.settings.training.objective == "bound" else error + 0.001 * process.T * bits


@pytest.mark.parametrize(("prediction", "objective", "variance"), ROWS)
def test_the_loss_is_its_formula_and_training_moves_every_weight(images, prediction, objective, variance):
    made = trainer(
        images,
        # Wide steps: at t = 1 the density is not so narrow that a random network has no probability.
        process={"prediction": prediction, "variance": variance, "beta_1": 0.05, "beta_T": 0.3},
        objective=objective,
        steps=4,
        lr=1e-3,
        warmup=0,
    )
    before = [p.detach().clone() for p in made.parameters]
    for _ in made.run(lambda state: None):
        pass
    assert made.losses.isfinite().all()
    assert all(not p.equal(q) for p, q in zip(made.parameters, before, strict=True))
    made.network.double()
    x_0, t, eps, keys = made.batch(7, torch.arange(6))
    t[:2] = torch.tensor([1, 8])
    x_0, eps = x_0.double(), eps.double()
    loss = made.loss(x_0, t, eps, keys)
    assert loss.dtype == torch.float64
    assert loss.item() == pytest.approx(expected(made, x_0, t, eps, keys).item(), rel=1e-10)


@pytest.mark.parametrize("objective", ["bound", "hybrid"])
@pytest.mark.parametrize("variance", LEARNED)
def test_a_learned_variance_learns(images, variance, objective):
    """Its gradient is there from the first update on, in the channels that hold it."""
    made = trainer(images, process={"variance": variance}, objective=objective)
    made.loss(*made.batch(0, made.positions)).backward()
    gradient = made.network.conv_out.weight.grad
    assert gradient.shape[0] == 2
    assert (gradient.flatten(1).norm(dim=1) > 0).all()
