"""Batches: each made once, by one process, whatever stops in between."""

import pytest
import torch
from accelerate import Accelerator

from ddpm_spec.errors import InputError
from ddpm_spec.evaluation import parts as module
from ddpm_spec.evaluation.parts import Parts
from ddpm_spec.terminal.console import Interrupt, Interrupted

PURPOSE = {"kind": "squares", "seed": 0}


class Rank:
    """A process of several, as far as the batches need to know it."""

    def __init__(self, index, count):
        self.process_index, self.num_processes = index, count


class Maker:
    """Squares, noting the batches it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, first, end, progress):
        self.asked.append((first, end))
        progress(end - first)
        return {"squares": torch.arange(first, end) ** 2}


@pytest.fixture
def parts(tmp_path):
    return Parts(tmp_path, Accelerator(cpu=True), Interrupt())


def squares(parts, make, purpose=PURPOSE, count=10, batch=4):
    return parts.collect("squares", purpose, count, batch, 1, make)["squares"].tolist()


def test_every_row_once_and_in_order(parts):
    make = Maker()
    assert squares(parts, make) == [k * k for k in range(10)]
    assert make.asked == [(0, 4), (4, 8), (8, 10)]


def test_finished_batches_are_not_made_again(parts):
    squares(parts, Maker())
    again = Maker()
    assert squares(parts, again) == [k * k for k in range(10)]
    assert again.asked == []
    more = Maker()
    assert squares(parts, more, count=13) == [k * k for k in range(13)]
    assert more.asked == [(8, 12), (12, 13)]


@pytest.mark.parametrize("change", [{"purpose": PURPOSE | {"seed": 1}}, {"batch": 8}])
def test_batches_serve_one_purpose(parts, change):
    squares(parts, Maker())
    other = Maker()
    squares(parts, other, **change)
    assert sum(end - first for first, end in other.asked) == 10


def test_a_signal_stops_behind_what_is_saved(parts):
    stopped = Maker()

    def make(first, end, progress):
        if first == 8:
            parts.interrupt.signal_number = 15
        return stopped(first, end, progress)

    with pytest.raises(Interrupted, match="repeat to go on"):
        squares(parts, make)
    parts.interrupt.signal_number = None
    rest = Maker()
    assert squares(parts, rest) == [k * k for k in range(10)]
    assert rest.asked == [(8, 10)]


def test_a_spoilt_batch_is_made_again(parts, tmp_path):
    squares(parts, Maker())
    (file,) = tmp_path.glob("*/rows-4-8.safetensors")
    file.write_bytes(file.read_bytes()[:-3])
    again = Maker()
    assert squares(parts, again) == [k * k for k in range(10)]
    assert again.asked == [(4, 8)]


def test_processes_share_the_batches(tmp_path, monkeypatch):
    """Two processes, one after the other, with what each would have been sent by the other."""
    whole = [k * k for k in range(10)]
    sent = {}
    makers = [Maker(), Maker()]
    for rank, make in enumerate(makers):
        monkeypatch.setattr(module, "gather_object", lambda mine, rank=rank: sent.setdefault(rank, mine))
        squares(Parts(tmp_path / str(rank), Rank(rank, 2), Interrupt()), make)
    assert [make.asked for make in makers] == [[(0, 4), (8, 10)], [(4, 8)]]
    monkeypatch.setattr(module, "gather_object", lambda mine: sent[1] + sent[0])
    assert squares(Parts(tmp_path / "0", Rank(0, 2), Interrupt()), Maker()) == whole


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        squares(Parts(tmp_path / "file", Accelerator(cpu=True), Interrupt()), Maker())
