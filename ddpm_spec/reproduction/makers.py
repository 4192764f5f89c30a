"""What makes each target; apart from their names, since it brings torch and scikit-learn along."""

from collections.abc import Callable

from ddpm_spec.reproduction import figures, followups, tables
from ddpm_spec.reproduction.plan import Made, Plan

__all__ = ["MAKERS"]

MAKERS: dict[str, Callable[[Plan], Made]] = {
    "table1": tables.table_1,
    "table2": tables.table_2,
    "table3": tables.table_3,
    "table4": tables.table_4,
    "fig3": figures.samples("LSUN Church"),
    "fig4": figures.samples("LSUN Bedroom"),
    "fig5": figures.figure_5,
    "fig6": figures.figure_6,
    "fig7": figures.figure_7,
    "fig8": figures.figure_8,
    "fig9": figures.figure_9,
    "fig10": figures.figure_10,
    "followups": followups.followups,
}
"""By the names of `targets.TARGETS`."""
