"""What the settings of the machine come to here: device, dtype, threads, compilation."""

import dataclasses
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ddpm_spec.errors import InputError
from ddpm_spec.machine import processes
from ddpm_spec.runs.settings import Settings

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["accelerator_for", "compiled", "description", "device_for", "resolved", "say_what_differs"]


def accelerator_for(settings: Settings) -> "Accelerator":
    """The device, the dtype and the processes that these settings ask for.

    Raises:
        InputError: as `device_for`.
    """
    from accelerate import Accelerator  # the loop runs without it, with what stands in for it

    machine, device = settings.machine, device_for(settings)
    # Accelerate leaves a group of CPUs alone unless it is told to use it.
    cpu = machine.device == "cpu" or (processes.count() > 1 and device.type == "cpu")
    if machine.threads:
        torch.set_num_threads(machine.threads)
    return Accelerator(cpu=cpu, mixed_precision="bf16" if machine.dtype == "bfloat16" else "no")


def device_for(settings: Settings) -> torch.device:
    """The device that these settings ask for, in a process that is alone; nothing is set up there.

    Raises:
        InputError: if there is no such device, or it does not compute in this dtype.
    """
    machine, gpu = settings.machine, torch.cuda.is_available()
    if machine.device == "cuda" and not gpu:
        raise InputError("--device is cuda, but torch sees no GPU here; use --device cpu")
    on_gpu = gpu and machine.device != "cpu"
    if machine.dtype == "bfloat16" and not _has_bfloat16(on_gpu=on_gpu):
        if on_gpu:
            raise InputError("--dtype is bfloat16, which this GPU does not compute in; use --dtype float32")
        _notice("this CPU emulates bfloat16: --dtype float32 is faster")
    return torch.device("cuda" if on_gpu else "cpu")


def _has_bfloat16(*, on_gpu: bool) -> bool:
    if on_gpu:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if not hasattr(torch.cpu, "get_capabilities"):  # torch before 2.12
        return True
    return any(has for name, has in torch.cpu.get_capabilities().items() if "bf16" in name)


def resolved(settings: Settings, device: torch.device) -> Settings:
    """The settings with device, threads and compilation as they turned out: a resumed run has the same."""
    machine = settings.machine
    compiles = machine.compile == "on" or (machine.compile == "auto" and device.type == "cuda")
    machine = dataclasses.replace(
        machine,
        device=device.type,  # type: ignore[arg-type]
        threads=torch.get_num_threads(),
        compile="on" if compiles else "off",
    )
    return dataclasses.replace(settings, machine=machine)


def compiled(network: nn.Module, settings: Settings) -> None:
    """Has the network compiled at its first call, where the resolved settings ask for it."""
    if settings.machine.compile == "on":
        network.compile(fullgraph=True)


def description(settings: Settings, accelerator: "Accelerator") -> dict[str, Any]:
    """What else than the settings that last decides the last bits of an update."""
    machine = settings.machine
    return {
        "device": torch.cuda.get_device_name() if accelerator.device.type == "cuda" else "CPU",
        "dtype": machine.dtype,
        "threads": machine.threads,
        "compile": machine.compile,
        "processes": accelerator.num_processes,
        "accumulate": settings.training.accumulate,
        "torch": torch.__version__,
    }


def say_what_differs(before: dict[str, Any], now: dict[str, Any]) -> None:
    """One line where a resumed run cannot be bit for bit what it would have been."""
    changed = [
        f"{name} {before.get(name)} → {value}" for name, value in now.items() if before.get(name) != value
    ]
    if changed:
        _notice(
            f"resumed elsewhere ({', '.join(changed)}): the same images and noise, "
            "but sums are rounded otherwise and the weights not the same in every bit"
        )


def _notice(text: str) -> None:
    from ddpm_spec.terminal.console import notice  # rich is not needed where there is nothing to say

    notice(text)
