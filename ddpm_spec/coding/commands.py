"""The command `ddpm_spec.coding`: Algorithms 3 and 4 on grey levels, with the length of every step."""

import torch
from rich.table import Table

from ddpm_spec.coding.algorithms import measure
from ddpm_spec.coding.finite import on_grid
from ddpm_spec.diffusion import Diffusion
from ddpm_spec.formulas.coding import message_length
from ddpm_spec.oracles.mixture import lattice
from ddpm_spec.schedule import Schedule
from ddpm_spec.terminal.console import plain

__all__ = ["coding"]

LEVELS, SYMBOLS, BLOCKS = 5, 4, 400


def coding() -> None:
    """Send and receive blocks of grey levels through the model with the exact denoiser."""
    schedule = Schedule.from_betas([0.1, 0.3, 0.5, 0.7])
    law = lattice(schedule, torch.linspace(-1, 1, LEVELS, dtype=torch.float64)[:, None])
    chain = on_grid(Diffusion(schedule), law.eps, torch.linspace(-3, 3, 25, dtype=torch.float64), LEVELS)
    divergences = SYMBOLS * chain.terms().mean(axis=0)
    lengths = measure(chain, SYMBOLS, BLOCKS, seed=0)
    upper = [message_length(d) for d in divergences.tolist()]
    error = lengths.std(axis=0) / BLOCKS**0.5

    table = Table("what is sent", "divergence", "bits sent", "at most, on average", box=None)
    names = [f"x_{t}" for t in range(chain.T, -1, -1)]
    for name, d, mean, e, most in zip(names, divergences, lengths.mean(axis=0), error, upper, strict=True):
        table.add_row(name, f"{d:.3f}", f"{mean:.3f} ± {e:.3f}", f"{most:.3f}")
    total = lengths.sum(axis=1)
    sums = f"{total.mean():.3f} ± {total.std() / BLOCKS**0.5:.3f}"
    table.add_row("sum", f"{divergences.sum():.3f}", sums, f"{sum(upper):.3f}", style="bold")
    console = plain()
    console.print(f"{BLOCKS} blocks of {SYMBOLS} symbols with {LEVELS} levels, bits a block; all received")
    console.print(table)
