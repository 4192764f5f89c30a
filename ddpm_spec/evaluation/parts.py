"""Work on many images in batches: shared out over the processes, saved batch by batch, never done twice.

The images are cut into batches by position, and batch k is done by process k modulo their number. So a
batch holds the same images whoever does it, and neither a stop nor the number of processes can change
what comes out.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from safetensors import SafetensorError
from torch import Tensor

from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.draw import Progress
from ddpm_spec.machine import processes
from ddpm_spec.runs.folders import write_atomically
from ddpm_spec.terminal.console import Interrupt, progress_bar

__all__ = ["Make", "Parts", "Tensors"]

Tensors = dict[str, Tensor]
Make = Callable[[int, int, Progress], Tensors]
"""Makes rows first..end − 1, and says how many network rows are done."""


@dataclass(frozen=True)
class Parts:
    """A folder of finished batches."""

    folder: Path
    accelerator: Accelerator
    interrupt: Interrupt

    def collect(
        self, title: str, purpose: dict[str, Any], count: int, batch: int, calls: int, make: Make
    ) -> Tensors:
        """What `make` gives for rows 0..count − 1, in batches of `calls` network calls each, joined.

        `purpose`: everything the rows depend on, as JSON; finished batches serve only this purpose.
        Every process calls this and gets the whole, on the CPU.

        Raises:
            InputError: if the folder cannot be written.
            Interrupted: by a signal; the finished batches are saved.
            StoppedElsewhere: where another process has failed.
        """
        text = json.dumps(purpose | {"batch": batch}, sort_keys=True, indent=2)
        folder = self.folder / f"{purpose['kind']}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{folder} cannot be written ({error.strerror}); name a folder that can"
            ) from None
        rank, ranks = self.accelerator.process_index, self.accelerator.num_processes
        if rank == 0:
            write_atomically(folder / "purpose.json", f"{text}\n".encode())
        mine = {
            first: (min(first + batch, count), _saved(folder, first, min(first + batch, count)))
            for first in range(rank * batch, count, ranks * batch)
        }
        done = [(first, tensors) for first, (_, tensors) in mine.items() if tensors]
        missing = [(first, end) for first, (end, tensors) in mine.items() if not tensors]
        with processes.together(), progress_bar(title, max(1, calls * len(missing))) as bar:

            def progress(rows: int) -> None:
                bar.advance(rows / calls)
                self.interrupt.check(f"stopped; the finished batches are saved in {folder}, repeat to go on")

            for first, end in missing:
                made = make(first, end, progress)
                tensors = {
                    name: x.cpu().clone(memory_format=torch.contiguous_format) for name, x in made.items()
                }
                write_atomically(_path(folder, first, end), safetensors.torch.save(tensors))
                done.append((first, tensors))
        everyone = sorted(gather_object(done) if ranks > 1 else done, key=lambda part: part[0])
        return {name: torch.cat([tensors[name] for _, tensors in everyone]) for name in everyone[0][1]}


def _path(folder: Path, first: int, end: int) -> Path:
    return folder / f"rows-{first}-{end}.safetensors"


def _saved(folder: Path, first: int, end: int) -> Tensors:
    """A finished batch; empty if it is not there, or spoilt."""
    try:
        return safetensors.torch.load_file(_path(folder, first, end))
    except (OSError, SafetensorError):
        return {}
