"""The pictures of a run: a grid of images and the loss curve."""

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

__all__ = ["grid", "loss_curve"]

GAP = 2
TILE = 40
"""Small images are enlarged, without smoothing, to at least about this side."""


def grid(images: Tensor, levels: int) -> Image.Image:
    """Images (uint8 levels, (N, C, H, W), C = 1 or 3) as one picture, nearly square, row by row."""
    count, channels, height, width = images.shape
    scale = max(1, TILE // max(height, width))
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    pixels = np.round(images.numpy() * (255 / (levels - 1))).astype(np.uint8)
    pixels = pixels.repeat(scale, axis=2).repeat(scale, axis=3)
    high, wide = height * scale + GAP, width * scale + GAP
    canvas = np.full((rows * high + GAP, columns * wide + GAP, channels), 64, dtype=np.uint8)
    for place, tile in enumerate(pixels):
        top, left = GAP + place // columns * high, GAP + place % columns * wide
        canvas[top : top + high - GAP, left : left + wide - GAP] = tile.transpose(1, 2, 0)
    return Image.fromarray(canvas.squeeze(2) if channels == 1 else canvas)


def loss_curve(losses: NDArray[np.float32]) -> bytes:
    """The loss of every step and its running mean, as PNG that is legible on light and dark ground."""
    from matplotlib.figure import Figure  # not on the way to the first training step

    ink, colour = "#7a7f87", "#3b82c4"
    window = max(1, len(losses) // 50)
    mean = np.convolve(losses, np.full(window, 1 / window), mode="valid")
    figure = Figure(figsize=(7.2, 3.0), dpi=150, layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots()
    axes.patch.set_alpha(0)
    axes.plot(np.arange(1, len(losses) + 1), losses, color=colour, alpha=0.3, linewidth=0.6)
    axes.plot(np.arange(window, len(losses) + 1), mean, color=colour, linewidth=1.8)
    axes.set_yscale("log")
    axes.set_xlabel("step", color=ink)
    axes.set_ylabel("L_simple / D", color=ink)
    axes.tick_params(colors=ink, which="both")
    axes.grid(color=ink, alpha=0.25, which="both", linewidth=0.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()
