"""What an adapter says of itself, in words."""

import numpy as np

from ddpm_spec.laws.betas import paper_betas
from ddpm_spec.laws.subject import Subject

__all__ = ["described"]

_PREDICTS = {"eps": "ε", "v": "v", "x_0": "x_0"}


def described(subject: Subject) -> str:
    """What the adapter states, and whether its schedule is the paper's."""
    shape = "×".join(map(str, subject.shape))
    words = [
        f"{subject.precision} (tables {subject.stated('tables')})"
        if subject.stated("tables")
        else str(subject.precision),
        f"first time {subject.stated('first_time')}",
        f"predicts {_PREDICTS[subject.prediction]}",
        f"{'clips' if subject.clips else 'does not clip'} x̂_0",
        f"examples of {shape}",
        f"{subject.levels} grey levels",
    ]
    return f"Stated: {', '.join(words)}.\n{_schedule(subject)}"


def _schedule(subject: Subject) -> str:
    betas = subject.betas
    if betas is None:
        return "It has no schedule."
    T = len(betas)
    paper = paper_betas()
    # As far as single precision can tell, in whatever way they were computed.
    if len(paper) == T and np.allclose(betas, paper, rtol=1e-4, atol=1e-7):
        return "T and β_t are the paper's."
    ends = f"{T:,} steps with β_t from {betas[0]:.3g} to {betas[-1]:.3g}"
    return f"{ends}; the paper has 1,000 steps from 0.0001 to 0.02."
