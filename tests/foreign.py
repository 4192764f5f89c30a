"""Networks of both libraries with no weight near its initial value, and the rules of a third layout."""

import re
from typing import Any

import pytest
import torch
from torch import nn

from ddpm_spec.runs.settings import Network

diffusers = pytest.importorskip("diffusers", reason="needs diffusers: pip install -e '.[interop]'")

__all__ = ["CIFAR10", "CIFAR10_LIKE", "LARGE", "LARGE_LIKE", "diffusers", "port_name", "theirs", "wild"]

CIFAR10_LIKE = Network(channels=16, multipliers=(1, 2, 2, 2), blocks=2, attention=(16,), groups=8), 32
LARGE_LIKE = Network(channels=16, multipliers=(1, 1, 2, 2, 4, 4), blocks=2, attention=(4,), groups=8), 64
CIFAR10 = Network(channels=128, multipliers=(1, 2, 2, 2), blocks=2, attention=(16,), groups=32), 32
LARGE = Network(channels=128, multipliers=(1, 1, 2, 2, 4, 4), blocks=2, attention=(16,), groups=32), 256
"""The network's settings and the side of its images."""


def wild(module: nn.Module) -> nn.Module:
    """Every tensor drawn anew, none near 0 or 1 as a whole, outputs of order 1."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, p in module.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if p.ndim > 1:
                p.copy_(noise / p[0].numel() ** 0.5)
            else:
                p.copy_(0.2 * noise + name.endswith("weight") * 1.0)
    return module


def theirs(network: Network, side: int, **changes: Any) -> nn.Module:
    """The `UNet2DModel` that App. B's network is, from the facts of the published configurations."""
    attention = [side >> level in network.attention for level in range(len(network.multipliers))]
    options = {
        "sample_size": side,
        "block_out_channels": [network.channels * m for m in network.multipliers],
        "layers_per_block": network.blocks,
        "down_block_types": ["AttnDownBlock2D" if a else "DownBlock2D" for a in attention],
        "up_block_types": ["AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention)],
        "norm_num_groups": network.groups,
        "norm_eps": 1e-6,
        "attention_head_dim": None,
        "downsample_padding": 0,
        "flip_sin_to_cos": False,
        "freq_shift": 1,
    }
    return diffusers.UNet2DModel(**options | changes)


_RULES = [
    (r"time_embedding\.linear_([12])", lambda m: f"temb.dense.{int(m[1]) - 1}"),
    (r"conv_norm_out", "norm_out"),
    (r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2"),
    (r"down_blocks\.(\d)\.attentions\.(\d)", r"down.\1.attn.\2"),
    (r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample"),
    (r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}"),
    (r"mid_block\.attentions\.0", "mid.attn_1"),
    (r"time_emb_proj", "temb_proj"),
    (r"conv_shortcut", "nin_shortcut"),
    (r"group_norm", "norm"),
    (r"to_(q|k|v)", r"\1"),
    (r"to_out\.0", "proj_out"),
]


def port_name(name: str, levels: int) -> str:
    """What the PyTorch ports call a tensor of diffusers."""
    name = re.sub(r"up_blocks\.(\d)", lambda m: f"up.{levels - 1 - int(m[1])}", name)
    name = re.sub(r"(up\.\d)\.resnets", r"\1.block", name)
    name = re.sub(r"(up\.\d)\.attentions", r"\1.attn", name)
    name = re.sub(r"(up\.\d)\.upsamplers\.0", r"\1.upsample", name)
    for pattern, replacement in _RULES:
        name = re.sub(pattern, replacement, name)
    return name
