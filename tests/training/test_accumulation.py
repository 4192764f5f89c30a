"""A batch taken in parts: the same draws, and a gradient that differs by the rounding of its sum.

The bound, for the length of the gradient over all parameters. A batch's gradient is the mean of its rows'
gradients g_i. In whatever order the B rows are added up, the sum is off by at most (B − 1) u Σ|g_i| / B to
first order, once for each of the two orders compared. The rows' gradients come out of the same network in
batches of another size, for which a layer may add up its terms in another order; in each of its n layers
that is worth about u forward and u backward, for the errors of a blocked sum mostly cancel, and once for each
of the two. Together |Δ| ≤ (2 B + 4 n) u S with S the mean of |g_i|. (Measured: 6 u S, for a bound of 216.)
That it is rounding and nothing else shows in float64, where the same bound is 2^29 times as tight.
"""

import pytest
import torch
from small_run import trainer
from torch import nn

from ddpm_spec.training.loop import Trainer


def gradient(made: Trainer, drawn: tuple[torch.Tensor, ...], parts: int) -> torch.Tensor:
    """As `update` adds it up, flat."""
    for shares in zip(*(x.chunk(parts) for x in drawn), strict=True):
        (made.loss(*shares) / parts).backward()
    found = torch.cat([p.grad.flatten() for p in made.parameters])
    for p in made.parameters:
        p.grad = None
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_in_parts_is_that_of_the_whole(images, dtype):
    made = trainer(images)
    x_0, t, eps, keys = made.batch(2, torch.arange(6))
    for p in made.parameters:  # what starts at nearly 0 would hide the layers before it
        nn.init.normal_(p, std=0.1)
    made.network.to(dtype)
    drawn = x_0.to(dtype), t, eps.to(dtype), keys
    rows = [gradient(made, tuple(x[i : i + 1] for x in drawn), 1) for i in range(6)]
    scale = sum(row.norm() for row in rows) / 6
    layers = sum(isinstance(m, nn.Conv2d | nn.Linear) for m in made.network.modules())
    limit = (2 * 6 + 4 * layers) * torch.finfo(dtype).eps / 2 * scale
    whole = gradient(made, drawn, 1)
    for parts in (2, 3, 6):
        assert 0 < (gradient(made, drawn, parts) - whole).norm() <= limit
    swapped = (x_0.to(dtype), t.flip(0), *drawn[2:])
    assert (gradient(made, swapped, 1) - whole).norm() > limit


def test_an_update_in_parts_draws_the_same_and_ends_nearly_the_same(images):
    one, other = trainer(images, accumulate=1), trainer(images, accumulate=3)
    for made in (one, other):
        made.update()
    assert one.losses[0].item() == pytest.approx(other.losses[0].item(), rel=8 * 2**-24)
    assert one.norms[0].item() == pytest.approx(other.norms[0].item(), rel=1e-5)
    for a, b in zip(one._moments().values(), other._moments().values(), strict=True):
        assert (a - b).abs().max() <= 1e-5 * a.abs().max() + 1e-12


def test_recomputed_activations_change_no_bit(images):
    """The dropout masks come from keys: they are the same the second time."""
    plain, again = trainer(images), trainer(images, network={"checkpointing": True})
    for made in (plain, again):
        made.update()
        made.update()
    assert plain.losses.equal(again.losses)
    assert all(p.equal(q) for p, q in zip(plain.parameters, again.parameters, strict=True))
