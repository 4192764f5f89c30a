"""The run as TensorBoard shows it, where TensorBoard is installed."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ddpm_spec.training.loop import Look

__all__ = ["Log"]


class Log:
    """Event files in the folder `log` of a run; without TensorBoard, nothing.

    A disk that refuses them does not stop the training.
    """

    def __init__(self, run: Path, step: int) -> None:
        self._writer: Any = None
        with contextlib.suppress(ImportError, OSError):
            from torch.utils.tensorboard import SummaryWriter

            # What a killed run has logged behind its last checkpoint is drawn over.
            self._writer = SummaryWriter(run / "log", purge_step=step)

    def look(self, look: Look, images_per_second: float) -> None:
        """Loss, gradient norm, learning rate and speed."""
        scalars = {
            "loss": look.loss,
            "gradient norm": look.gradient_norm,
            "learning rate": look.learning_rate,
            "images per second": images_per_second,
        }
        for name, value in scalars.items():
            self._write("add_scalar", name, value, look.step)

    def grid(self, picture: Image.Image, step: int) -> None:
        """Samples drawn on the way."""
        self._write("add_image", "samples", np.atleast_3d(np.asarray(picture)), step, dataformats="HWC")

    def close(self) -> None:
        """Writes what is still in memory."""
        self._write("close")

    def _write(self, method: str, *values: Any, **options: Any) -> None:
        if self._writer is None:
            return
        try:
            getattr(self._writer, method)(*values, **options)
        except OSError:
            self._writer = None
