"""The benchmark: what is raced against what, each race in a process of its own, and the report."""

import functools
import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from rich.table import Table

from ddpm_spec.benchmark.options import BenchmarkOptions, parse_benchmark
from ddpm_spec.errors import InputError
from ddpm_spec.runs import folders, provenance
from ddpm_spec.runs.provenance import commit
from ddpm_spec.terminal.console import console, notice, plain

__all__ = ["benchmark"]

Row = dict[str, Any]
CIFAR10 = {"preset": "cifar10", "image_shape": (3, 32, 32)}
LARGE = {"preset": "lsun-bedroom", "image_shape": (3, 256, 256)}
DIGITS = {"preset": "digits", "image_shape": (1, 8, 8)}


def benchmark(args: list[str]) -> None:
    """`python -m ddpm_spec.benchmark`.

    Raises:
        InputError: for anything the user can mend.
    """
    options = parse_benchmark(args)
    gpu = torch.cuda.is_available()
    if options.device == "cuda" and not gpu:
        raise InputError("--device is cuda, but torch sees no GPU here; use --device cpu")
    on_gpu = gpu and options.device != "cpu"
    if _diffusers() is None:
        notice("diffusers is not installed, so its columns stay empty: pip install 'ddpm_spec[interop]'")
    from ddpm_spec.benchmark import races

    parts = _parts(on_gpu, options.rounds)
    chosen = {name: part for name, part in parts.items() if options.only in name}
    if not chosen:
        raise InputError(f"--only is {options.only}; it must be part of a name: {', '.join(parts)}")
    rows: list[Row] = []
    for name, part in chosen.items():
        console.print(name)
        rows += [{"part": name, **row} for row in races.apart(part)]
        _save(options, on_gpu, rows)  # after each: a benchmark that is cut short has not been in vain
    _print(rows)


def _parts(on_gpu: bool, rounds: int) -> dict[str, Callable[[], list[Row]]]:
    """The races in their order; the one between defaults comes last."""
    from ddpm_spec.benchmark import races

    device = "cuda" if on_gpu else "cpu"
    small = CIFAR10 | {
        "device": device,
        "batch": 128 if on_gpu else 8,
        "sampling_steps": 50 if on_gpu else 2,
        "updates": 20 if on_gpu else 1,
    }
    plans: dict[str, Row] = {
        "CIFAR10 float32": small | {"dtype": "float32", "compile": False},
        "CIFAR10 bfloat16": small | {"dtype": "bfloat16", "compile": False},
    }
    if on_gpu:
        large = LARGE | {
            "device": device,
            "batch": 32,
            "sampling_steps": 10,
            "updates": 3,
            "dtype": "bfloat16",
        }
        sampler = small | {"batch": 256, "sampling_steps": 50, "updates": 3, "dtype": "bfloat16"}
        plans |= {
            "CIFAR10 bfloat16, compiled": small | {"dtype": "bfloat16", "compile": True},
            "CIFAR10 bfloat16, 256 samples": sampler | {"compile": False},
            "CIFAR10 bfloat16, 256 samples, compiled": sampler | {"compile": True},
            "256×256 bfloat16": large | {"compile": False},
            "256×256 bfloat16, compiled": large | {"compile": True},
        }
    digits = DIGITS | {"dtype": "float32", "compile": False, "device": device, "batch": 64}
    digits |= {"sampling_steps": 50, "updates": 20}
    defaults = small | {"dtype": "bfloat16", "compile": on_gpu, "defaults": True}
    memory = small | {"dtype": "float32", "compile": False}
    return {
        **{name: functools.partial(races.race, plan, rounds) for name, plan in plans.items()},
        "digits, the loop": functools.partial(races.overhead, digits, rounds),
        "memory of training": functools.partial(races.training_memory, memory),
        "memory of sampling": functools.partial(races.sampling_memory, digits),
        "defaults (a dtype and layout effect)": functools.partial(races.race, defaults, rounds),
    }


# --------------------------------------------------------------------------------------------- the report


def _save(options: BenchmarkOptions, on_gpu: bool, rows: list[Row]) -> None:
    environment = provenance.environment(torch.device("cuda" if on_gpu else "cpu"), 1)
    del environment["peak_memory_gb"]
    report = {
        "commit": commit(),
        "rounds": options.rounds,
        **environment,
        "diffusers": _diffusers(),
        "rows": rows,
    }
    folders.write_atomically(options.out, (json.dumps(report, indent=1) + "\n").encode())


def _diffusers() -> str | None:
    try:
        return version("diffusers")
    except PackageNotFoundError:
        return None


def _print(rows: list[Row]) -> None:
    table = Table("part", "", "ours", "diffusers", "speed of ours", "share of the fastest layer", "which is")
    for row in rows:
        cells = [row["part"], row["what"]]
        if "yardstick" in row:
            unit = "images/s" if row["what"] == "training" else "images/s at T = 1000"
            here = [who for who in ("ours", "theirs") if who in row]
            figures = [f"{row[who]['images_per_second']:.4g} {unit}" for who in here]
            shares = [f"{row[who]['share_of_fastest']:.0%}" for who in here]
            limit = row["yardstick"]
            cells += [*figures, *[""] * (2 - len(figures)), _times(row["speed"]) if "speed" in row else ""]
            cells += [
                " and ".join(shares),
                f"{limit['what']}: {limit['flops_per_second'] / 1e9:,.0f} GFLOP/s",
            ]
        elif "besides_the_network" in row:
            spread = row["besides_the_network"]
            cells += [
                f"{spread['median']:.1%} besides the network ({spread['lower']:.1%}–{spread['upper']:.1%})"
            ]
        elif "ours" in row:
            here = [who for who in ("ours", "theirs") if who in row]
            cells += [f"{row[who]['peak_bytes'] / 2**30:.2f} GB" for who in here]
        else:
            cells += [
                ", ".join(f"{T}: {row[T]['peak_bytes'] / 2**20:.0f} MB" for T in ("T = 10", "T = 1000"))
            ]
        table.add_row(*cells)
    plain(width=None if plain().is_terminal else 160).print(table)  # a file has no edge


def _times(spread: dict[str, float]) -> str:
    return f"{spread['median']:.2f}× ({spread['lower']:.2f}–{spread['upper']:.2f})"
