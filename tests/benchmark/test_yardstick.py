"""The yardstick is the fastest of the network's own layers, so that no network can pass it."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ddpm_spec.benchmark import yardstick
from ddpm_spec.benchmark.timing import forward_flops
from ddpm_spec.benchmark.yardstick import Candidate, Layer, candidates, contenders, fastest, layers
from ddpm_spec.unet import UNet

CPU = torch.device("cpu")


def network() -> UNet:
    with torch.device("meta"):
        return UNet(
            in_channels=1,
            out_channels=1,
            image_size=8,
            channels=8,
            multipliers=(1, 2),
            attention=(),
            groups=4,
        )


def test_a_networks_layers_are_all_its_operations_but_those_inside_attention():
    found = layers(network(), (1, 8, 8))
    products = 2 * 2 * 16 * 16 * 16  # of the middle's attention: q·k and weights·v, 16 pixels, width 16
    whole = sum(count * layer.operations for layer, count in found.items())
    assert whole + products == forward_flops(network(), (1, 8, 8))
    assert found[Layer((8, 8, 3, 3), (8, 8, 8), (1, 1), (1, 1))] > 1
    assert Layer((16, 16, 3, 3), (16, 8, 8), (1, 1), (1, 1)) in found  # behind the enlargement, not before


def test_candidates_are_products_and_layers_both_ways_in_both_layouts(monkeypatch):
    monkeypatch.setitem(yardstick.SIDES, "cpu", (32,))
    found = {each.name: each for each in candidates(network(), (1, 8, 8), 2, CPU, torch.float32)}
    assert found["product of 32×32"].operations == 2 * 32**3
    name = "3×3 convolution 8→8 to 8×8"
    for layout in ("contiguous", "channels last"):
        for way in ("", ", backward"):
            each = found[f"{name}, {layout}{way}"]
            with FlopCounterMode(display=False) as counter:
                each.piece()
            assert counter.get_total_flops() == each.operations
    assert any(name.startswith("product 16→16 of 16 rows") for name in found)


def test_a_layer_is_repeated_until_it_takes_as_long_as_the_network_or_long_enough(monkeypatch):
    every = layers(network(), (1, 8, 8))
    whole = sum(count * layer.operations for layer, count in every.items())
    one = {str(layer): 2 * layer.operations for layer in every}
    for work in (2 * whole, whole / 3):
        monkeypatch.setitem(yardstick.WORK, "cpu", work)
        for each in candidates(network(), (1, 8, 8), 2, CPU, torch.float32):
            if not each.name.startswith("product of"):
                once = one[each.name.partition(", ")[0]]
                assert work <= each.operations < work + 3 * once


def test_the_fastest_at_first_look_take_part(monkeypatch):
    seconds = {"slow": 4.0, "fast": 1.0, "faster": 0.5, "long but fast": 2.0}
    monkeypatch.setattr(
        yardstick, "take_turns", lambda pieces, *_: {name: [seconds[name]] for name in pieces}
    )
    every = [Candidate(name, lambda: None, 40.0 if name == "long but fast" else 4.0) for name in seconds]
    assert [each.name for each in contenders(iter(every), CPU, keep=2)] == ["long but fast", "faster"]


def test_the_limit_is_the_best_round_of_the_best():
    contending = [Candidate("a", lambda: None, 10.0), Candidate("b", lambda: None, 30.0)]
    assert fastest(contending, {"a": [1.0, 2.0], "b": [6.0, 2.0], "ours": [1.0, 1.0]}) == ("b", 15.0)


@pytest.mark.parametrize("speeds", [(1.0, 1.0, 1.0), (9.0, 0.5, 2.0), (0.1, 0.1, 7.0)])
def test_no_network_of_such_layers_passes_it(speeds):
    """Its time is at least that of its layers one by one."""
    operations = (5.0, 8.0, 2.0)
    contending = [Candidate(str(i), lambda: None, work) for i, work in enumerate(operations)]
    seconds = {str(i): [work / speed] for i, (work, speed) in enumerate(zip(operations, speeds, strict=True))}
    _, limit = fastest(contending, seconds)
    assert sum(operations) / sum(taken for (taken,) in seconds.values()) <= limit
