"""Algorithms 3 and 4: a round trip through bits, and its length against the divergences of Eq. 5.

The statistical test has a fixed seed and raises a false alarm with probability 1e-7 for each step.
"""

import math
from itertools import product

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from ddpm_spec.choices import Variance
from ddpm_spec.coding.algorithms import measure, receive, send
from ddpm_spec.coding.commands import coding as print_lengths
from ddpm_spec.coding.draws import divergence, expected_length
from ddpm_spec.coding.finite import FiniteDiffusion, on_grid
from ddpm_spec.diffusion import Diffusion, Network
from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import coding, decoder, forward, gaussian, reverse
from ddpm_spec.oracles import bound as oracle
from ddpm_spec.oracles.mixture import lattice
from ddpm_spec.schedule import Schedule

LEVELS = 5
SCHEDULE = Schedule.from_betas([0.1, 0.3, 0.5, 0.7])
GREY = lattice(SCHEDULE, torch.linspace(-1, 1, LEVELS, dtype=torch.float64)[:, None])
GRID = torch.linspace(-3, 3, 25, dtype=torch.float64)
T = SCHEDULE.T


def flat(x_t: Tensor, t: Tensor) -> Tensor:
    return torch.zeros_like(x_t)


def wild(x_t: Tensor, t: Tensor) -> Tensor:
    return torch.sin(5 * x_t) + t.reshape(-1, 1, 1, 1) / 3


NETWORKS: dict[str, Network] = {"exact": GREY.eps, "flat": flat, "wild": wild}
EACH = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def chain(network: Network, variance: Variance = "beta", grid: Tensor = GRID) -> FiniteDiffusion:
    return on_grid(Diffusion(SCHEDULE, variance), network, grid, LEVELS)


@pytest.mark.parametrize("share", [1.0, 0.8])
def test_what_is_received_is_what_was_sent(recorder: Recorder, share: float) -> None:
    """The receiver has the bits, the tables of p_θ and the seed; q it does not see. Exact denoiser or not."""
    claim = "the receiver of Algorithm 4 reproduces what Algorithm 3 sent, from the bits alone"
    tables = chain(lambda x_t, t: share * GREY.eps(x_t, t))
    blind = FiniteDiffusion(
        tables.prior, dict.fromkeys(range(1, T + 1), np.empty(0)), {}, tables.reverse, tables.decoder
    )
    with recorder.observe("exact law", claim, send, receive):
        for seed in range(20):
            x_0 = np.random.default_rng(seed).integers(LEVELS, size=2)
            message = send(tables, x_0, seed)
            assert set(message.bits) <= {"0", "1"}
            assert len(message.bits) == sum(message.lengths)
            assert (receive(blind, message.bits, 2, seed) == x_0).all()


def test_the_seed_is_shared_and_the_message_is_whole() -> None:
    tables = chain(GREY.eps)
    x_0 = np.arange(LEVELS).repeat(2)[:8]
    message = send(tables, x_0[:4], 3)
    assert any((receive(tables, message.bits, 4, seed) != x_0[:4]).any() for seed in range(4, 9))
    with pytest.raises(ValueError, match="the message ends"):
        receive(tables, message.bits[:-1], 4, 3)
    with pytest.raises(ValueError, match="1 bits are left"):
        receive(tables, message.bits + "1", 4, 3)


@pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
@EACH
def test_expected_length_of_every_message(recorder: Recorder, network: Network, variance: Variance) -> None:
    """C7, exactly: for single symbols the mean length of each draw is a sum over tables."""
    claim = "Eq. 5 ≤ expected length of Algorithm 3 ≤ Eq. 5 + the scheme's overhead, by exact sums"
    with recorder.observe(
        "exact law", claim, coding.message_length, gaussian.log_density, decoder.log_bin_probability
    ):
        tables = chain(network, variance)
        total = np.zeros(LEVELS)
        upper = np.zeros(LEVELS)
        for x_0 in range(LEVELS):
            sent = [(1.0, tables.marginals[T][x_0], tables.prior)]
            for t in range(T, 1, -1):
                rows = zip(
                    tables.marginals[t][x_0], tables.posteriors[t][x_0], tables.reverse[t], strict=True
                )
                sent += [row for row in rows if row[0] > 1e-12]
            certain = np.eye(LEVELS)[x_0]
            sent += [(w, certain, p) for w, p in zip(tables.marginals[1][x_0], tables.decoder, strict=True)]
            for w, q, p in sent:
                d, length = divergence(q, p), expected_length(q, p)
                most = coding.message_length(float(d))
                assert d - 1e-9 <= length <= most
                total[x_0] += w * length
                upper[x_0] += w * most
        bound = tables.terms().sum(axis=1)
        assert (bound <= total).all()
        assert (total <= upper + 1e-9).all()


def test_measured_length(recorder: Recorder) -> None:
    """C7, counted: real bits of blocks of four symbols, for every step and in sum."""
    claim = "Eq. 5 ≤ measured mean length of Algorithm 3 ≤ Eq. 5 + the scheme's overhead"
    with recorder.observe("property", claim, send, receive):
        tables, n, blocks = chain(GREY.eps), 4, 300
        lengths = measure(tables, n, blocks, seed=20201216)
    lower = n * tables.terms().mean(axis=0)
    upper = np.array([coding.message_length(d) for d in lower.tolist()])
    margin = scipy.stats.norm.isf(1e-7) / math.sqrt(blocks)
    assert (lower <= lengths.mean(axis=0) + margin * lengths.std(axis=0)).all()
    assert (lengths.mean(axis=0) - margin * lengths.std(axis=0) <= upper).all()
    total = lengths.sum(axis=1)
    assert total.std() * margin < 2.5  # bits; the overhead to be told apart from none is ten or more
    assert lower.sum() < total.mean() - margin * total.std()
    assert total.mean() + margin * total.std() < upper.sum()


@pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
@EACH
def test_the_bound_is_a_codelength(recorder: Recorder, network: Network, variance: Variance) -> None:
    """C5, exactly: p_θ(x_0) sums to one, L(x_0) ≥ −log p_θ(x_0), so Σ 2^{−L} ≤ 1 (Kraft)."""
    claim = "for any network L(x_0) ≥ −log p_θ(x_0), and the lengths satisfy Kraft's inequality"
    with recorder.observe("exact law", claim, decoder.log_bin_probability, gaussian.log_density):
        tables = chain(network, variance)
        likelihood, lengths = tables.likelihood(), tables.terms().sum(axis=1)
        assert likelihood.sum() == pytest.approx(1, abs=1e-13)
        assert (lengths >= -np.log2(likelihood) - 1e-12).all()
        assert (2**-lengths).sum() <= 1


def test_terms_by_enumerating_every_path(recorder: Recorder) -> None:
    """Eq. 3 on a coarse grid: every path x_1..x_T with its probability, no posterior and no divergence."""
    claim = "on tables Eq. 5 is Eq. 3, path by path"
    grid = torch.linspace(-2, 2, 5, dtype=torch.float64)
    with recorder.observe(
        "exact law", claim, forward.q_step_mean, reverse.mean_from_eps, gaussian.log_density
    ):
        model = Diffusion(SCHEDULE)
        tables = on_grid(model, wild, grid, LEVELS)
    steps = {}
    for t in range(1, T + 1):
        before = np.linspace(-1, 1, LEVELS) if t == 1 else grid.numpy()
        beta = SCHEDULE.steps.beta[t].item()
        density = scipy.stats.norm.pdf(grid.numpy(), math.sqrt(1 - beta) * before[:, None], math.sqrt(beta))
        steps[t] = density / density.sum(axis=1, keepdims=True)
    for x_0 in range(LEVELS):
        total = 0.0
        for path in product(range(5), repeat=T):
            states = (x_0, *path)
            log_q = sum(math.log2(steps[t][states[t - 1], states[t]]) for t in range(1, T + 1))
            log_p = math.log2(tables.prior[states[T]]) + math.log2(tables.decoder[states[1], x_0])
            log_p += sum(math.log2(tables.reverse[t][states[t], states[t - 1]]) for t in range(2, T + 1))
            total += 2**log_q * (log_q - log_p)
        assert tables.terms()[x_0].sum() == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
def test_on_a_fine_grid_the_tables_are_the_model(recorder: Recorder, variance: Variance) -> None:
    """Sums over a fine, wide grid are integrals: every term is that of the continuous model."""
    claim = "on a fine grid the tables have the bound of the continuous model"
    fine = torch.linspace(-8, 8, 201, dtype=torch.float64)
    with recorder.observe(
        "oracle", claim, gaussian.log_density, reverse.mean_from_eps, decoder.log_bin_probability
    ):
        terms = chain(GREY.eps, variance, fine).terms().mean(axis=0) * math.log(2)
        sigmas = [
            SCHEDULE.steps.beta[t].item()
            if variance == "beta"
            else oracle.posterior(GREY, max(t, 2)).variance
            for t in range(T + 1)
        ]
        expected = [oracle.prior_term(GREY)]
        expected += [oracle.step_term(GREY, t, sigmas[t]).value for t in range(T, 1, -1)]
        expected += [oracle.decoder_term(GREY, sigmas[1], LEVELS).value]
        assert terms == pytest.approx(expected, abs=1e-9)


def test_the_command_prints_what_it_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ddpm_spec.coding.commands.BLOCKS", 20)
    print_lengths()
    printed = capsys.readouterr().out
    assert "20 blocks of 4 symbols with 5 levels" in printed
    assert all(f"x_{t} " in printed for t in range(T + 1))
