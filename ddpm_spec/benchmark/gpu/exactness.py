"""What a GPU computes, against the CPU: random numbers in every bit, a training step up to rounding.

Words, uniform numbers and dropout masks are made by integer operations and by one rounding to float64, which
are exact everywhere: they must be equal. Normal numbers go through a logarithm and a cosine in float64, whose
last bit a library may choose, and are then rounded to float32: about one in 2^28 falls on the other side of a
rounding there. At most one in a million may differ, and by one unit in the last place.

The bound for the gradient is that of a batch taken in parts (`tests/training/test_accumulation.py`), since
the reason is the same: sums are added up in another order. Let u be the unit roundoff, B the rows and S the
mean length of the rows' gradients. The batch's gradient is a mean of B, off by at most B u S on each device;
each of the n layers that add up (convolutions, products, group norms, and the two products of an attention)
is worth about u forward and u backward, for the errors of a blocked sum mostly cancel, on each device. So
|Δ| ≤ (2 B + 4 n) u S. That it is rounding and nothing else shows in float64, where the bound is 2^29 times as
tight. TF32 is off, and attention is computed by plain products.

The network is told t = 1, for which the sinusoids are exact: sin 0 and cos 0. Those of other t are compared
by themselves. A frequency is e^−x, and the angle a is t − 1 times it. x ends in a division, on a GPU in a
product with the reciprocal: that is up to 3 u x between the two. The exponential is off by up to one unit in
the last place on each, 4 u together, the product by 2 u, and the sine by two units and one, 6 u. So of a sine
or cosine |Δ| ≤ (a (6 + 3 x) + 6) u.

Adam is compared from the same gradient. Its first step has the length lr in each coordinate, formed by fewer
than 16 roundings on each device, and is then subtracted: |Δ| ≤ 2 u |p| + 32 u lr.
"""

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ddpm_spec.benchmark.contestants import Plan, random_images
from ddpm_spec.benchmark.gpu.sizes import Sizes
from ddpm_spec.benchmark.gpu.speed import free
from ddpm_spec.benchmark.races import Row
from ddpm_spec.data.images import to_unit
from ddpm_spec.noise import bits, normal, row_keys, uniform
from ddpm_spec.unet import Attention, UNet, dropout_by_keys, time_embedding

__all__ = ["adam", "exactness", "gradients", "random_numbers", "sinusoids"]

RARE = 1e-6
"""Most of the normal numbers that may differ, as a part of all."""
CPU = torch.device("cpu")


def exactness(sizes: Sizes, device: torch.device) -> Row:
    """All comparisons, and whether each held."""
    free()
    plan = sizes.exactness
    checks = {"random numbers": random_numbers(device), "sinusoids": sinusoids(device)}
    with _plain_float():
        for dtype in (torch.float64, torch.float32):
            checks[f"gradient in {str(dtype).removeprefix('torch.')}"] = gradients(plan, device, dtype)
        checks["Adam"] = adam(plan, device)
    said = [f"{'holds' if c['holds'] else 'FAILS'}: {name}: {c['said']}" for name, c in checks.items()]
    return {"said": said, "checks": checks, "holds": all(c["holds"] for c in checks.values())}


@contextlib.contextmanager
def _plain_float() -> Iterator[None]:
    """Products in the precision that is asked for; put back as they were."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic
    matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic = False, False, True
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic = before


def random_numbers(device: torch.device) -> Row:
    """Words, uniform and normal numbers and masks of the same keys on both; compiled too, on a GPU."""
    places = torch.arange(64)
    found: list[list[Tensor]] = []
    for where in (CPU, device):
        keys = row_keys(0, "exact", 7, places.to(where))
        ones = torch.ones(64, 32, 32, 32, device=where)
        masks = [dropout_by_keys(ones, 0.1, keys)]
        if device.type == "cuda":
            made = torch.compile(dropout_by_keys, fullgraph=True) if where == device else dropout_by_keys
            masks.append(made(ones, 0.1, keys))
        draws = [bits(keys, 2**14), uniform(keys, 2**14), *masks, normal(keys, (2**14,))]
        found.append([x.cpu() for x in draws])
    (*ours, normals), (*theirs, others) = found
    equal = all(a.equal(b) for a, b in zip(ours, theirs, strict=True))
    differing = int((normals != others).sum())
    by_one = bool((torch.nextafter(normals, others) == others).all())
    return {
        "holds": equal and by_one and differing <= RARE * normals.numel(),
        "said": f"words, uniform numbers and masks {'equal' if equal else 'differ'} in every bit; of "
        f"{normals.numel():,} normal numbers {differing} differ",
        "differing_normals": differing,
    }


def sinusoids(device: torch.device, channels: int = 128) -> Row:
    """The time embedding for all t, against the bound that is said above."""
    t = torch.arange(1, 1001)
    a, b = (time_embedding(t.to(where), channels).cpu().double() for where in (CPU, device))
    x = math.log(10_000) * torch.arange(channels // 2, dtype=torch.float64) / (channels // 2 - 1)
    angle = (t - 1)[:, None] * torch.exp(-x)
    limit = 2.0**-24 * (angle * (6 + 3 * x) + 6).repeat(1, 2)
    worst = ((a - b).abs() / limit).max().item()
    return {"holds": worst <= 1, "said": f"at most {worst:.2g} of the bound", "of_the_bound": worst}


def _network(plan: Plan) -> UNet:
    """The plan's, every weight drawn so that no layer hides what comes before it."""
    network = plan.settings().unet(*plan.image_shape[:2])
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, p in network.named_parameters():
            drawn = torch.randn(p.shape, generator=generator)
            if p.ndim > 1:
                p.copy_(drawn / p[0].numel() ** 0.5)
            else:
                p.copy_(0.2 * drawn + name.endswith("weight"))
    return network


def _batch(plan: Plan) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x_0, t, ε and the keys of the masks: a training step's, made on the CPU."""
    places = torch.arange(plan.batch)
    x_0 = to_unit(random_images(plan.image_shape)[: plan.batch], 256)
    t = 1 + (uniform(row_keys(0, "t", 0, places), 1).squeeze(1) * 1000).long()
    return x_0, t, normal(row_keys(0, "eps", 0, places), plan.image_shape), row_keys(0, "dropout", 0, places)


def _gradient(
    network: UNet, plan: Plan, drawn: tuple[Tensor, ...], dtype: torch.dtype
) -> tuple[float, Tensor]:
    """Loss, and the gradient of all parameters: float64, on the CPU."""
    where = next(network.parameters()).device
    x_0, t, eps, keys = (x.to(where) for x in drawn)

    def told_1(x_t: Tensor, t: Tensor) -> Tensor:
        return network(x_t, torch.ones_like(t), keys)

    loss = plan.settings().diffusion().loss(told_1, x_0.to(dtype), t, eps.to(dtype))
    gradient = torch.autograd.grad(loss, list(network.parameters()))
    return loss.item(), torch.cat([g.flatten() for g in gradient]).double().cpu()


def gradients(plan: Plan, device: torch.device, dtype: torch.dtype) -> Row:
    """Loss and gradient of one training step on both, against the bound that is said above."""
    network, drawn = _network(plan).to(dtype), _batch(plan)
    loss, expected = _gradient(network, plan, drawn, dtype)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    found, gradient = _gradient(network, plan, drawn, dtype)
    rows = [
        _gradient(network, plan, tuple(x[i : i + 1] for x in drawn), dtype)[1].norm()
        for i in range(plan.batch)
    ]
    u = torch.finfo(dtype).eps / 2
    scale = (u * sum(rows) / len(rows)).item()
    summing = sum(isinstance(m, nn.Conv2d | nn.Linear | nn.GroupNorm) for m in network.modules())
    layers = summing + 2 * sum(isinstance(m, Attention) for m in network.modules())
    limit = 2 * plan.batch + 4 * layers
    off, of_loss = (expected - gradient).norm().item() / scale, abs(found - loss) / (u * abs(loss))
    return {
        "holds": off <= limit and of_loss <= limit,
        "said": f"off by {off:.3g} u S for a bound of {limit}; the loss by {of_loss:.3g} u",
        "off_in_u_s": off,
        "limit": limit,
    }


def adam(plan: Plan, device: torch.device) -> Row:
    """One step of the optimizer from the same gradient on both, against the bound that is said above."""
    training = plan.settings().training
    _, gradient = _gradient(_network(plan), plan, _batch(plan), torch.float32)
    made = []
    for where in (CPU, device):
        network = _network(plan).to(where)
        parameters = list(network.parameters())
        sizes = [p.numel() for p in parameters]
        for p, g in zip(parameters, torch.split(gradient.float(), sizes), strict=True):
            p.grad = g.view(p.shape).to(where)
        torch.optim.Adam(parameters, lr=training.lr, fused=True).step()
        made.append(torch.cat([p.detach().flatten().cpu() for p in parameters]).double())
    limit = 2.0**-24 * (2 * made[0].abs() + 32 * training.lr)
    worst = ((made[0] - made[1]).abs() / limit).max().item()
    return {"holds": worst <= 1, "said": f"at most {worst:.2g} of the bound", "of_the_bound": worst}
