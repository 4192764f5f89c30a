"""A run written as a folder that diffusers' `DDPMPipeline` opens; diffusers itself is not needed."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.text import Text
from safetensors import SafetensorError

from ddpm_spec.errors import InputError
from ddpm_spec.interop.card import card
from ddpm_spec.interop.configuration import scheduler_config, unet_config
from ddpm_spec.interop.names import DIFFUSERS, names
from ddpm_spec.interop.options import parse_export
from ddpm_spec.runs import checkpoints
from ddpm_spec.runs.settings import Settings
from ddpm_spec.terminal.console import console, notice
from ddpm_spec.unet import UNet

__all__ = ["export", "write_pipeline"]


def export(args: list[str]) -> None:
    """`python -m ddpm_spec.export`.

    Raises:
        InputError: for anything the user can mend; nothing is left half-written.
    """
    options = parse_export(args)
    settings = Settings.load(options.run / "settings.json")
    checkpoint = checkpoints.latest(options.run)
    shape, _ = checkpoints.image_format(checkpoint, settings)
    network = settings.unet(*shape[:2])
    checkpoints.fill(network, checkpoint, options.weights)
    report = _report(options.run, checkpoint, settings) if options.weights == "ema" else None
    picture = options.run / "samples.png" if report else None
    picture = picture if picture and picture.is_file() else None
    text = card(
        settings, shape, run=options.run.resolve().name, checkpoint=checkpoint.name, weights=options.weights,
        report=report, picture=picture is not None,
    )  # fmt: skip
    write_pipeline(network, settings, shape, options.out, text, picture)
    written = Text(f"{options.out}: unet, scheduler, model_index.json; opens with diffusers' DDPMPipeline")
    console.print(written)


def _report(run: Path, checkpoint: Path, settings: Settings) -> dict[str, Any] | None:
    """The report of a run's end, if it has one and that is about this checkpoint and this process."""
    try:
        report = json.loads((run / "report.json").read_text(encoding="utf-8"))
        process = asdict(settings.process)
        same = all(process[name] == value for name, value in report["settings"]["process"].items())
        about_this = same and checkpoint.name == f"checkpoint-{report['step']}"
        report["bound"]["total"], report["bound"]["standard_error"], report["bound"]["images"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        notice(f"{run / 'report.json'} is damaged; the card has no figures of it")
        return None
    if not about_this:
        notice(f"{run / 'report.json'} is not about {checkpoint.name}; the card has no figures of it")
    return report if about_this else None


def write_pipeline(
    network: UNet,
    settings: Settings,
    image_shape: tuple[int, int, int],
    out: Path,
    text: str,
    picture: Path | None = None,
) -> None:
    """Writes unet/, scheduler/, model_index.json, the card of this text, and samples.png if there is one.

    Complete or absent: it is written beside `out`, flushed and renamed.

    Raises:
        InputError: if diffusers cannot express the process, `out` exists, or the disk is full or refuses.
    """
    scheduler = scheduler_config(settings.process)
    if os.path.lexists(out):  # False also for a name that cannot be
        raise InputError(f"{out} exists already; name a new folder")
    draft = out.with_name(f".{out.name}.part")
    theirs = names(network, DIFFUSERS)
    tensors = {theirs[ours]: tensor.contiguous() for ours, tensor in network.state_dict().items()}
    try:
        shutil.rmtree(draft, ignore_errors=True)
        for folder in (draft / "unet", draft / "scheduler"):
            folder.mkdir(parents=True)
        weights = draft / "unet" / "diffusion_pytorch_model.safetensors"
        checkpoints.save_tensors(tensors, weights, metadata={"format": "pt"})
        _write(draft / "unet" / "config.json", unet_config(settings.network, image_shape))
        _write(draft / "scheduler" / "scheduler_config.json", scheduler)
        _write(draft / "model_index.json", _INDEX)
        (draft / "README.md").write_text(text, encoding="utf-8")
        if picture:
            shutil.copyfile(picture, draft / "samples.png")
        for path in (*draft.rglob("*"), draft):
            checkpoints.flush(path)
        draft.rename(out)
        checkpoints.flush(out.parent)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"{out} could not be written ({reason}); free some disk, or name another folder"
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


_INDEX = {
    "_class_name": "DDPMPipeline",
    "scheduler": ["diffusers", "DDPMScheduler"],
    "unet": ["diffusers", "UNet2DModel"],
}


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
