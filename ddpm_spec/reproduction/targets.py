"""The targets, by the name on the command line, and what `--list` says of them."""

from dataclasses import dataclass

from rich.text import Text

from ddpm_spec.reproduction.published import LSUN
from ddpm_spec.terminal.console import plain

__all__ = ["TARGETS", "TIMES", "Target", "listed"]


@dataclass(frozen=True)
class Target:
    """One table or figure of the paper, or what came after it."""

    place: str
    explains: str
    """What `--list` says."""
    presets: tuple[str, ...]
    """Those that the authors' own is made with."""
    held: int = 0
    """How often --samples images are in the memory at once, as they are made and joined; 0: few are drawn."""


LARGE = ("lsun-bedroom-large",)
LATENTS = ("celeba-hq-256",)

TIMES = 20
"""Parts of the way at whose ends Fig. 10 looks."""

TARGETS: dict[str, Target] = {
    "table1": Target("Table 1", "samples and codelength, trained on L and on L_simple", ("cifar10",), held=2),
    "table2": Target(
        "Table 2", "six ways to train: what is predicted, what is minimised", ("cifar10",), held=2
    ),
    "table3": Target("Table 3", "sample quality on LSUN", tuple(LSUN), held=2),
    "table4": Target("Table 4", "rate and distortion over reverse time", ("cifar10",)),
    "fig3": Target("Fig. 3", "samples of LSUN Church", ("lsun-church",)),
    "fig4": Target("Fig. 4", "samples of LSUN Bedroom", LARGE),
    "fig5": Target("Fig. 5", "rate and distortion over reverse time, drawn", ("cifar10",)),
    "fig6": Target("Fig. 6", "progressive generation: x̂_0 over time", ("cifar10",)),
    "fig7": Target("Fig. 7", "images from one frozen x_t", LATENTS),
    "fig8": Target("Fig. 8", "interpolation half-way through", LATENTS),
    "fig9": Target("Fig. 9", "coarse-to-fine interpolation over t", LATENTS),
    "fig10": Target("Fig. 10", "quality of x̂_0 over time", ("cifar10",), held=2 * (TIMES + 1)),
    "followups": Target(
        "After it", "cosine schedule, v, learned variance and DDIM beside the baseline", ("cifar10",), held=2
    ),
}
"""By the name on the command line."""


def listed() -> None:
    """Prints every target with what it is."""
    out = plain()
    for name, target in TARGETS.items():
        of = ", ".join(target.presets)
        out.print(Text(f"{name:9} {target.place:8} {target.explains} (paper: {of})"), soft_wrap=True)
