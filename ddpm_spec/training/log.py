"""The run as TensorBoard shows it, where TensorBoard is installed."""

import io
import os
import time
from pathlib import Path
from typing import Any

from PIL import Image

from ddpm_spec.training.loop import Look

__all__ = ["Log"]


class Log:
    """An event file in the folder `log` of a run; without TensorBoard, nothing.

    Written here and now: torch's `SummaryWriter` leaves it to a thread, whose failure on a full disk nobody
    can catch. Here it ends the log and not the training.
    """

    def __init__(self, run: Path, step: int) -> None:
        self._file: Path | None = run / "log" / f"events.out.tfevents.{time.time():.0f}.{os.getpid()}"
        try:
            from tensorboard.compat.proto.event_pb2 import SessionLog
        except ImportError:
            self._file = None
            return
        self._write(0, file_version="brain.Event:2")
        # What a killed run has logged behind its last checkpoint is not shown.
        self._write(step + 1, session_log=SessionLog(status=SessionLog.START))

    def look(self, look: Look, images_per_second: float) -> None:
        """Loss, gradient norm, learning rate and speed."""
        scalars = {
            "loss": look.loss,
            "gradient norm": look.gradient_norm,
            "learning rate": look.learning_rate,
            "images per second": images_per_second,
        }
        self._write(look.step, [{"tag": name, "simple_value": value} for name, value in scalars.items()])

    def grid(self, png: bytes, step: int) -> None:
        """Samples drawn on the way."""
        width, height = Image.open(io.BytesIO(png)).size
        self._write(
            step,
            [{"tag": "samples", "image": {"width": width, "height": height, "encoded_image_string": png}}],
        )

    def _write(self, step: int, values: list[dict[str, Any]] | None = None, **event: Any) -> None:
        if self._file is None:
            return
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        if values:
            event["summary"] = {"value": values}
        record = Event(wall_time=time.time(), step=step, **event).SerializeToString()
        try:
            self._file.parent.mkdir(exist_ok=True)
            with self._file.open("ab") as file:
                RecordWriter(file).write(record)
        except OSError:
            self._file = None
