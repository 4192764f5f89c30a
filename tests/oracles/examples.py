"""Data laws of each kind on one short schedule."""

import torch

from ddpm_spec.oracles.mixture import Mixture, gaussian, lattice, point
from ddpm_spec.schedule import linear_schedule

__all__ = ["BETAS", "DATA", "LINES", "SHORT"]

SHORT = linear_schedule(12, 0.02, 0.4)


def _vector(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


DATA = {
    "a correlated normal": gaussian(
        SHORT, _vector(0.3, -0.5), torch.tensor([[0.5, 0.3], [0.3, 0.4]], dtype=torch.float64)
    ),
    "a flat normal": gaussian(
        SHORT, _vector(0.1, 0.2), torch.tensor([[0.4, 0.4], [0.4, 0.4]], dtype=torch.float64)
    ),
    "a point": point(SHORT, _vector(0.25, -0.75)),
    "a mixture": Mixture(
        SHORT,
        _vector(0.3, 0.7),
        torch.tensor([[0.6, 0.1], [-0.4, 0.3]], dtype=torch.float64),
        torch.tensor([[[0.05, 0.01], [0.01, 0.08]], [[0.2, -0.1], [-0.1, 0.1]]], dtype=torch.float64),
    ),
    "three images": lattice(
        SHORT, torch.tensor([[1.0, -1.0], [0.5, 0.25], [-0.75, 0.0]]), _vector(0.5, 0.3, 0.2)
    ),
}

LINES = {
    "a normal": gaussian(SHORT, _vector(0.3), _vector(0.37)[None]),
    "a mixture": Mixture(
        SHORT, _vector(0.4, 0.6), _vector(-0.8, 0.5)[:, None], _vector(0.05, 0.2)[:, None, None]
    ),
    "grey levels": lattice(SHORT, torch.linspace(-1, 1, 5, dtype=torch.float64)[:, None]),
    "a point": point(SHORT, _vector(0.5)),
}
"""In one dimension."""

BETAS = SHORT.steps.beta.tolist()
