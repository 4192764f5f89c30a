"""A verdict as one page that needs nothing else."""

from html import escape

from ddpm_spec.conform.verdict import Verdict
from ddpm_spec.laws.runner import Result, roots

__all__ = ["page"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.failed { color: #b00020; } .quiet { opacity: .7; }
@media (prefers-color-scheme: dark) {
  body { background: #14161a; color: #e6e6e6; } .failed { color: #ff8a80; }
}
"""


def page(verdict: Verdict) -> str:
    """The whole page, as HTML."""
    title = f"{verdict.target}: {len(verdict.broken)} of {len(verdict.judged)} laws broken"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(_about(verdict))}</p>",
        *_broken(verdict),
        *_costs(verdict),
        *_rest(verdict),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _about(verdict: Verdict) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in verdict.versions.items())
    stated = ", ".join(f"{name} = {value}" for name, value in verdict.stated.items())
    return ". ".join(filter(None, [versions, stated and f"It states {stated}"])) + "."


def _broken(verdict: Verdict) -> list[str]:
    by_law = {result.law: result for result in verdict.results}
    rows = []
    for law, followers in roots(verdict.results).items():
        rows.append(_row(by_law[law], "failed"))
        rows += [_row(result, "failed quiet", "and so: ") for result in followers]
    causes = [f"<p>Likely cause: {escape(cause)}.</p>" for cause in verdict.causes]
    return ["<h2>Broken</h2>", _table(rows), *causes] if rows else ["<p>Every law that was judged holds.</p>"]


def _costs(verdict: Verdict) -> list[str]:
    if not verdict.broken or not verdict.costs:
        return []
    rows = []
    for found in verdict.costs:
        if found.samples is None:
            rows.append(f"<tr><td>{found.variance:g}</td><td colspan=4>{escape(found.why)}</td></tr>")
            continue
        bound = "" if found.bound is None else f"{found.bound:+.3g}"
        cells = (
            f"{found.variance:g}",
            f"{found.samples.mean:.4f}, {found.samples.variance:.4f}",
            f"{found.right.mean:.4f}, {found.right.variance:.4f}",
            f"{found.bits:+.3g}",
            bound,
        )
        rows.append("<tr>" + "".join(f"<td class=number>{cell}</td>" for cell in cells) + "</tr>")
    head = [
        "data's variance",
        "samples' mean, variance",
        "of a right one",
        "cost, bits/dim",
        "bound off, bits/dim",
    ]
    return ["<h2>What it costs</h2>", _table(rows, head)]


def _rest(verdict: Verdict) -> list[str]:
    passed = [_row(result) for result in verdict.results if result.outcome == "passed"]
    other = [_row(result, "quiet") for result in verdict.results if result.outcome == "not judged"]
    return [
        *(["<h2>Held</h2>", _table(passed)] if passed else []),
        *(["<h2>Not judged</h2>", _table(other)] if other else []),
    ]


def _row(result: Result, kind: str = "", before: str = "") -> str:
    cells = (
        [f"{result.deviation:.1e}", f"{result.allowed:.1e}", escape(result.place)]
        if result.outcome in ("passed", "failed")
        else [escape(result.why), "", ""]
    )
    numbers = "".join(f"<td class=number>{cell}</td>" for cell in cells)
    return f'<tr class="{kind}"><td>{before}{escape(result.law.name)}</td>{numbers}</tr>'


def _table(rows: list[str], head: list[str] | None = None) -> str:
    names = head or ["law", "deviation", "rounding explains", "worst at"]
    return f"<table><tr>{''.join(f'<th>{name}</th>' for name in names)}</tr>{''.join(rows)}</table>"
