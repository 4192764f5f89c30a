"""Stateless randomness: the generator against its published outputs, and what rows must not depend on."""

import math

import pytest
import torch
from scipy import stats

from ddpm_spec.noise import bits, fold, normal, row_keys, uniform

FALSE_ALARM = 1e-6 / 8  # eight statements below, 1e-6 in all


def test_the_generator_is_splitmix64():
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]  # seed 0
    assert [x % 2**64 for x in bits(torch.tensor([0]), 3)[0].tolist()] == published


def test_integers_and_tensors_are_mixed_alike():
    ends = [0, 1, -1, 2**63 - 1, -(2**63), 0x0123456789ABCDEF]
    for key in ends:
        for number in ends:
            expected = fold(torch.tensor(key), torch.tensor(number))
            assert fold(key, number) == expected.item()
            assert fold(key, torch.tensor([number])).tolist() == [expected.item()]


def test_a_row_depends_on_its_own_key_only():
    keys = row_keys(5, "eps", 9, torch.arange(6))
    whole = normal(keys, (3, 5))
    assert (torch.cat([normal(keys[:2], (3, 5)), normal(keys[2:], (3, 5))]) == whole).all()
    assert (normal(row_keys(5, "eps", 9, torch.tensor([4])), (3, 5)) == whole[4]).all()


def test_seed_stream_step_and_position_all_matter():
    place = torch.tensor([3])
    base = row_keys(1, "eps", 2, place)
    others = [
        row_keys(2, "eps", 2, place),
        row_keys(1, "t", 2, place),
        row_keys(1, "eps", 3, place),
        row_keys(1, "eps", 2, place + 1),
        fold(base, 0),
    ]
    assert len({base.item(), *(k.item() for k in others)}) == 6


def test_names_of_streams_are_not_confused():
    names = ["eps", "t", "flip", "dropout", "order", "sample", "bound"]
    assert len({row_keys(0, n, 0, torch.tensor([0])).item() for n in names}) == len(names)


@pytest.mark.parametrize("count", [1, 7, 64])
def test_shapes_and_dtypes(count):
    x = normal(torch.arange(3), (count,))
    assert x.shape == (3, count)
    assert x.dtype == torch.float32


def test_numbers_are_uniform_and_normal():
    """1,024 rows of 256: variance off by 1.2 %, or a correlation of 0.012, would be seen."""
    keys = row_keys(0, "eps", 0, torch.arange(1024))
    u = uniform(keys, 256)
    assert 0 < u.min() < u.max() < 1
    assert stats.kstest(u.flatten().numpy(), "uniform").pvalue > FALSE_ALARM
    x = normal(keys, (256,)).double()
    n = x.numel()
    assert stats.kstest(x.flatten().numpy(), "norm").pvalue > FALSE_ALARM
    chi2 = stats.chi2(n).cdf((x**2).sum().item())
    assert FALSE_ALARM / 2 < chi2 < 1 - FALSE_ALARM / 2
    limit = stats.norm.isf(FALSE_ALARM / 2) / math.sqrt(n)
    later = normal(row_keys(0, "eps", 1, torch.arange(1024)), (256,)).double()
    half = x.unflatten(1, (2, 128))
    for a, b in ((x, later), (x, x.roll(1, 0)), (x, x.roll(1, 1)), (half[:, 0], half[:, 1])):
        assert abs((a * b).mean().item()) < limit * math.sqrt(n / a.numel())


@pytest.mark.slow
@pytest.mark.parametrize("count", [33, 1000])
def test_a_compiled_draw_is_the_same(count: int) -> None:
    keys = row_keys(0, "dropout", 7, torch.arange(3))
    compiled = torch.compile(bits, fullgraph=True)
    assert torch.equal(compiled(keys, count), bits(keys, count))
