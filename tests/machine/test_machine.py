"""What the settings of the machine come to: compiled or not, with or without a GPU, resumed elsewhere."""

import pytest
import torch
from small_run import small, trainer

from ddpm_spec.errors import InputError
from ddpm_spec.machine.accelerator import accelerator_for, resolved, say_what_differs


@pytest.mark.slow
@pytest.mark.parametrize("machine", [{}, {"dtype": "bfloat16"}])
def test_a_compiled_network_trains_alike(images, machine):
    """Fused kernels may round otherwise, and nothing else: the losses, and gradients of the same length."""
    from torch._dynamo.utils import counters  # takes a second

    graphs = counters["stats"]["unique_graphs"]
    network = {"attention": ()}  # but in the middle: to compile takes a minute
    made = trainer(images, network=network, machine=machine | {"compile": "on"})
    plain = trainer(images, network=network, machine=machine)
    for _ in range(2):
        made.update()
        plain.update()
    close = 1e-5 if not machine else 2e-2
    assert made.losses[:2].tolist() == pytest.approx(plain.losses[:2].tolist(), rel=close)
    assert made.norms[:2].tolist() == pytest.approx(plain.norms[:2].tolist(), rel=10 * close)
    assert counters["stats"]["unique_graphs"] == graphs + 1  # one compiled, the other not
    assert made.state().raw.keys() == plain.state().raw.keys()


def test_a_gpu_without_bfloat16_is_told_before_training(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: False)
    with pytest.raises(InputError, match="this GPU does not compute in; use --dtype float32"):
        accelerator_for(small(machine={"device": "auto", "dtype": "bfloat16"}))


def test_a_cpu_without_bfloat16_emulates_it_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True, "avx512_bf16": False})
    accelerator_for(small(machine={"dtype": "bfloat16"}))
    assert "note: this CPU emulates bfloat16: --dtype float32 is faster" in capsys.readouterr().err


def test_compilation_is_for_gpus_unless_asked_for():
    for asked, found in (("auto", "off"), ("on", "on"), ("off", "off")):
        settings = small(machine={"compile": asked})
        assert resolved(settings, accelerator_for(settings).device).machine.compile == found


def test_a_run_resumed_elsewhere_says_once_what_differs(capsys):
    before = {"device": "CPU", "threads": 2, "processes": 1}
    say_what_differs(before, before)
    assert capsys.readouterr().err == ""
    say_what_differs(before, before | {"threads": 1, "processes": 2})
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "resumed elsewhere (threads 2 → 1, processes 1 → 2): the same images and noise" in said
