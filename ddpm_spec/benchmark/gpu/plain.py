"""What the training loop asks of accelerate, by torch alone: a bare machine need not have accelerate."""

import os
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ddpm_spec.machine import processes

__all__ = ["Plain", "device_here"]


def device_here(kind: str) -> torch.device:
    """This process's GPU, of which each has its own, or the CPU."""
    if kind == "cpu":
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


class Plain:
    """Stands in for `accelerate.Accelerator`, of which it has what `Trainer.update` uses.

    Args:
        device: of this process.
        reduced: whether the network computes in bfloat16, by autocast.
    """

    def __init__(self, device: torch.device, *, reduced: bool) -> None:
        self.device, self.reduced = device, reduced
        self.num_processes = processes.count()
        self.process_index = int(os.environ.get("RANK", "0"))

    def autocast(self) -> torch.autocast:
        """In which the network computes."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.reduced)

    def prepare(self, network: nn.Module) -> Callable[..., Tensor]:
        """Moves the network to the device; what is returned calls it, gradients shared by all processes."""
        network.to(self.device)
        model = DistributedDataParallel(network) if self.num_processes > 1 else network

        def call(x_t: Tensor, t: Tensor, keys: Tensor | None = None) -> Tensor:
            with self.autocast():
                answer: Tensor = model(x_t, t, keys=keys)
            return answer

        return call

    def backward(self, loss: Tensor) -> None:
        """Adds up the gradients."""
        torch.autograd.backward(loss)
