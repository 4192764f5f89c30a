"""A `WEIGHTS` argument of the commands: a folder, a file or a hub id, opened."""

import hashlib
import json
import os
import pickle
import re
import warnings
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from safetensors.torch import load_file
from torch import Tensor

from ddpm_spec.errors import InputError
from ddpm_spec.interop.configuration import read_scheduler, read_unet
from ddpm_spec.interop.names import DIFFUSERS, DIFFUSERS_OLD, PORT, Layout, names
from ddpm_spec.runs.settings import Network, Process, Settings, without_dashes
from ddpm_spec.unet import UNet

__all__ = ["OpenWeights", "open_weights"]

Tensors = dict[str, Tensor]
Shape = tuple[int, int, int]


def _published(side: int) -> Process:
    """The process of the published models of this size."""
    return Process(variance="beta" if side < 256 else "beta_tilde", convention="official")


@dataclass(frozen=True)
class OpenWeights:
    """A network with its weights, and what is known about the process it was trained for."""

    network: UNet
    """On the CPU, float32."""
    process: Process
    """T, the schedule, what is predicted, σ_t², the convention; `Settings(process=process).diffusion()`."""
    image_shape: Shape
    """(C, H, W)."""
    provenance: dict[str, Any]
    """For reports, JSON-able: `weights` (the argument), `layout` ("diffusers" or "port"), `file` (its
    name), `sha256` of that file, `revision` (of a hub id, else None), `assumed` (what neither file nor
    configuration says and was taken from the published models)."""


def open_weights(argument: str) -> OpenWeights:
    """The network and the process behind a `WEIGHTS` argument.

    Args:
        argument: a diffusers folder (of a pipeline, or of a `UNet2DModel` alone); a hub id such as
            `google/ddpm-cifar10-32`, fetched where there is a network or taken from the cache; or a
            `.safetensors`, `.ckpt`, `.pt`, `.pth` or `.bin` file in the layout of the PyTorch ports.
            What exists on disk goes before a hub id. No pickle is executed.

    Raises:
        InputError: if there is nothing there, or it cannot be fetched, read or expressed here: the
            setting, or the tensor, is named.
    """
    path = Path(argument)
    if os.path.isfile(path):  # Path.is_file raises where a name is too long
        return _open_port(argument, path)
    if os.path.isdir(path):
        return _open_folder(argument, path, revision=None)
    folder = _fetch(argument)
    return _open_folder(argument, folder, revision=folder.name)


# ------------------------------------------------------------------------------------------- diffusers


def _fetch(hub_id: str) -> Path:
    """The folder in the hub's cache; its name is the commit."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", hub_id):
        raise InputError(
            f"there is no {hub_id} here; give a folder, a file, or a hub id such as google/ddpm-cifar10-32"
        )
    wanted = ["*config.json", "model_index.json", "*diffusion_pytorch_model.safetensors"]
    try:
        folder = Path(snapshot_download(hub_id, allow_patterns=wanted))
        if not list(folder.rglob("*.safetensors")):
            folder = Path(snapshot_download(hub_id, allow_patterns=[*wanted, "*diffusion_pytorch_model.bin"]))
    except (OSError, ValueError) as error:
        raise InputError(
            f"there is no {hub_id} here, and as a hub id it cannot be fetched "
            f"({_first_line(error)}); give a folder, or fetch it where there is a network"
        ) from None
    return folder


def _open_folder(argument: str, folder: Path, revision: str | None) -> OpenWeights:
    """A pipeline's folder, with or without sub-folders, or a network's alone."""
    inner = folder / "unet" if (folder / "unet").is_dir() else folder
    network, shape = read_unet(_config(inner / "config.json"), str(inner / "config.json"))
    file = _weight_file(inner)
    found = (folder / "scheduler" / "scheduler_config.json", folder / "scheduler_config.json")
    scheduler = next((path for path in found if path.exists()), None)
    process = read_scheduler(_config(scheduler), str(scheduler)) if scheduler else _published(shape[1])
    tensors = _tensors(file)
    layout = DIFFUSERS_OLD if any(".proj_attn." in name for name in tensors) else DIFFUSERS
    return _filled(
        network, process, shape, tensors, layout, file,
        {"weights": argument, "layout": "diffusers", "revision": revision,
         "assumed": [] if scheduler else ["process"]},
    )  # fmt: skip


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path.parent} is no folder of diffusers: {path.name} cannot be read ({error.strerror}); "
            "give the folder of a pipeline or of its unet"
        ) from None
    except ValueError:
        raise InputError(f"{path} is damaged (it is not JSON); restore it") from None
    if not isinstance(config, dict):
        raise InputError(f"{path} is damaged (no object); restore it")
    return config


def _weight_file(folder: Path) -> Path:
    stem = "diffusion_pytorch_model"
    for ending in ("safetensors", "bin"):
        if (folder / f"{stem}.{ending}").is_file():
            return folder / f"{stem}.{ending}"
    for other in sorted(folder.glob(f"{stem}.*")):
        if other.suffix in (".safetensors", ".bin"):  # saved with variant=
            raise InputError(
                f"{folder} holds its weights as {other.name}, a variant, which is not read by itself; "
                f"rename it to {stem}{other.suffix}"
            )
    raise InputError(f"{folder} holds no weights; {stem}.safetensors or {stem}.bin must be there")


# --------------------------------------------------------------------------------------- PyTorch ports


def _open_port(argument: str, path: Path) -> OpenWeights:
    """A file without a configuration: its shapes tell the network, all but groups and dropout."""
    tensors = _tensors(path)
    network, shape = _port_network(tensors, path)
    assumed = ["image_size", "groups", "process"]
    return _filled(
        network, _published(shape[1]), shape, tensors, PORT, path,
        {"weights": argument, "layout": "port", "revision": None, "assumed": assumed},
    )  # fmt: skip


def _port_network(tensors: Tensors, path: Path) -> tuple[Network, Shape]:
    def width(name: str, axis: int = 0) -> int:
        if name not in tensors or tensors[name].ndim != 4:
            raise InputError(
                f"{path} is not in the layout of the PyTorch ports: it has no convolution {name} "
                "(of a diffusers model, give the folder)"
            )
        return tensors[name].shape[axis]

    def count(pattern: str) -> list[int]:
        found = (re.match(pattern, name) for name in tensors)
        return sorted({int(match[1]) for match in found if match})

    channels = width("conv_in.weight")
    levels = count(r"down\.(\d+)\.")
    with_attention = count(r"down\.(\d+)\.attn\.")
    if len(with_attention) != 1:
        raise InputError(
            f"{path} has attention in {len(with_attention)} levels; with exactly one, as in the paper, "
            "the size of the images follows from it"
        )
    side = 16 << with_attention[0]
    network = Network(
        channels=channels,
        multipliers=tuple(width(f"down.{i}.block.0.conv1.weight") // channels for i in levels),
        blocks=len(count(r"down\.0\.block\.(\d+)\.")),
        attention=(16,),
        dropout=0.0,
        groups=32,
    )
    return network, (width("conv_in.weight", axis=1), side, side)


# ---------------------------------------------------------------------------------------- every layout


def _tensors(path: Path) -> Tensors:
    """The tensors in a file, without executing anything in it.

    Raises:
        InputError: if it holds anything else, or cannot be read.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings(action="ignore"):  # about pickles; what is wrong is said below
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            f"{path} is damaged, or holds more than tensors, which would be executed to read it; "
            "save its state dict alone, best as .safetensors"
        ) from None
    except Exception:  # of a damaged file the readers may say anything
        raise InputError(f"{path} cannot be read: it is damaged, or no file of tensors; restore it") from None
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise InputError(f"{path} is no state dict; it must hold tensors by name and nothing around them")
    return dict(found)


def _filled(
    network: Network,
    process: Process,
    shape: Shape,
    tensors: Tensors,
    layout: Layout,
    file: Path,
    provenance: dict[str, Any],
) -> OpenWeights:
    """The network with these tensors, every one of them used.

    Raises:
        InputError: naming a tensor that is missing, left over, of another shape, or not finite.
    """
    settings = Settings(network=network, process=process)
    try:
        settings.check()
        with torch.device("meta"):
            unet = settings.unet(shape[0], shape[1])
    except InputError as error:
        raise InputError(f"{file.parent}: {without_dashes(str(error))}") from None
    theirs = names(unet, layout)
    expected = {theirs[ours]: tensor.shape for ours, tensor in unet.state_dict().items()}
    _check(tensors, expected, file)
    state = {ours: tensors[name].float().reshape(expected[name]) for ours, name in theirs.items()}
    unet.load_state_dict(state, assign=True)
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return OpenWeights(unet, process, shape, provenance | {"file": file.name, "sha256": digest})


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _check(tensors: Tensors, expected: dict[str, torch.Size], file: Path) -> None:
    """A convolution 1×1 may stand for a linear layer: the ports have it so in attention."""
    _refuse(file, "lacks", expected.keys() - tensors.keys())
    _refuse(file, "has, where this network has none,", tensors.keys() - expected.keys())
    other = {name for name, shape in expected.items() if tensors[name].shape not in (shape, (*shape, 1, 1))}
    _refuse(
        file,
        "has in another shape",
        {f"{name}, {tuple(tensors[name].shape)} for {tuple(expected[name])}," for name in other},
    )
    _refuse(file, "has not finite", {name for name in expected if not tensors[name].isfinite().all()})


def _refuse(file: Path, what: str, bad: Set[str]) -> None:
    if bad:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise InputError(f"{file} {what} {min(bad)}{more}; it is another network's, or damaged")
