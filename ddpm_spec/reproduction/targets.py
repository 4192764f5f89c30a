"""The targets, by the name on the command line."""

from collections.abc import Callable
from dataclasses import dataclass

from ddpm_spec.reproduction import figures, followups, tables
from ddpm_spec.reproduction.plan import Made, Plan

__all__ = ["TARGETS", "Target"]


@dataclass(frozen=True)
class Target:
    """One table or figure of the paper, or what came after it."""

    place: str
    explains: str
    """What `--list` says."""
    presets: tuple[str, ...]
    """Those that the authors' own is made with."""
    make: Callable[[Plan], Made]


LARGE = ("lsun-bedroom-large",)
LATENTS = ("celeba-hq-256",)

TARGETS: dict[str, Target] = {
    "table1": Target(
        "Table 1", "samples and codelength, trained on L and on L_simple", ("cifar10",), tables.table_1
    ),
    "table2": Target(
        "Table 2", "six ways to train: what is predicted, what is minimised", ("cifar10",), tables.table_2
    ),
    "table3": Target("Table 3", "sample quality on LSUN", tuple(tables.LSUN), tables.table_3),
    "table4": Target("Table 4", "rate and distortion over reverse time", ("cifar10",), tables.table_4),
    "fig3": Target("Fig. 3", "samples of LSUN Church", ("lsun-church",), figures.samples("LSUN Church")),
    "fig4": Target("Fig. 4", "samples of LSUN Bedroom", LARGE, figures.samples("LSUN Bedroom")),
    "fig5": Target("Fig. 5", "rate and distortion over reverse time, drawn", ("cifar10",), figures.figure_5),
    "fig6": Target("Fig. 6", "progressive generation: x̂_0 over time", ("cifar10",), figures.figure_6),
    "fig7": Target("Fig. 7", "images from one frozen x_t", LATENTS, figures.figure_7),
    "fig8": Target("Fig. 8", "interpolation half-way through", LATENTS, figures.figure_8),
    "fig9": Target("Fig. 9", "coarse-to-fine interpolation over t", LATENTS, figures.figure_9),
    "fig10": Target("Fig. 10", "quality of x̂_0 over time", ("cifar10",), figures.figure_10),
    "followups": Target(
        "After it",
        "cosine schedule, v, learned variance and DDIM beside the baseline",
        ("cifar10",),
        followups.followups,
    ),
}
"""By the name on the command line."""
