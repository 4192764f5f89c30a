"""A run written as a folder that diffusers' `DDPMPipeline` opens; diffusers itself is not needed."""

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file

from ddpm_spec.errors import InputError
from ddpm_spec.interop.configuration import scheduler_config, unet_config
from ddpm_spec.interop.names import DIFFUSERS, names
from ddpm_spec.interop.options import parse_export
from ddpm_spec.runs import checkpoints
from ddpm_spec.runs.settings import Settings
from ddpm_spec.terminal.console import console
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
    origin = f"{options.run.absolute().name}, {checkpoint.name}, {options.weights}"
    write_pipeline(network, settings, shape, options.out, origin)
    console.print(f"{options.out}: unet, scheduler, model_index.json; opens with diffusers' DDPMPipeline")


def write_pipeline(
    network: UNet, settings: Settings, image_shape: tuple[int, int, int], out: Path, origin: str
) -> None:
    """Writes unet/, scheduler/, model_index.json and a card that names the origin of the weights.

    Complete or absent: it is written beside `out`, flushed and renamed.

    Raises:
        InputError: if diffusers cannot express the process, `out` exists, or the disk is full or refuses.
    """
    scheduler = scheduler_config(settings.process)
    if out.exists():
        raise InputError(f"{out} exists already; name a new folder")
    draft = out.with_name(f".{out.name}.part")
    theirs = names(network, DIFFUSERS)
    tensors = {theirs[ours]: tensor.contiguous() for ours, tensor in network.state_dict().items()}
    try:
        shutil.rmtree(draft, ignore_errors=True)
        for folder in (draft / "unet", draft / "scheduler"):
            folder.mkdir(parents=True)
        save_file(tensors, draft / "unet" / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
        _write(draft / "unet" / "config.json", unet_config(settings.network, image_shape))
        _write(draft / "scheduler" / "scheduler_config.json", scheduler)
        _write(draft / "model_index.json", _INDEX)
        (draft / "README.md").write_text(_card(settings, origin), encoding="utf-8")
        for path in (*draft.rglob("*"), draft):
            checkpoints.flush(path)
        draft.rename(out)
        checkpoints.flush(out.parent)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{out} could not be written ({error}); free some disk, or name another folder"
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


def _card(settings: Settings, origin: str) -> str:
    return f"""---
library_name: diffusers
pipeline_tag: unconditional-image-generation
---
A denoising diffusion probabilistic model (Ho, Jain and Abbeel 2020) of {settings.data}, trained with
ddpm_spec. Weights: {origin}.

```python
from diffusers import DDPMPipeline

pipeline = DDPMPipeline.from_pretrained("this folder")
images = pipeline(batch_size=16, num_inference_steps={settings.process.T}).images
```
"""
