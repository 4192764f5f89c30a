"""The errata as tables, each entry with what its check measures at this build."""

from functools import cache

from ddpm_spec.errata.entries import ERRATA, Erratum, Finding
from ddpm_spec.site import SiteError
from ddpm_spec.site.mathematics.prose import prose

__all__ = ["table"]


def table(kind: str) -> str:
    """The entries of one kind (slip, assumption, difference) as a Markdown table.

    Raises:
        SiteError: if there are none, or a check no longer shows what its entry says.
    """
    rows = [_row(erratum) for erratum in ERRATA if erratum.kind == kind]
    if not rows:
        raise SiteError(f"![[errata#{kind}]]: ddpm_spec.errata has no entry of that kind")
    lines = ["| what is said | what is so, and what was measured |", "|---|---|", *rows]
    return "\n".join(['<div class="status-table" markdown>\n', *lines, "\n</div>\n"])


def _row(erratum: Erratum) -> str:
    finding = _finding(erratum)
    if not finding.shown:
        raise SiteError(f"the erratum “{erratum.id}” is not shown by its check: {finding.facts}")
    measured = "; ".join(
        f"{name}: {value:.6g}".replace(": -", ": −") for name, value in finding.facts.items()
    )
    return (
        f'| <span id="erratum-{erratum.id}">**{prose(erratum.where)}**</span> <br> {prose(erratum.says)} '
        f"| {prose(erratum.holds)} <br> <em>{prose(measured)}</em> |"
    )


@cache
def _finding(erratum: Erratum) -> Finding:
    return erratum.check()
