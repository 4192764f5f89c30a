"""What is evaluated: a run, or weights that others have trained, and the images they are held against."""

import dataclasses
import functools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelerate import Accelerator
from torch import nn

from ddpm_spec import data
from ddpm_spec.choices import Convention
from ddpm_spec.data import Images
from ddpm_spec.data.taken import say
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.loaded import check_diffusers, is_run, ready
from ddpm_spec.machine import processes
from ddpm_spec.machine.accelerator import accelerator_for
from ddpm_spec.runs import checkpoints
from ddpm_spec.runs.presets import preset
from ddpm_spec.runs.settings import Device, Dtype, Machine, Process, Settings, refuse_pictures

if TYPE_CHECKING:
    from ddpm_spec.interop.weights import OpenWeights

__all__ = ["Model", "located", "open_model", "open_run"]

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Model:
    """Networks with the process they were trained for, and the data."""

    name: str
    settings: Settings
    images: Images
    networks: dict[str, nn.Module]
    """By the name of their weights: ema and raw of a run, given for weights without one."""
    digests: dict[str, str]
    """SHA-256 of the file of each."""
    origin: dict[str, Any]
    """What a report says of where they come from, as JSON."""
    accelerator: Accelerator


def open_model(
    argument: str,
    data_preset: str | None = None,
    *,
    device: Device = "auto",
    dtype: Dtype = "float32",
    path: str | None = None,
    cache: str | None = None,
    stated: dict[str, Any] | None = None,
    convention: Convention | None = None,
) -> Model:
    """A run folder, or what `open_weights` takes, whose data are then those of a preset.

    Args:
        argument: the folder, file or hub id.
        data_preset: the preset with the images of weights without a run.
        device: to compute on.
        dtype: to compute in.
        path: where the images are.
        cache: where they are kept decoded.
        stated: fields of the process, for weights that do not say for which one they were trained.
        convention: by which to sample; for such weights also that of the process.

    Raises:
        InputError: if it is neither, or is damaged, or the data do not fit or cannot be had, or a process is
            stated of what has one.
    """
    if is_run(Path(argument)):
        _refuse_stated(argument, "is a run", stated)
        if data_preset:
            raise InputError(f"{argument} is a run and knows its data; leave --preset away")
        return open_run(Path(argument), device, dtype, path=path, cache=cache)
    if os.path.isdir(argument):
        check_diffusers(Path(argument))
    from ddpm_spec.interop.weights import open_weights

    opened = open_weights(argument)
    if data_preset is None:
        raise InputError(
            f"{argument} does not say on what images it was trained; name a preset with these, as in "
            "--preset cifar10"
        )
    process, provenance = _process(argument, opened, stated or {}, convention)
    settings = dataclasses.replace(preset(data_preset), process=process)
    settings = _here(located(settings, path, cache), device, dtype)
    images = _images(
        settings,
        opened.image_shape,
        lambda found: (
            f"{argument} makes images of {_shown(opened.image_shape)}, --preset {data_preset} has {found}; "
            "name the preset it was trained on"
        ),
    )
    accelerator = accelerator_for(settings)
    network = ready(opened.network, settings, accelerator.device)
    return Model(
        argument, settings, images, {"given": network},
        {"given": opened.provenance["sha256"]}, provenance, accelerator,
    )  # fmt: skip


def _refuse_stated(argument: str, why: str, stated: dict[str, Any] | None) -> None:
    for name in stated or ():
        raise InputError(f"{argument} {why} and knows its process; leave --{name.replace('_', '-')} away")


def _process(
    argument: str, opened: "OpenWeights", stated: dict[str, Any], convention: Convention | None
) -> tuple[Process, dict[str, Any]]:
    """The process of weights, and what is known of them: of the process, what nobody has stated is assumed.

    Raises:
        InputError: if the weights tell their process themselves.
    """
    if "process" not in opened.provenance.get("assumed", ()):
        _refuse_stated(argument, "has a scheduler", stated)
        return opened.process, opened.provenance
    said = stated | ({"convention": convention} if convention else {})
    process = dataclasses.replace(opened.process, **said)
    rest = [name for name in vars(process) if name not in said]
    if process.schedule == "cosine":
        rest = [name for name in rest if name not in ("beta_1", "beta_T")]
    others = [name for name in opened.provenance["assumed"] if name != "process"]
    assumed = [*others, *(rest if said else ["process"])] if rest else others
    return process, opened.provenance | {"assumed": assumed}


def open_run(
    run: Path,
    device: Device = "auto",
    dtype: Dtype = "float32",
    *,
    path: str | None = None,
    cache: str | None = None,
) -> Model:
    """The last checkpoint of a run.

    Raises:
        InputError: if there is none, or it is damaged, or its data are not what they were.
    """
    settings = _here(located(Settings.load(run / "settings.json"), path, cache), device, dtype)
    folder = checkpoints.latest(run)
    shape, _ = checkpoints.image_format(folder, settings)
    place = settings.source.path or settings.data
    images = _images(
        settings,
        shape,
        lambda found: (
            f"{run} was trained on images of {_shown(shape)}, but {place} has {found} now; put those back"
        ),
    )
    accelerator = accelerator_for(settings)
    networks: dict[str, nn.Module] = {}
    for name in ("ema", "raw"):
        network = settings.unet(*shape[:2])
        checkpoints.fill(network, folder, name)  # compares the digest of the file
        networks[name] = ready(network, settings, accelerator.device)
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    if state["belongs_to"]["data"] != images.digest:
        raise InputError(f"{run} was trained on other images than {place} holds now; put those back")
    digests = {name: state["sha256"][f"{name}.safetensors"] for name in networks}
    origin = {"run": str(run), "checkpoint": folder.name, "step": state["step"]}
    return Model(str(run), settings, images, networks, digests, origin, accelerator)


def located(settings: Settings, path: str | None, cache: str | None) -> Settings:
    """The settings with their images, and the decoded ones, where these say.

    Raises:
        InputError: if these are images that take no such place.
    """
    moved: dict[str, Any] = {k: v for k, v in (("path", path), ("cache", cache)) if v is not None}
    hint = "and the images are a set of the hub: name that, or a local copy of it"
    refuse_pictures(settings.data, path or "", hint)
    data.refuse_unused(settings.data, (k for k, v in moved.items() if v != getattr(settings.source, k)))
    return dataclasses.replace(settings, source=dataclasses.replace(settings.source, **moved))


def _here(settings: Settings, device: Device, dtype: Dtype) -> Settings:
    """The settings on the machine at hand, which need not be the one of the training."""
    machine = Machine(device=device, dtype=dtype, workers=settings.machine.workers)
    return dataclasses.replace(settings, machine=machine)


class _Misfit(Exception):
    """The images are not those of the network: their shape."""


def _images(settings: Settings, shape: Shape, refusal: Callable[[str], str]) -> Images:
    """The images, which must have the network's shape; the first of them tells, before all are decoded.

    Raises:
        InputError: with the refusal of the shape they have, or if they cannot be had.
    """

    def work() -> Images:
        try:
            return _loaded(settings.data, settings.source, settings.machine.workers, shape)
        except _Misfit as found:
            raise InputError(refusal(str(found))) from None

    return processes.one_a_machine(work)


@functools.lru_cache(maxsize=1)
def _loaded(name: data.DataName, source: data.Source, workers: int, shape: Shape) -> Images:
    """The images, once for several runs on them; what there is to say of them is said."""

    def check(channels: int, side: int) -> None:
        if (channels, side, side) != shape:
            raise _Misfit(_shown((channels, side, side)))

    images = data.load(name, source, workers=workers, check=check)
    check(*images.shape[:2])  # what is not decoded was not looked at
    say(images)
    return images


def _shown(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
