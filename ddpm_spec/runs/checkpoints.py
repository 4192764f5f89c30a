"""Checkpoints: complete or absent, never half-written.

A checkpoint is a folder `checkpoint-<step>` inside the run:

    ema.safetensors     averaged weights, the ones to sample with
    raw.safetensors     weights as trained
    resume.safetensors  Adam's moments, by parameter name, and the loss of every step so far
    state.json          step, what it belongs to, what it was made on, SHA-256 of the three files

It is written under another name, flushed to disk, then renamed; only after that is an older one
removed, and the one before the newest is kept.
"""

import hashlib
import json
import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ddpm_spec.errors import InputError
from ddpm_spec.runs.folders import way_out
from ddpm_spec.runs.settings import BEFORE, Settings

__all__ = [
    "Checkpoint",
    "fill",
    "flush",
    "image_format",
    "latest",
    "read",
    "reserve",
    "save_tensors",
    "steps_in",
    "write",
]

Tensors = dict[str, Tensor]
KEPT = 2
FORMAT = 2


@dataclass(frozen=True)
class Checkpoint:
    """The whole state of a run after `step` updates."""

    step: int
    ema: Tensors
    raw: Tensors
    moments: Tensors
    """`exp_avg.<parameter>` and `exp_avg_sq.<parameter>`."""
    losses: Tensor
    """The loss of every update, float32, shape (step,)."""
    belongs_to: dict[str, Any]
    """What a run must share with it: the data's digest, the settings that decide the weights."""
    made_on: dict[str, Any]
    """What a run may change, at the price of the last bits."""


def steps_in(run: Path) -> list[int]:
    """The steps of the checkpoints in a run folder, ascending."""
    found = (re.fullmatch(r"checkpoint-(\d+)", path.name) for path in run.glob("checkpoint-*"))
    return sorted(int(match[1]) for match in found if match)


def latest(run: Path) -> Path:
    """The newest checkpoint of a run.

    Raises:
        InputError: if there is none.
    """
    steps = steps_in(run)
    if not steps:
        raise InputError(f"{run} holds no checkpoint; start a new run, or name one that has been saved")
    return run / f"checkpoint-{steps[-1]}"


def reserve(run: Path, network: nn.Module) -> None:
    """Refuses a disk without room for the checkpoints of this network; `run` need not exist yet.

    Raises:
        InputError: with the space needed and the space free.
    """
    need = (KEPT + 1) * 4 * sum(p.numel() * p.element_size() for p in network.parameters()) + 2**24
    # Path.exists raises where a name is too long.
    disk = next(path for path in (run, *run.absolute().parents) if os.path.exists(path))
    total, _, free = shutil.disk_usage(disk)
    if not total:  # /proc, /sys
        raise InputError(f"{run} is on a file system that keeps no files; name another folder with --run")
    if free < need:
        raise InputError(
            f"no room for checkpoints in {run}: {need / 2**20:,.0f} MB needed, {free / 2**20:,.0f} MB free; "
            "free some, or put the run on another disk with --run"
        )


def write(run: Path, checkpoint: Checkpoint) -> Path:
    """Saves the checkpoint and removes all but the newest two.

    Raises:
        InputError: if the disk is full or refuses; what was saved before is untouched.
    """
    target = run / f"checkpoint-{checkpoint.step}"
    if target.exists():
        return target  # the same step of the same run is the same state
    draft = run / f".{target.name}.part"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        _write_files(draft, checkpoint)
        draft.rename(target)
        flush(run)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        older = steps_in(run)
        kept = f"the checkpoint of step {older[-1]} is safe" if older else "nothing had been saved before"
        raise InputError(
            f"step {checkpoint.step} could not be saved in {run} ({error}); {kept}; "
            f"{way_out(error) if isinstance(error, OSError) else 'free some disk'} and go on with --resume"
        ) from None
    for step in steps_in(run)[:-KEPT]:
        # Renamed first: a removal that is cut short must not leave half a checkpoint by its name.
        (run / f"checkpoint-{step}").rename(run / f".checkpoint-{step}.old")
    for leftover in run.glob(".checkpoint-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    return target


def _write_files(folder: Path, checkpoint: Checkpoint) -> None:
    files = {
        "ema": checkpoint.ema,
        "raw": checkpoint.raw,
        "resume": checkpoint.moments | {"losses": checkpoint.losses},
    }
    digests = {}
    for name, tensors in files.items():
        path = folder / f"{name}.safetensors"
        save_tensors({key: value.contiguous() for key, value in tensors.items()}, path)
        digests[path.name] = _sha256(path)
        flush(path)
    state = {
        "format": FORMAT,
        "step": checkpoint.step,
        "belongs_to": checkpoint.belongs_to,
        "made_on": checkpoint.made_on,
        "sha256": digests,
    }
    path = folder / "state.json"
    path.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
    flush(path)
    flush(folder)


def save_tensors(tensors: Tensors, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Writes a safetensors file with the mode that the umask asks for.

    `save_file` writes a temporary file, which nobody else may read, and renames it.

    Raises:
        OSError, SafetensorError: if the disk is full or refuses.
    """
    path.touch()
    mode = stat.S_IMODE(path.stat().st_mode)
    save_file(tensors, path, metadata=metadata)
    path.chmod(mode)


def flush(path: Path) -> None:
    """Waits until a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _state(folder: Path) -> dict[str, Any]:
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        if state["format"] != FORMAT:
            raise InputError(
                f"{folder} has format {state['format']}, this version reads {FORMAT}; use the version it was "
                "made with"
            )
        return {
            "step": int(state["step"]),
            "belongs_to": dict(state["belongs_to"]),
            "made_on": dict(state["made_on"]),
            "sha256": dict(state["sha256"]),
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, _wrong("state.json", error)) from None


def _wrong(file: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{file} is missing"
    if isinstance(error, OSError):
        return f"{file} cannot be read: {error.strerror}"
    return f"{file} is not what was saved"


def _damaged(folder: Path, what: str) -> InputError:
    older = [step for step in steps_in(folder.parent) if f"checkpoint-{step}" != folder.name]
    way_out = (
        f"remove that folder to go on from checkpoint-{older[-1]}"
        if older
        else "restore it from a copy, or start a new run"
    )
    return InputError(f"{folder} is damaged ({what}); {way_out}")


def _tensors(folder: Path, name: str) -> Tensors:
    """The tensors of one file: `ema`, `raw` or `resume`; its digest must be that in state.json."""
    path = folder / f"{name}.safetensors"
    expected = _state(folder)["sha256"].get(path.name)
    try:
        if _sha256(path) != expected:
            raise _damaged(folder, f"{path.name} is truncated or changed")
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise _damaged(folder, _wrong(path.name, error)) from None


def read(folder: Path, belongs_to: dict[str, Any], place: str = "this set") -> Checkpoint:
    """The checkpoint in this folder, which must belong to these settings and to the images of this place.

    A setting that it does not name is newer than the checkpoint, which was made with its default.

    Raises:
        InputError: if it is damaged, or another run's.
    """
    state = _state(folder)
    _compare(folder, state["belongs_to"], belongs_to, place)
    ema, raw, moments = (_tensors(folder, name) for name in ("ema", "raw", "resume"))
    losses = moments.pop("losses", torch.empty(0))
    return Checkpoint(state["step"], ema, raw, moments, losses, state["belongs_to"], state["made_on"])


def _compare(folder: Path, theirs: dict[str, Any], ours: dict[str, Any], place: str) -> None:
    known = BEFORE | theirs
    for name, value in ours.items():
        if known.get(name) != value:
            if name == "data":  # a digest, which tells nobody anything
                raise InputError(
                    f"the images of {place} are not those that {folder} was trained on; "
                    "put them back, with the --cache-gb of then, or start a new run"
                )
            raise InputError(
                f"{folder} was made with {name} {known.get(name)}, here it is {value}; "
                "it is another run's: put back what it was made with, or start a new run"
            )


def image_format(folder: Path, settings: Settings) -> tuple[tuple[int, int, int], int]:
    """Shape (C, H, W) and grey levels of the images that the checkpoint of this run was trained on.

    Raises:
        InputError: if its state is damaged, or it was trained with other settings than these.
    """
    known = _state(folder)["belongs_to"]
    decisive = {name: value for name, value in settings.lasting().items() if name != "data"}
    _compare(folder, known, json.loads(json.dumps(decisive)), "this set")
    try:
        channels, height, width = map(int, known["shape"])
        return (channels, height, width), int(known["levels"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder, _wrong("state.json", error)) from None


def fill(network: nn.Module, folder: Path, name: str) -> None:
    """Gives the network the weights `ema` or `raw` of a checkpoint.

    Raises:
        InputError: if they are damaged, or those of another network.
    """
    try:
        network.load_state_dict(_tensors(folder, name))
    except RuntimeError:
        raise InputError(
            f"{folder}/{name}.safetensors does not fit the network of {folder.parent}/settings.json; "
            "one of the two is another run's"
        ) from None
