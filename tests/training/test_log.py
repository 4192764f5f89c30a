"""The TensorBoard log, where TensorBoard is installed, and nothing where it is not."""

import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from ddpm_spec.training.log import Log
from ddpm_spec.training.loop import Look


def look(step: int) -> Look:
    return Look(step, loss=1 / step, gradient_norm=2.0, learning_rate=0.5)


def png() -> bytes:
    Image.new("L", (3, 2)).save(out := io.BytesIO(), format="png")
    return out.getvalue()


def test_what_is_logged_is_shown_and_what_was_lost_is_not(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    killed = Log(tmp_path, 0)
    for step in (1, 20, 40):
        killed.look(look(step), 100.0)
    resumed = Log(tmp_path, 20)  # the last checkpoint was of step 20
    resumed.look(look(50), 100.0)
    resumed.grid(png(), 50)
    shown = EventAccumulator(str(tmp_path / "log")).Reload()
    assert [event.step for event in shown.Scalars("loss")] == [1, 20, 50]
    assert shown.Scalars("loss")[-1].value == pytest.approx(1 / 50)
    assert {"gradient norm", "learning rate", "images per second"} < set(shown.Tags()["scalars"])
    (picture,) = shown.Images("samples")
    assert (picture.width, picture.height) == (3, 2)


def test_without_tensorboard_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    log = Log(tmp_path, 0)
    log.look(look(1), 1.0)
    log.grid(png(), 1)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_ends_the_log_and_nothing_else(tmp_path):
    pytest.importorskip("tensorboard")
    log = Log(tmp_path, 0)
    log._file = Path("/dev/full")
    log.look(look(1), 1.0)
    log.look(look(2), 1.0)
    assert log._file is None
    assert Log(tmp_path / "not there", 0)._file is None
