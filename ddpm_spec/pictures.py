"""The pictures of a run: a grid of images and the loss curve."""

import io
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "INK",
    "grid",
    "grid_png",
    "labelled_grid",
    "legend",
    "logarithmic",
    "loss_curve",
    "panels",
    "png",
]

INK = "#7a7f87"
COLOURS = ("#3b82c4", "#d9822b", "#4a9d5b", "#a46bb8")
"""Legible on light and on dark ground, and apart for the colour-blind."""

LETTERS = 12
"""Points, of a picture 7.2 inches wide: 8 pixels on a phone, those of the text on a wide screen."""

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


def grid_png(images: Tensor, levels: int) -> bytes:
    """The same as the bytes of a PNG file."""
    out = io.BytesIO()
    grid(images, levels).save(out, format="png", optimize=True)
    return out.getvalue()


def loss_curve(losses: NDArray[np.float32]) -> bytes:
    """The loss of every step and its running mean, as PNG that is legible on light and dark ground."""
    window = max(1, len(losses) // 50)
    mean = np.convolve(losses, np.full(window, 1 / window), mode="valid")
    figure, (axes,) = panels("loss")
    axes.plot(np.arange(1, len(losses) + 1), losses, color=COLOURS[0], alpha=0.3, linewidth=0.6)
    axes.plot(np.arange(window, len(losses) + 1), mean, color=COLOURS[0], linewidth=1.8)
    logarithmic(axes)
    axes.set_xlabel("step")
    return png(figure)


def panels(*titles: str, aspect: float = 0.42) -> tuple["Figure", list["Axes"]]:
    """A figure with plots of these titles side by side, on transparent ground, in ink that any ground bears.

    What is plotted upwards stands in the title, where it can be read on a phone.

    aspect: height over width of the whole.
    """
    from matplotlib.figure import Figure  # not on the way to the first training step

    figure = Figure(figsize=(7.2, 7.2 * aspect), dpi=150, layout="constrained")
    figure.patch.set_alpha(0)
    plots = list(np.atleast_1d(figure.subplots(1, len(titles))))
    for axes, title in zip(plots, titles, strict=True):
        axes.set_title(title, color=INK, fontsize=LETTERS, loc="left")
        axes.patch.set_alpha(0)
        axes.locator_params(nbins=4)
        axes.tick_params(colors=INK, which="both", labelsize=LETTERS)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set(color=INK, fontsize=LETTERS)
        axes.grid(color=INK, alpha=0.25, linewidth=0.5)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure, plots


def logarithmic(axes: "Axes") -> None:
    """Counts upwards in ratios, with the numbers 1, 3, 10, 30 … as they are."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def legend(axes: "Axes") -> None:
    """Names the curves, where there are several."""
    if len(axes.get_lines()) > 1:
        axes.legend(frameon=False, labelcolor=INK, fontsize=LETTERS)


def png(figure: "Figure") -> bytes:
    """The figure as the bytes of a PNG file."""
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None}, bbox_inches="tight", pad_inches=0.05)
    return out.getvalue()


def labelled_grid(
    images: Tensor, levels: int, *, columns: list[str], rows: list[str], x_label: str = "", y_label: str = ""
) -> bytes:
    """Images (uint8 levels, (R, K, C, H, W)) as a table with a name for each column and row, as PNG.

    An empty name leaves the place empty.
    """
    high, wide, _, height, width = images.shape
    scale = max(1, TILE // max(height, width))
    gap = max(1, round(GAP / TILE * scale * height))
    pixels = np.round(images.numpy() * (255 / (levels - 1))).astype(np.uint8)
    pixels = pixels.repeat(scale, axis=3).repeat(scale, axis=4).transpose(0, 1, 3, 4, 2)
    tall, broad = height * scale + gap, width * scale + gap
    canvas = np.zeros((high * tall - gap, wide * broad - gap, 4), dtype=np.uint8)  # the gaps are transparent
    for row in range(high):
        for column in range(wide):
            top, left = row * tall, column * broad
            place = canvas[top : top + tall - gap, left : left + broad - gap]
            place[..., :3] = pixels[row, column]
            place[..., 3] = 255
    figure, (axes,) = panels("", aspect=canvas.shape[0] / canvas.shape[1])
    axes.imshow(canvas, interpolation="nearest")
    axes.grid(visible=False)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xticks([k * broad + (broad - gap) / 2 for k in range(wide)], columns)
    axes.set_yticks([k * tall + (tall - gap) / 2 for k in range(high)], rows)
    axes.tick_params(length=0)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return png(figure)
