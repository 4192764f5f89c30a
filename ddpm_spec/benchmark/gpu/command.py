"""`python -m ddpm_spec.benchmark --gpu`: ten minutes on one GPU, part by part.

A part that is finished is in the file and is not run again; one that failed is. Nothing is imported here but
the standard library and, of the package, its errors, before the options are read.
"""

import argparse
import datetime
import functools
import json
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ddpm_spec.errors import InputError, StoppedElsewhere

if TYPE_CHECKING:
    import torch

    from ddpm_spec.benchmark.gpu.sizes import Sizes

__all__ = ["Part", "main", "parts", "run"]

Record = dict[str, Any]

FORMAT = 1
"""Of the file: another number where what stands in it means something else."""


class Part(NamedTuple):
    """Something to find out."""

    seconds: float
    """About what it takes on an H100, compilation included."""
    run: Callable[[], Record]
    """What it found: `said` has it in words."""
    alone: bool = True
    """Whether it is for one process only."""


def main(args: list[str]) -> int:
    """Runs the command with these words; its exit status: 0, 1 where a part failed, 2 for bad input."""
    options = _options(args)
    try:
        return run(options)
    except StoppedElsewhere:
        return 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130


def _options(args: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m ddpm_spec.benchmark --gpu",
        description="Ten minutes on one GPU: speed of CIFAR10's network, random numbers and a training step "
        "against the CPU's, two minutes of training, the network for 256×256. It needs torch, numpy and "
        "safetensors, and no installation. The same command goes on where it was stopped. Without a GPU "
        "everything is tried in a tiny size.",
    )
    parser.add_argument("--gpu", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument(
        "--out", type=Path, default=Path("gpu-benchmark"), metavar="FOLDER",
        help="for gpu.json and the samples; finished parts in it are not run again (default: gpu-benchmark)",
    )  # fmt: skip
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="skip a part that would not end by then (default: 10)"
    )
    parser.add_argument(
        "--fashion-mnist", type=Path, metavar="FOLDER",
        help="train on these images, of Debian's package dataset-fashion-mnist, which it puts into "
        "/usr/share/datasets/fashion-mnist; without it on three pictures whose exact bound is known",
    )  # fmt: skip
    parser.add_argument("--tiny", action="store_true", help="try everything in a tiny size")
    return parser.parse_args(args)


def run(options: argparse.Namespace) -> int:
    """Runs the parts that are not finished; 1 where one failed.

    Raises:
        InputError: for anything the user can mend.
    """
    start = time.monotonic()
    from ddpm_spec.machine import processes

    return processes.joined(lambda: _run(options, start))


def _run(options: argparse.Namespace, start: float) -> int:
    import torch

    from ddpm_spec.benchmark.gpu.plain import device_here
    from ddpm_spec.benchmark.gpu.sizes import full, tiny
    from ddpm_spec.machine import processes

    kind: Literal["cpu", "cuda"] = "cuda" if torch.cuda.is_available() else "cpu"
    small = options.tiny or kind == "cpu"
    sizes = tiny(kind) if small else full()
    device = device_here(kind)
    where = surroundings(device, processes.count(), tiny=small)
    record = processes.from_first(lambda: _opened(options.out, where))
    if processes.is_first():
        print(", ".join(f"{name} {value}" for name, value in where.items() if value is not None), flush=True)
    failed = False
    for name, part in parts(sizes, device, options.out, options.fashion_mnist).items():
        left = 60 * options.minutes - (time.monotonic() - start)
        expected = 0.0 if small else part.seconds
        why = processes.from_first(functools.partial(_skipped, name, part, record, left, expected))
        if why:
            _say(name, [why])
            continue
        failed |= not _finished(name, part, record, options.out / "gpu.json")
    return int(failed)


def parts(sizes: "Sizes", device: "torch.device", out: Path, fashion: Path | None) -> dict[str, Part]:
    """What there is to find out, the most important first."""
    from ddpm_spec.benchmark.gpu.exactness import exactness
    from ddpm_spec.benchmark.gpu.large import large
    from ddpm_spec.benchmark.gpu.learning import learning
    from ddpm_spec.benchmark.gpu.speed import speed

    made = {}
    for compiled, graphs in sizes.variants:
        name = f"CIFAR10's network, {'compiled' if compiled else 'not compiled'}"
        name += ", CUDA graphs" if graphs else ""
        piece = functools.partial(speed, sizes, device, compiled=compiled, graphs=graphs)
        # Networks of several processes share their gradients by hooks, which a recording would not see.
        made[name] = Part(90 if compiled else 40, piece, alone=graphs)
    made["random numbers and a training step, against the CPU"] = Part(
        40, functools.partial(exactness, sizes, device)
    )
    made["two minutes of training"] = Part(
        sizes.learning_seconds + 80, functools.partial(learning, sizes, device, out, fashion)
    )
    made["the network for 256×256"] = Part(80, functools.partial(large, sizes, device))
    return made


def surroundings(device: "torch.device", count: int, *, tiny: bool) -> Record:
    """The code, the hardware and the versions; a record is of one of them."""
    import torch

    from ddpm_spec.runs.provenance import commit

    cuda = device.type == "cuda"
    return {
        "commit": commit(),
        "tiny": tiny,
        "device": torch.cuda.get_device_name(device) if cuda else "CPU",
        "memory_gb": round(torch.cuda.get_device_properties(device).total_memory / 2**30) if cuda else None,
        "processes": count,
        "cuda": torch.version.cuda if cuda else None,
        "torch": torch.__version__,
        "diffusers": _version("diffusers"),
        "python": platform.python_version(),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _opened(out: Path, where: Record) -> Record:
    """What stands in the folder so far.

    Raises:
        InputError: if it was found elsewhere or cannot be written.
    """
    from ddpm_spec.runs.folders import unwritable

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(out, error) from None
    file = out / "gpu.json"
    if not file.exists():
        return {"format": FORMAT, "surroundings": where, "parts": {}}
    try:
        record: Record = json.loads(file.read_text(encoding="utf-8"))
        before = record["surroundings"] if record["format"] == FORMAT else {}
        changed = [name for name in where if before.get(name) != where[name]]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{file} is no record of this benchmark; name another folder with --out") from None
    if changed:
        raise InputError(
            f"{file} was found elsewhere (another {', '.join(changed)}); name another folder with --out"
        )
    return record


def _skipped(name: str, part: Part, record: Record, left: float, expected: float) -> str:
    """Why this part is not to run; nothing if it is."""
    from ddpm_spec.machine import processes

    if name in record["parts"]:
        return "\n".join([*record["parts"][name]["said"], "(of an earlier run)"])
    if part.alone and processes.count() > 1:
        return "skipped: it is for one process"
    if left <= expected:
        return f"skipped: it takes about {expected:.0f} s, and {max(left, 0):.0f} are left of --minutes"
    return ""


def _finished(name: str, part: Part, record: Record, file: Path) -> bool:
    """Runs a part, and keeps and says what it found; whether it ended."""
    from ddpm_spec.machine import processes
    from ddpm_spec.runs.folders import write_atomically

    start = time.monotonic()
    try:
        found = part.run()
    except Exception as error:
        if processes.count() > 1:  # the others wait for this one
            raise
        reason = str(error).strip().partition("\n")[0]
        _say(name, [f"failed: {type(error).__name__}: {reason}"])
        return False
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    record["parts"][name] = {"date": today, "seconds": time.monotonic() - start, **found}
    if processes.is_first():
        write_atomically(file, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
    _say(f"{name} ({time.monotonic() - start:.0f} s)", found["said"])
    return bool(found.get("holds", True))


def _say(name: str, lines: list[str]) -> None:
    from ddpm_spec.machine import processes

    if processes.is_first():
        print("\n".join([f"\n{name}", *(f"  {line}" for text in lines for line in text.splitlines())]))
        sys.stdout.flush()
