"""The network ε_θ(x_t, t) of App. B: a U-Net with group norm, time embedding and self-attention.

The structure is the paper's and, where the text is silent, that of the released model: two residual
blocks a level on the way down, three on the way up, attention where the feature map has the given
side, one more residual–attention–residual stage in the middle.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ddpm_spec.noise import bits, fold
from ddpm_spec.schedule import check_times, is_traced

__all__ = ["UNet", "dropout_by_keys", "time_embedding"]


def time_embedding(t: Tensor, channels: int) -> Tensor:
    """The sinusoidal embedding of t in 1..T, formed in float32: shape (B, channels).

    sin then cos of (t − 1) · 10^{−4i/(h − 1)}, i = 0..h − 1, h = channels / 2. This is the one place
    where time becomes 0-based: trained weights of the field count from 0.
    """
    half = channels // 2
    # Product, then quotient: bit for bit what diffusers forms.
    exponent = torch.arange(half, dtype=torch.float32, device=t.device) * -math.log(10_000) / (half - 1)
    angle = (t - 1).float()[:, None] * exponent.exp()
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def dropout_by_keys(h: Tensor, rate: float, keys: Tensor) -> Tensor:
    """Dropout whose mask for a row depends on that row's key alone.

    Four units share the 64 bits of one draw, so the rate is the nearest multiple of 2^−16.
    """
    batch, channels, height, width = h.shape
    dropped = round(rate * 2**16)
    draws = bits(keys, -(-channels * height * width // 4)).view(torch.int16)
    keep = draws[:, : channels * height * width] >= dropped - 2**15
    # Pixel by pixel, as h lies in channels-last memory: else the result would not.
    keep = keep.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
    return torch.where(keep, h * (2**16 / (2**16 - dropped)), 0)


def _xavier(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> None:
    nn.init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class ResBlock(nn.Module):
    """Two 3×3 convolutions with the time added between them, and a shortcut."""

    index = 0
    """Its place in the network, so that no two blocks drop the same units."""

    def __init__(self, width: int, out: int, time_width: int, dropout: float, groups: int) -> None:
        super().__init__()
        self.norm_1 = nn.GroupNorm(groups, width, eps=1e-6)
        self.conv_1 = nn.Conv2d(width, out, 3, padding=1)
        self.time = nn.Linear(time_width, out)
        self.norm_2 = nn.GroupNorm(groups, out, eps=1e-6)
        self.conv_2 = nn.Conv2d(out, out, 3, padding=1)
        self.shortcut = nn.Identity() if width == out else nn.Conv2d(width, out, 1)
        self.dropout = dropout

    def forward(self, x: Tensor, time: Tensor, keys: Tensor | None) -> Tensor:
        """`x`: (B, C, H, W); `time`: the activated embedding, (B, 4·channels)."""
        h = self.conv_1(F.silu(self.norm_1(x))) + self.time(time)[:, :, None, None]
        h = F.silu(self.norm_2(h))
        if keys is not None and self.dropout > 0:
            h = dropout_by_keys(h, self.dropout, fold(keys, self.index))
        return self.shortcut(x) + self.conv_2(h)


class Attention(nn.Module):
    """Self-attention over the pixels: one head, scale C^(−1/2), residual."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """`x`: (B, C, H, W)."""
        h = self.norm(x).flatten(2).transpose(1, 2)  # (B, H·W, C): a view in channels-last memory
        q, k, v = (layer(h).unsqueeze(1) for layer in (self.query, self.key, self.value))
        h = self.out(F.scaled_dot_product_attention(q, k, v).squeeze(1))
        return x + h.transpose(1, 2).reshape(x.shape)


class Stage(nn.Module):
    """A residual block, with attention behind it where the map has the right side."""

    def __init__(self, block: ResBlock, attention: Attention | None) -> None:
        super().__init__()
        self.block = block
        self.attention = attention

    def forward(self, x: Tensor, time: Tensor, keys: Tensor | None) -> Tensor:
        """Shapes as in `ResBlock`."""
        h: Tensor = self.block(x, time, keys)
        return h if self.attention is None else self.attention(h)


class Downsample(nn.Conv2d):
    """3×3, stride 2, padded at the bottom and on the right only."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H/2, W/2)."""
        return super().forward(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Conv2d):
    """Nearest neighbour, then 3×3."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, 2H, 2W)."""
        return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"))


def _check(x_t: Tensor, t: Tensor) -> None:
    """Refuse what would fit and be wrong."""
    check_times(t)
    if is_traced():
        return
    if not x_t.is_floating_point():
        raise ValueError(f"x_t is of {x_t.dtype}; it must be floats: images in [−1, 1], with their noise")
    if t.shape != x_t.shape[:1]:
        raise ValueError(
            f"t has shape {tuple(t.shape)}; it must be {tuple(x_t.shape[:1])}, a time for each image"
        )


class UNet(nn.Module):
    """ε_θ(x_t, t) of App. B; the defaults are the paper's for CIFAR10 (35,746,307 parameters).

    Args:
        in_channels: of the images.
        out_channels: of the prediction.
        image_size: side of the square images; halved once per level but the last.
        channels: width at the finest level.
        multipliers: width of each level, finest first, as a multiple of `channels`.
        blocks: residual blocks a level on the way down; one more on the way up.
        attention: sides of the feature maps that get self-attention; the middle always has it.
        dropout: rate inside every residual block. Acts where `forward` is given keys.
        groups: groups of every group norm.
        checkpointing: what is inside the stages is computed again in the backward pass, not kept.

    Raises:
        ValueError: if a width is not a multiple of `groups`, `channels` is odd or below 4, or the image
            cannot be halved that often.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        image_size: int = 32,
        channels: int = 128,
        multipliers: Sequence[int] = (1, 2, 2, 2),
        blocks: int = 2,
        attention: Sequence[int] = (16,),
        dropout: float = 0.1,
        groups: int = 32,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if channels < 4 or channels % 2 or channels % groups:
            raise ValueError(
                f"channels is {channels}; it must be even, at least 4 and a multiple of groups, {groups}"
            )
        if not multipliers or min(multipliers) < 1:
            raise ValueError(f"multipliers are {tuple(multipliers)}; give at least one, each at least 1")
        if image_size % 2 ** (len(multipliers) - 1):
            raise ValueError(
                f"images of side {image_size} cannot be halved {len(multipliers) - 1} times; "
                "give fewer multipliers"
            )
        self.channels = channels
        self.checkpointing = checkpointing
        time_width = 4 * channels

        def stage(width: int, out: int, side: int) -> Stage:
            block = ResBlock(width, out, time_width, dropout, groups)
            return Stage(block, Attention(out, groups) if side in attention else None)

        self.time = nn.Sequential(
            nn.Linear(channels, time_width), nn.SiLU(), nn.Linear(time_width, time_width), nn.SiLU()
        )
        self.conv_in = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        width, side, skips = channels, image_size, [channels]
        for level, multiplier in enumerate(multipliers):
            if level:
                self.down.append(Downsample(width))
                skips.append(width)
                side //= 2
            for _ in range(blocks):
                self.down.append(stage(width, channels * multiplier, side))
                width = channels * multiplier
                skips.append(width)
        self.middle = nn.ModuleList([stage(width, width, 0), stage(width, width, 0)])
        self.middle[0].attention = Attention(width, groups)
        for level, multiplier in reversed(list(enumerate(multipliers))):
            for _ in range(blocks + 1):
                self.up.append(stage(width + skips.pop(), channels * multiplier, side))
                width = channels * multiplier
            if level:
                self.up.append(Upsample(width))
                side *= 2
        self.norm_out = nn.GroupNorm(groups, width, eps=1e-6)
        self.conv_out = nn.Conv2d(width, out_channels, 3, padding=1)
        self._initialise()

    def _initialise(self) -> None:
        """Xavier uniform, biases 0; what ends a residual branch starts at nearly 0."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                _xavier(module)
        blocks = [m for m in self.modules() if isinstance(m, ResBlock)]
        attentions = [m for m in self.modules() if isinstance(m, Attention)]
        for last in [b.conv_2 for b in blocks] + [a.out for a in attentions] + [self.conv_out]:
            _xavier(last, gain=1e-5)
        for index, block in enumerate(blocks):
            block.index = index

    def forward(self, x_t: Tensor, t: Tensor, keys: Tensor | None = None) -> Tensor:
        """ε_θ(x_t, t).

        Args:
            x_t: (B, C, H, W), cast to the dtype of the weights.
            t: integers in 1..T, shape (B,). The network does not know T, so only what lies below 1 is
                refused, as `schedule.check_times` says.
            keys: int64, shape (B,), one per example: dropout acts, with a mask that is a function
                of the key. None, as in sampling: no dropout. `train()` and `eval()` change nothing.

        Returns:
            Shape (B, out_channels, H, W), in the dtype of the weights (or of autocast).

        Raises:
            ValueError: for a time below 1, times that are no integers or not one for each image, or images
                that are not floats. Nothing is checked while torch compiles, exports or traces.
        """
        _check(x_t, t)
        time = self.time(time_embedding(t, self.channels).to(self.conv_in.weight.dtype))
        h = self.conv_in(x_t.to(self.conv_in.weight.dtype))
        skips = [h]
        for layer in self.down:
            h = self._stage(layer, h, time, keys) if isinstance(layer, Stage) else layer(h)
            skips.append(h)
        for layer in self.middle:
            h = self._stage(layer, h, time, keys)
        for layer in self.up:
            if isinstance(layer, Stage):
                h = self._stage(layer, torch.cat([h, skips.pop()], dim=1), time, keys)
            else:
                h = layer(h)
        return self.conv_out(F.silu(self.norm_out(h)))

    def _stage(self, stage: nn.Module, h: Tensor, time: Tensor, keys: Tensor | None) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            # The masks follow from the keys, so there is no state of a generator to put back.
            return checkpoint(stage, h, time, keys, use_reentrant=False, preserve_rng_state=False)
        return stage(h, time, keys)
