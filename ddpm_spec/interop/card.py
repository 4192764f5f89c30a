"""The card of an exported run, its README.md: what the weights are, and how diffusers samples from them."""

import os
import re
from pathlib import Path
from typing import Any

from ddpm_spec.runs.settings import Settings

__all__ = ["SAMPLERS", "card"]

Shape = tuple[int, int, int]

SAMPLERS = (
    "DDIMScheduler",
    "EulerDiscreteScheduler",
    "PNDMScheduler",
    "DPMSolverMultistepScheduler",
    "UniPCMultistepScheduler",
)
"""diffusers' samplers that the card has a line for."""

_DATA = {
    "digits": "They are the test part of Optical Recognition of Handwritten Digits (E. Alpaydin and "
    "C. Kaynak, 1998), as scikit-learn has it. Their licence is not known here. The UCI Machine Learning "
    "Repository, where they come from, has a page on them: "
    "<https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits>.",
    "fashion-mnist": "They are Fashion-MNIST, © 2017 Zalando SE, under the MIT licence: "
    "<https://github.com/zalandoresearch/fashion-mnist>.",
}
"""Where images come from whose name alone tells it, and the licence that their authors publish them under."""


def card(
    settings: Settings,
    image_shape: Shape,
    *,
    run: str,
    checkpoint: str,
    weights: str,
    report: dict[str, Any] | None = None,
    picture: bool = False,
) -> str:
    """The card, in Markdown.

    Args:
        settings: those of the run.
        image_shape: (C, H, W).
        run: its name; it may hold anything.
        checkpoint: the name of the checkpoint.
        weights: ema or raw.
        report: what report.json says of these weights, if it does.
        picture: whether samples.png, of these weights, lies beside the card.
    """
    parts = [
        _HEAD,
        f"A denoising diffusion probabilistic model (Ho, Jain and Abbeel 2020), trained with ddpm_spec. "
        f"Weights: {_plain(run)}, {checkpoint}, {weights}.",
        *(["![Samples, unselected](samples.png)"] if picture else []),
        _data(settings, image_shape),
        *([_figures(report, settings)] if report else []),
        _use(settings),
        _samplers(settings, image_shape),
        _settings(settings),
    ]
    return "\n\n".join(parts) + "\n"


_HEAD = """---
library_name: diffusers
pipeline_tag: unconditional-image-generation
license: unknown
---
"""[:-1]


def _plain(text: str) -> str:
    """The text as Markdown shows it, whatever it holds, on one line."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"([!\"#$%&'()*+/:;<=>?@\[\\\]^_`{|}~])", r"\\\1", line)


def _data(settings: Settings, image_shape: Shape) -> str:
    source = _DATA.get(settings.data, "They have their own licence.")
    place = _place(settings)
    name = f"{settings.data}, {_plain(place)}" if place else settings.data
    return f"""## Licence and images

No licence has been chosen for these weights. If you publish them, choose one, and write it here and in the
first lines of this file. Look at the licence of the training images first.

Images: {name}, {"×".join(map(str, image_shape))} (channels, height, width). {source}"""


def _place(settings: Settings) -> str:
    """The name of a set of the hub, or of the folder of the images: where that lies is nobody's business."""
    path = settings.source.path
    return path if settings.data == "hub" and not os.path.isdir(path) else Path(path).name


def _figures(report: dict[str, Any], settings: Settings) -> str:
    bound, mine = report["bound"], report["figures"].get("this model")
    rows = [
        (f"bits/dim of {bound['images']} held-out images, Eq. 5, convention {settings.process.convention}",
         f"{bound['total']:.3f} ± {bound['standard_error']:.3f}"),
    ]  # fmt: skip
    if mine:
        rows += [
            ("confidence of a classifier, over that for held-out images", f"{mine['confidence']:.3f}"),
            ("share of the rarest class", f"{mine['rarest_class']:.1%}"),
            ("Fréchet distance of the pixels to the training images", f"{mine['frechet']:.1f}"),
            (
                "distance to the nearest training image, over that of held-out images",
                f"{mine['novelty']:.2f}",
            ),
        ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"""## Figures

| after {report["step"]:,} updates | |
| --- | --- |
{table}"""


def _use(settings: Settings) -> str:
    return f"""## Use

In this folder:

```python
import diffusers
import torch

pipe = diffusers.DDPMPipeline.from_pretrained(".")
images = pipe(batch_size=16, num_inference_steps={settings.process.T}).images
```

This is Algorithm 2 in all {settings.process.T:,} steps, as the model was trained."""


def _samplers(settings: Settings, image_shape: Shape) -> str:
    process = settings.process
    few = max((n for n in range(2, 51) if process.T % n == 0), default=process.T)
    # PNDM knows no prediction of the image.
    able = [name for name in SAMPLERS if (name, process.prediction) != ("PNDMScheduler", "x_0")]
    lines = "\n".join(
        f'scheduler = diffusers.{name}.from_config(pipe.scheduler.config, timestep_spacing="trailing")'
        for name in able
    )
    channels, height, width = image_shape
    return f"""## Other samplers, fewer steps

Take one of these lines:

```python
{lines}
```

and then, with a number of steps that divides {process.T:,}:

```python
scheduler.set_timesteps({few})
x = torch.randn(16, {channels}, {height}, {width}) * scheduler.init_noise_sigma
with torch.no_grad():
    for t in scheduler.timesteps:
        answer = pipe.unet(scheduler.scale_model_input(x, t), t).sample
        x = scheduler.step(answer, t, x).prev_sample
images = pipe.numpy_to_pil((x / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy())
```

- The spacing "trailing" begins at the last time, where the noise is. The stored configuration has "leading",
  for `DDPMScheduler`: with "trailing" and few steps that class can leave noise in the finished image.
- With a number of steps that does not divide {process.T:,}, diffusers may ask the network for the time -1.
- `DDPMPipeline` does not scale the noise as Euler needs it, so put no other scheduler into it.
{_CLIPPED if process.convention == "official" else ""}
{_MEASURED}"""


_CLIPPED = """\
- This model's own sampler clips the implied image to [-1, 1]. Of the samplers above only DDIM does so too.
  It goes on with the noise as it was implied before clipping; `use_clipped_model_output=True` in its `step`
  changes that.
"""

_MEASURED = """\
How near they come, for Gaussian data of standard deviation 0.5 with the exact denoiser, T = 1,000 and the
linear schedule. The deviation of what is drawn should be .500 (diffusers 0.42.1):

| sampler | 10 steps | 50 | 1,000 |
| --- | --- | --- | --- |
| DDPMScheduler, fixed_large | .589 | .517 | .501 |
| DDPMScheduler, fixed_small | .333 | .444 | .496 |
| DDIMScheduler | .370 | .471 | .498 |
| EulerDiscreteScheduler | .370 | .471 | .498 |
| PNDMScheduler | .488 | .499 | .500 |
| DPMSolverMultistepScheduler | .405 | .501 | .500 |
| UniPCMultistepScheduler | .410 | .499 | .500 |"""


def _settings(settings: Settings) -> str:
    groups = (settings.network, settings.process, settings.training)
    values = _reading(settings) | {name: value for group in groups for name, value in vars(group).items()}
    rows = "\n".join(f"| {name} | {_shown(value)} |" for name, value in values.items())
    return f"""## Settings

As in the options of ddpm_spec.train:

| | |
| --- | --- |
{rows}"""


def _reading(settings: Settings) -> dict[str, Any]:
    """How the images were read, where that was to be chosen."""
    if settings.data not in ("hub", "folder", "lsun"):
        return {}
    source = settings.source
    parts = {"train_part": _plain(source.train_part), "held_out_part": _plain(source.held_out_part)}
    return parts | {"image_size": source.image_size, "grey": source.grey}


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
