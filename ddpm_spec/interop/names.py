"""What other code bases call the layers of the U-Net of App. B.

Both count the levels from the finest; diffusers counts those of the way up from the coarsest.
"""

from collections.abc import Iterator
from typing import NamedTuple

from ddpm_spec.unet import Downsample, Stage, UNet, Upsample

__all__ = ["DIFFUSERS", "DIFFUSERS_OLD", "PORT", "Layout", "names"]


class Layout(NamedTuple):
    """The names of one code base, by ours."""

    ends: dict[str, str]
    """The layers before and behind the levels."""
    block: dict[str, str]
    """The layers of a residual block."""
    attention: dict[str, str]
    """The layers of an attention."""
    paths: dict[str, str]
    """Where blocks, attentions and changes of resolution stand, by `<side> <kind>`.

    level counts from the finest, mirrored from the coarsest; block from 0, ordinal from 1.
    """


DIFFUSERS = Layout(
    ends={
        "time.0": "time_embedding.linear_1",
        "time.2": "time_embedding.linear_2",
        "conv_in": "conv_in",
        "norm_out": "conv_norm_out",
        "conv_out": "conv_out",
    },
    block={
        "norm_1": "norm1",
        "conv_1": "conv1",
        "time": "time_emb_proj",
        "norm_2": "norm2",
        "conv_2": "conv2",
        "shortcut": "conv_shortcut",
    },
    attention={
        "norm": "group_norm",
        "query": "to_q",
        "key": "to_k",
        "value": "to_v",
        "out": "to_out.0",
    },
    paths={
        "down block": "down_blocks.{level}.resnets.{block}",
        "down attention": "down_blocks.{level}.attentions.{block}",
        "down resample": "down_blocks.{level}.downsamplers.0.conv",
        "middle block": "mid_block.resnets.{block}",
        "middle attention": "mid_block.attentions.{block}",
        "up block": "up_blocks.{mirrored}.resnets.{block}",
        "up attention": "up_blocks.{mirrored}.attentions.{block}",
        "up resample": "up_blocks.{mirrored}.upsamplers.0.conv",
    },
)
"""diffusers' `UNet2DModel`, and how it has named attention since version 0.15."""

DIFFUSERS_OLD = DIFFUSERS._replace(
    attention={
        "norm": "group_norm",
        "query": "query",
        "key": "key",
        "value": "value",
        "out": "proj_attn",
    }
)
"""How it named attention before; the published DDPM weights have these names."""

PORT = Layout(
    ends={
        "time.0": "temb.dense.0",
        "time.2": "temb.dense.1",
        "conv_in": "conv_in",
        "norm_out": "norm_out",
        "conv_out": "conv_out",
    },
    block={
        "norm_1": "norm1",
        "conv_1": "conv1",
        "time": "temb_proj",
        "norm_2": "norm2",
        "conv_2": "conv2",
        "shortcut": "nin_shortcut",
    },
    attention={"norm": "norm", "query": "q", "key": "k", "value": "v", "out": "proj_out"},
    paths={
        "down block": "down.{level}.block.{block}",
        "down attention": "down.{level}.attn.{block}",
        "down resample": "down.{level}.downsample.conv",
        "middle block": "mid.block_{ordinal}",
        "middle attention": "mid.attn_{ordinal}",
        "up block": "up.{level}.block.{block}",
        "up attention": "up.{level}.attn.{block}",
        "up resample": "up.{level}.upsample.conv",
    },
)
"""The PyTorch ports of the official code: the DDIM repository, pytorch_diffusion and their heirs."""


def names(network: UNet, layout: Layout) -> dict[str, str]:
    """The layout's name of every tensor, by ours."""
    layers = dict(layout.ends)
    levels = 1 + sum(isinstance(layer, Downsample) for layer in network.down)
    for ours, layer, side, level, block in _places(network, levels):
        place = {"level": level, "mirrored": levels - 1 - level, "block": block, "ordinal": block + 1}
        if not isinstance(layer, Stage):
            layers[ours] = layout.paths[f"{side} resample"].format(**place)
            continue
        for kind, parts in (("block", layout.block), ("attention", layout.attention)):
            path = layout.paths[f"{side} {kind}"].format(**place)
            layers |= {f"{ours}.{kind}.{part}": f"{path}.{theirs}" for part, theirs in parts.items()}
    found = (name.rpartition(".") for name in network.state_dict())
    return {f"{layer}.{end}": f"{layers[layer]}.{end}" for layer, _, end in found}


def _places(network: UNet, levels: int) -> Iterator[tuple[str, object, str, int, int]]:
    """Every stage and every change of resolution: our path, the layer, its side, level and block."""
    for side, step in (("down", 1), ("up", -1)):
        level, block = (0 if step > 0 else levels - 1), 0
        for index, layer in enumerate(getattr(network, side)):
            yield f"{side}.{index}", layer, side, level, block
            block += 1
            if isinstance(layer, Downsample | Upsample):
                level, block = level + step, 0
    for index, layer in enumerate(network.middle):
        yield f"middle.{index}", layer, "middle", levels - 1, index
