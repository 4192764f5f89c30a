"""The network against the published counts and against independent definitions of its parts."""

import math

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ddpm_spec.unet import Attention, Downsample, ResBlock, UNet, Upsample, dropout_by_keys, time_embedding


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def small(**changes) -> UNet:
    """A network with every kind of layer, and no weight near 0 that could hide a mistake."""
    torch.manual_seed(0)
    options = {"channels": 8, "multipliers": (1, 2), "attention": (4,), "groups": 4, "image_size": 8}
    net = UNet(**{"in_channels": 2, "out_channels": 5, "blocks": 1, "dropout": 0.5} | options | changes)
    with torch.no_grad():
        for p in net.parameters():
            p.normal_(std=0.2)
    return net


@pytest.fixture(scope="module")
def cifar10() -> UNet:
    with torch.device("meta"):
        return UNet()


@pytest.mark.parametrize(
    ("part", "parameters"),
    [
        ("time", 328_704),
        ("conv_in", 3_584),
        ("down", 10_190_720),
        ("middle", 2_888_704),
        ("up", 22_330_880),
        ("norm_out", 256),
        ("conv_out", 3_459),
    ],
)
def test_parameters_by_part(cifar10, part, parameters):
    assert count(getattr(cifar10, part)) == parameters


def test_parameters_of_the_papers_models(cifar10):
    assert count(cifar10) == 35_746_307
    assert len(list(cifar10.parameters())) == 328
    assert sum(isinstance(m, ResBlock) for m in cifar10.modules()) == 22
    assert sum(isinstance(m, Attention) for m in cifar10.modules()) == 6
    with torch.device("meta"):
        assert count(UNet(image_size=256, multipliers=(1, 1, 2, 2, 4, 4), dropout=0.0)) == 113_673_219
        large = UNet(image_size=256, channels=192, multipliers=(1, 1, 2, 2, 4, 4))
    assert count(large) == 255_677_955


def test_time_embedding_counts_from_0_and_is_formed_in_float32():
    t = torch.tensor([1, 2, 700])
    k = np.arange(16)
    angle = (t.numpy()[:, None] - 1) * 10_000.0 ** (-k / 15)
    expected = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
    made = time_embedding(t, 32)
    assert made.dtype == torch.float32
    assert (made[0] == torch.tensor([0.0] * 16 + [1.0] * 16)).all()
    # The angle reaches 699, and float32 rounds it to 2^-24 of that, its frequency likewise.
    assert np.abs(made.numpy() - expected).max() < 4 * 699 * 2.0**-24


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_dtype(dtype):
    out = small().to(dtype)(torch.randn(3, 2, 8, 8), torch.tensor([1, 2, 1000]))
    assert out.shape == (3, 5, 8, 8)
    assert out.dtype == dtype


def test_the_network_casts_its_input():
    net, x, t = small(), torch.randn(3, 2, 8, 8, dtype=torch.float64), torch.tensor([1, 2, 3])
    assert (net(x, t) == net(x.float(), t)).all()


def test_each_example_is_computed_alone_even_where_the_batch_is_as_long_as_the_side():
    net = small().double()
    x, t = torch.randn(8, 2, 8, 8, dtype=torch.float64), torch.arange(1, 9)
    alone = torch.cat([net(x[i : i + 1], t[i : i + 1]) for i in range(8)])
    together = net(x, t)
    assert (together - alone).abs().max() < 1e-12 * together.abs().max()
    assert (net(x, t.flip(0)) - together).abs().max() > 1e-3 * together.abs().max()  # t matters


def test_channels_last_memory_gives_the_same():
    net = small().double()
    x, t = torch.randn(3, 2, 8, 8, dtype=torch.float64), torch.tensor([1, 5, 9])
    plain = net(x, t)
    other = net.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last), t)
    assert (plain - other).abs().max() < 1e-12 * plain.abs().max()


def test_attention_is_softmax_of_scaled_products():
    torch.manual_seed(0)
    layer = Attention(6, 3).double()
    x = torch.randn(2, 6, 3, 5, dtype=torch.float64)
    h = layer.norm(x)
    q, k, v = (
        torch.einsum("bchw,dc->bdhw", h, m.weight).flatten(2) + m.bias[:, None]
        for m in (layer.query, layer.key, layer.value)
    )
    weights = torch.softmax(torch.einsum("bci,bcj->bij", q, k) / math.sqrt(6), dim=2)
    mixed = torch.einsum("bij,bcj->bci", weights, v)
    expected = x + (torch.einsum("dc,bci->bdi", layer.out.weight, mixed) + layer.out.bias[:, None]).view_as(x)
    assert (layer(x) - expected).abs().max() < 1e-13


def test_downsampling_pads_below_and_on_the_right_only():
    layer, x = Downsample(1), torch.arange(1.0, 17).reshape(1, 1, 4, 4)
    with torch.no_grad():
        layer.weight.zero_()[0, 0, 0, 0] = 1  # picks the upper left corner of each window
        layer.bias.zero_()
        assert (layer(x) == x[:, :, ::2, ::2]).all()
        layer.weight.zero_()[0, 0, 2, 2] = 1
        assert layer(x).flatten().tolist() == [11.0, 0.0, 0.0, 0.0]


def test_upsampling_repeats_then_convolves():
    layer, x = Upsample(1), torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    with torch.no_grad():
        layer.weight.zero_()[0, 0, 1, 1] = 1
        layer.bias.zero_()
        assert (layer(x) == x.repeat_interleave(2, 2).repeat_interleave(2, 3)).all()


def test_initial_weights():
    torch.manual_seed(0)
    net = UNet(in_channels=1, out_channels=1, image_size=8, channels=32, multipliers=(1, 2), groups=8)
    block = next(m for m in net.modules() if isinstance(m, ResBlock))
    limit = math.sqrt(6 / (9 * 32 + 9 * 32))
    assert 0.95 * limit < block.conv_1.weight.abs().max() <= limit
    assert 0.95e-5 * limit < block.conv_2.weight.abs().max() <= 1e-5 * limit
    attention = next(m for m in net.modules() if isinstance(m, Attention))
    assert attention.query.weight.abs().max() > 0.1 > 1e-3 > attention.out.weight.abs().max()
    assert all((m.bias == 0).all() for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear))
    assert net(torch.randn(2, 1, 8, 8), torch.tensor([3, 900])).abs().max() < 1e-3


def test_dropout_is_a_function_of_the_key_of_its_row():
    net, x, t = small().double(), torch.randn(4, 2, 8, 8, dtype=torch.float64), torch.tensor([1, 2, 3, 4])
    keys = torch.tensor([11, -7, 11, 13])
    out = net(x, t, keys)
    assert (net(x, t, keys) == out).all()
    assert (out - net(x, t)).abs().min(dim=0).values.max() > 0
    part = net(x[1:3], t[1:3], keys[1:3])
    assert (part - out[1:3]).abs().max() < 1e-12 * out.abs().max()
    same_row = net(x[:1].expand(2, -1, -1, -1), t[:1].expand(2), torch.tensor([1, 2]))
    assert (same_row[0] - same_row[1]).abs().max() > 1e-6


def test_dropout_rate_and_scale():
    kept = dropout_by_keys(torch.ones(64, 4, 16, 16), 0.1, torch.arange(64))
    rate = round(0.1 * 2**16) / 2**16
    assert kept.unique().tolist() == pytest.approx([0, 1 / (1 - rate)])
    n = kept.numel()
    z = ((kept == 0).sum().item() - rate * n) / math.sqrt(n * rate * (1 - rate))
    assert abs(z) < 4.9  # false alarm 1e-6; it would see a rate off by 0.006


def test_dropout_keeps_the_layout_and_does_not_depend_on_it():
    h, keys = torch.randn(3, 5, 7, 2), torch.arange(3)  # 70 numbers a row: not a multiple of 4
    dropped = dropout_by_keys(h.contiguous(memory_format=torch.channels_last), 0.5, keys)
    assert dropped.is_contiguous(memory_format=torch.channels_last)
    assert dropped.equal(dropout_by_keys(h, 0.5, keys))
    assert 40 < (dropped == 0).sum() < 170


def test_no_two_blocks_share_a_mask():
    indices = [m.index for m in small().modules() if isinstance(m, ResBlock)]
    assert len(set(indices)) == len(indices)


@pytest.mark.parametrize("keys", [None, torch.tensor([11, -7, 13])])
def test_checkpointing_changes_no_bit_of_output_and_gradient(keys):
    x, t = torch.randn(3, 2, 8, 8), torch.tensor([1, 2, 3])
    kept, again = small(), small(checkpointing=True)
    seen = []
    for net in (kept, again):
        out = net(x, t, keys)
        out.square().mean().backward()
        seen.append([out, *(p.grad for p in net.parameters())])
    assert all(a.equal(b) for a, b in zip(*seen, strict=True))


def test_checkpointing_keeps_less():
    """Bytes kept for the backward pass, weights aside, with every block of the network one stage."""

    def kept(net: UNet) -> int:
        weights, total = {p.data_ptr() for p in net.parameters()}, 0

        def keep(x: torch.Tensor) -> torch.Tensor:
            nonlocal total
            total += 0 if x.data_ptr() in weights else x.nbytes
            return x

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            net(torch.randn(3, 2, 8, 8), torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3]))
        return total

    assert kept(small(checkpointing=True)) < kept(small()) / 3


class Copies(TorchDispatchMode):
    """The calls that copy a tensor into another layout or type."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, call, types, args=(), kwargs=None):
        name = call.overloadpacket.__name__
        if name in ("clone", "contiguous", "copy_", "_to_copy"):
            self.found.append(name)
        return call(*args, **(kwargs or {}))


def test_channels_last_goes_through_without_a_copy():
    net = small().to(memory_format=torch.channels_last)
    x = torch.randn(3, 2, 8, 8).contiguous(memory_format=torch.channels_last)
    with Copies() as copies:
        out = net(x, torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3]))
        out.square().sum().backward()
    assert copies.found == ["_to_copy"]  # t as a float
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_one_graph_without_breaks():
    net = torch.compile(small(blocks=1), fullgraph=True, backend="eager")
    net(torch.randn(3, 2, 8, 8), torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3]))


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
def test_compiled_forward_and_backward_are_one_graph_each(checkpointing):
    x, t, keys = torch.randn(3, 2, 8, 8), torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3])
    # To compile takes a minute; the middle has attention, once is enough.
    plain, fused = (
        small(checkpointing=checkpointing, attention=()).to(memory_format=torch.channels_last)
        for _ in range(2)
    )
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    fused.compile(fullgraph=True)
    for net in (plain, fused):
        net(x, t, keys).square().mean().backward()
    counters = torch._dynamo.utils.counters
    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]
    # Fused kernels add up in another order: sums of some 10^4 terms in float32. The bias of a key has no
    # gradient, a softmax being blind to it: there is only rounding, and the others are the measure.
    least = 1e-4 * min(p.grad.abs().max() for name, p in plain.named_parameters() if "key.bias" not in name)
    for a, b in zip(plain.parameters(), fused.parameters(), strict=True):
        assert (a.grad - b.grad).abs().max() <= max(1e-4 * a.grad.abs().max(), least)


def test_a_network_for_a_learned_variance_has_twice_the_channels():
    with torch.device("meta"):
        net = UNet(out_channels=6)
    assert count(net) == 35_746_307 + 3 * (9 * 128 + 1)
    assert [name for name, p in net.named_parameters() if p.shape[0] == 6] == [
        "conv_out.weight", "conv_out.bias",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": 10}, "multiple of groups"),
        ({"channels": 2, "groups": 2}, "at least 4"),
        ({"image_size": 6, "multipliers": (1, 1, 1)}, "halved 2 times"),
        ({"multipliers": ()}, "at least one"),
    ],
)
def test_refuses_what_cannot_be_built(changes, words):
    with pytest.raises(ValueError, match=words):
        small(**changes)


WRONG_TIMES = [
    (torch.tensor([1, 0, 3]), "t has 0 in it; times are from 1 on: add 1 to a 0-based t"),
    (torch.tensor([1, -1, 3]), "t has -1 in it; times are from 1 on"),
    (torch.tensor([1.0, 2.0, 3.0]), "t is of torch.float32; times are integers of torch.int64, from 1 on"),
    (torch.ones(3, dtype=torch.uint8), "t is of torch.uint8"),
    (torch.tensor([2]), r"t has shape \(1,\); it must be \(3,\), a time for each image"),
    (torch.tensor(2), r"t has shape \(\); it must be \(3,\)"),
]


@pytest.mark.parametrize(("t", "message"), WRONG_TIMES)
def test_a_time_that_is_none_is_refused(t, message):
    """A 0-based t would fit: the network would answer for the step before."""
    with pytest.raises(ValueError, match=message):
        small()(torch.randn(3, 2, 8, 8), t)


def test_images_that_are_no_floats_are_refused():
    with pytest.raises(ValueError, match=r"x_t is of torch\.uint8; it must be floats"):
        small()(torch.ones(3, 2, 8, 8, dtype=torch.uint8), torch.tensor([1, 2, 3]))


def _mapped(net, x, t):
    return torch.func.vmap(lambda x, t: net(x[None], t[None])[0])(x, t)


def _exported(net, x, t):
    return torch.export.export(net, (x, t)).module()(x, t)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("way", [_mapped, _exported])
def test_the_check_is_in_no_programs_way(way):
    """Where tensors may have no numbers nothing is asked of them."""
    net, x, t = small().eval(), torch.randn(3, 2, 8, 8), torch.tensor([1, 2, 3])
    # A batch of 1 adds up in another order than one of 3: sums of some hundreds of terms in float32.
    assert (way(net, x, t) - net(x, t)).abs().max() < 1e-4 * net(x, t).abs().max()


def test_the_check_reads_no_numbers_where_there_are_none():
    with torch.device("meta"):
        assert small()(torch.randn(3, 2, 8, 8), torch.ones(3, dtype=torch.int64)).shape == (3, 5, 8, 8)
