"""What the laws found of other people's implementations, as it was stored by `ddpm_spec.conform`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddpm_spec.conform import remote
from ddpm_spec.conform.targets import known
from ddpm_spec.conform.verdict import Verdict
from ddpm_spec.laws import LAWS
from ddpm_spec.laws.runner import Result, roots
from ddpm_spec.site import SiteError
from ddpm_spec.site.mathematics.prose import prose

__all__ = ["part"]


def part(name: str, folder: Path) -> str:
    """What stands for `![[implementations#name]]`: matrix, samplers, laws, example, or the name of a package.

    Raises:
        SiteError: if nothing is stored of that package.
    """
    if name == "matrix":
        return matrix(folder)
    if name == "samplers":
        return samplers(folder)
    if name == "example":
        return example()
    return laws() if name == "laws" else package(name, folder)


def _stored(folder: Path) -> dict[str, dict[str, Any]]:
    files = sorted((folder / "conform").glob("*.json"))
    found = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    return {stored["package"]: stored for stored in found if "package" in stored}


def _verdicts(stored: dict[str, Any]) -> list[Verdict]:
    return [Verdict.from_json(json.dumps(verdict)) for verdict in stored["verdicts"]]


def matrix(folder: Path) -> str:
    """Every implementation by what the laws are about: how many hold, and how many are broken."""
    packages = _stored(folder)
    if not packages:
        return "Nothing is stored yet: `python -m ddpm_spec.conform --packages FOLDER` makes it.\n"
    groups = list(dict.fromkeys(law.group for law in LAWS.values()))
    rows = [f"| implementation | {' | '.join(groups)} |", f"| --- |{' --- |' * len(groups)}"]
    for name, stored in packages.items():
        for verdict in _verdicts(stored):
            if " " in verdict.target:
                continue  # an option or a precision; the package's own page has it
            cells = [_cell([r for r in verdict.results if r.law.group == group]) for group in groups]
            shown = verdict.target.partition("/")[2] or verdict.target
            rows.append(f"| [{name}]({_page(name)}) {shown} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _page(name: str) -> str:
    return f"{name}.md"


def _cell(results: Sequence[Result]) -> str:
    broken = sum(result.outcome in ("failed", "error") for result in results)
    judged = sum(result.outcome != "not judged" for result in results)
    if not judged:
        return ""
    return f"{judged} hold" if not broken else f"**{broken} of {judged} broken**"


def package(name: str, folder: Path) -> str:
    """Everything that is stored of a package: each implementation with its broken laws and what they cost.

    Raises:
        SiteError: if nothing is.
    """
    stored = _stored(folder).get(name)
    if stored is None:
        raise SiteError(f"nothing is stored of {name}; python -m ddpm_spec.conform --packages makes it")
    versions = sorted({f"{k} {v}" for verdict in _verdicts(stored) for k, v in verdict.versions.items()})
    parts = [f"Judged on {stored['date']}: {', '.join(versions)}.\n"]
    for verdict in _verdicts(stored):
        parts += [f"### {verdict.target.partition('/')[2] or verdict.target}\n", _verdict(verdict)]
    for target, why in stored["skipped"].items():
        parts.append(f"- `{target}` was not judged: {why}\n")
    return "\n".join(parts)


def _verdict(verdict: Verdict) -> str:
    held = sum(result.outcome == "passed" for result in verdict.judged)
    lines = [f"{held} of the {len(verdict.judged)} laws that can be judged hold.", ""]
    notes = known()[verdict.target].notes if verdict.target in known() else {}
    by_law = {result.law: result for result in verdict.results}
    for law, followers in roots(verdict.results).items():
        lines += [_broken(by_law[law], notes), *(f"    {_broken(result, notes)}" for result in followers)]
    lines += ["", _cost(verdict)] if verdict.broken else []
    return "\n".join(lines) + "\n"


def _broken(result: Result, notes: Any) -> str:
    name = prose(result.law.name)
    if result.outcome == "error":
        said = f"raises `{result.why}`"
    else:
        said = (
            f"off by {result.deviation:.2g} at {prose(result.place)}; rounding explains {result.allowed:.1g}"
        )
    note = notes.get(result.law.id)
    return f"- {name}: {said}." + (f" Differs on purpose: {note}." if note else "")


def _cost(verdict: Verdict) -> str:
    found = next((cost for cost in verdict.costs if cost.variance == 0.37), None)
    if found is None or found.samples is None:
        return ""
    bits = f"{found.bits:.2g}" if found.bits and abs(found.bits) >= 1e-6 else "less than 10⁻⁶"
    ours, right = found.samples, found.right
    return (
        "Cost, for a model trained to the end on Gaussian data with mean 0.3 and variance 0.37: after all "
        f"$T$ steps the samples have mean {ours.mean:.4f} and variance {ours.variance:.4f}, a right "
        f"implementation's {right.mean:.4f} and {right.variance:.4f}. That is {bits} bits/dim.\n"
    )


def laws() -> str:
    """Every law, what it needs, and a mistake that it catches."""
    rows = ["| law | id | needs | level |", "| --- | --- | --- | --- |"]
    for law in LAWS.values():
        needs = ", ".join(f"`{need}`" for need in law.needs if need != "tables")
        rows.append(f"| {prose(law.name)} | `{law.id}` | {needs} | {law.level} |")
    return "\n".join(rows) + "\n"


def example() -> str:
    """The program on the other side of `--command`."""
    source = Path(remote.__file__).with_name("example.py").read_text(encoding="utf-8")
    lines = [line for line in source.splitlines() if not line.startswith(("# ruff", "# mypy"))]
    return "\n".join(["```python", *lines, "```"]) + "\n"


def samplers(folder: Path) -> str:
    """The deviation of the samples by scheduler, spacing and number of steps, for the first law of data."""
    file = folder / "conform" / "samplers.json"
    if not file.exists():
        return "Nothing is stored yet: `python -m ddpm_spec.conform --samplers samplers.json` makes it.\n"
    stored = json.loads(file.read_text(encoding="utf-8"))
    parts = [f"With diffusers {stored['diffusers']}.\n"]
    for data in dict.fromkeys(row["data"] for row in stored["rows"]):
        mine = [row for row in stored["rows"] if row["data"] == data]
        counts = sorted({row["steps"] for row in mine})
        parts += [
            f"### Data {data}\n",
            f"| scheduler | spacing | {' | '.join(map(str, counts))} |",
            f"| --- | --- |{' --- |' * len(counts)}",
        ]
        for scheduler, spacing in dict.fromkeys((row["scheduler"], row["spacing"]) for row in mine):
            cells = {
                row["steps"]: _made(row)
                for row in mine
                if (row["scheduler"], row["spacing"]) == (scheduler, spacing)
            }
            shown = " | ".join(cells.get(count, "") for count in counts)
            parts.append(f"| {scheduler.removesuffix('Scheduler')} | {spacing} | {shown} |")
        parts.append("")
    return "\n".join(parts)


def _made(row: dict[str, Any]) -> str:
    if row["why"]:
        return "NaN" if row["why"] == "not a number" else "raises"
    return f"{row['deviation']:.3f}"
