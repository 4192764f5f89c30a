"""`python -m ddpm_spec.conform`."""

from pathlib import Path

from rich.table import Table

from ddpm_spec.conform.elsewhere import judge_elsewhere
from ddpm_spec.conform.everything import judge_everything, store
from ddpm_spec.conform.options import ConformOptions, parse_conform
from ddpm_spec.conform.packages.diffusers import PLAIN, SOLVERS
from ddpm_spec.conform.page import page
from ddpm_spec.conform.remote import Remote
from ddpm_spec.conform.samplers import Row, rows, write
from ddpm_spec.conform.targets import adapter_of, known, versions_of
from ddpm_spec.conform.verdict import Verdict, judge
from ddpm_spec.errors import InputError
from ddpm_spec.laws.reporting import show
from ddpm_spec.terminal.console import console, plain

__all__ = ["conform"]


def conform(args: list[str]) -> int:
    """Judge a target, say what was found, and return the exit status.

    Raises:
        InputError: for bad options, a target that is none, or another process that fails.
    """
    options = parse_conform(args)
    if options.list:
        _list()
        return 0
    if options.samplers:
        _samplers(options.samplers)
        return 0
    if options.packages:
        return _everything(options.packages, options)
    verdict = _verdict(options)
    show(verdict.about, verdict.results, verdict.causes)
    _costs(verdict)
    for file, text in ((options.json, verdict.to_json), (options.html, lambda: page(verdict))):
        if file is not None:
            _write(file, text())
    return verdict.status


def _verdict(options: ConformOptions) -> Verdict:
    if options.command:
        remote = Remote(options.command, options.limit)
        try:
            verdict = _judged(options.command, remote, {}, options)
        finally:
            remote.close()
        if remote.gone:
            raise InputError(remote.gone)
        return verdict
    if options.python:
        (found,) = judge_elsewhere(
            options.python, [options.target], costs=options.costs, limit=60 * options.limit
        )
        if isinstance(found, str):
            raise InputError(found)
        return found
    package = known().get(options.target)
    versions = versions_of(package.distribution, "torch", "numpy") if package else versions_of("numpy")
    return _judged(options.target, adapter_of(options.target), versions, options)


def _judged(target: str, adapter: object, versions: dict[str, str], options: ConformOptions) -> Verdict:
    try:
        return judge(target, adapter, versions, costs=options.costs)
    except ValueError as error:
        raise InputError(f"{target} cannot be judged: {error}") from None


def _everything(environments: Path, options: ConformOptions) -> int:
    """Judge every known package. The status is 1 if a law is broken, 0 if some were judged, else 2."""
    environments.mkdir(parents=True, exist_ok=True)
    table = Table("target", "judged", "broken", box=None)
    statuses = []
    for distribution, found in judge_everything(environments, everything=options.all, only=options.only):
        store(options.out, distribution, found)
        console.print(f"{distribution}: {len(found)} judged")
        for target, verdict in found.items():
            if isinstance(verdict, str):
                table.add_row(target, "", verdict)
                continue
            statuses.append(verdict.status)
            broken = ", ".join(result.law.id for result in verdict.broken)
            table.add_row(target, str(len(verdict.judged)), broken)
    plain().print(table)
    return 1 if 1 in statuses else 0 if 0 in statuses else 2


def _samplers(file: Path) -> None:
    versions = versions_of("diffusers")
    if not versions:
        raise InputError("diffusers is not installed here; install it: python -m pip install diffusers")
    found: list[Row] = []
    for scheduler in (*PLAIN, *SOLVERS):
        found += rows((scheduler,))
        console.print(f"{scheduler}: {sum(not row.why for row in found if row.scheduler == scheduler)} run")
        write(file, found, versions["diffusers"])


def _list() -> None:
    table = Table("target", "package", "installed", box=None)
    for package in known().values():
        table.add_row(package.name, package.distribution, package.version or "no")
    plain().print(table)


def _costs(verdict: Verdict) -> None:
    """What deviations cost, where something is broken."""
    if not verdict.costs or not verdict.broken:
        return
    table = Table("data", "mean", "variance", "of a right one", "costs", "bound off by", box=None)
    for found in verdict.costs:
        if found.samples is None:
            table.add_row(f"N(0.3, {found.variance:g})", found.why)
            continue
        bound = "" if found.bound is None else f"{found.bound:+.2g} bits/dim"
        table.add_row(
            f"N(0.3, {found.variance:g})",
            f"{found.samples.mean:.4f}",
            f"{found.samples.variance:.4f}",
            f"{found.right.mean:.4f}, {found.right.variance:.4f}",
            f"{found.bits:+.2g} bits/dim",
            bound,
        )
    console = plain()
    console.print("\nWhat that costs in the samples of a model that was trained to the end on Gaussian data:")
    console.print(table)


def _write(file: Path, text: str) -> None:
    new = file.with_name(f".{file.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(file)
