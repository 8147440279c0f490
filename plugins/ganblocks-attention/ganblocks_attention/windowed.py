"""Attention within windows."""

from __future__ import annotations

from math import gcd
from typing import Literal

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import Site, option
from ganblocks_attention.arithmetic import attention_weights, plain, split
from ganblocks_attention.block import AttentionBlock
from ganblocks_attention.checks import head_channels
from ganblocks_attention.positions import offsets


@frozen(kw_only=True)
class Windowed:
    """Attend with several heads within windows that do not overlap: time and memory are linear in the positions.

    Within each window of window × window positions, head_n = softmax(q_n(x) k_n(x)ᵀ / sqrt(d) + b_n) v_n(x), and y = x + γ ·
    out(head_1, …, head_heads); b_n is learned, a number for each offset from key to query, equal in all windows. The block has
    4 · C · heads · d + heads · (2 window - 1)² + 1 parameters, the middle term only if positions = "relative".

    Use it at large feature sizes, for structure that is larger than a convolution and smaller than a window. Windows do not see
    each other: convolutions around the block connect them. For longer range take ``linear`` or ``self_attention``.

    Source: Liu et al. (2021), "Swin Transformer", arXiv:2103.14030, section 3.2 and equation 4. One block stands alone here, so
    windows are not shifted, which in the paper every second block's are; b starts at 0 instead of at random; the gate γ is
    SAGAN's; layer normalisation and the feed-forward part are left out. The paper's windows have side 7.

    Options:
        window: side of a window; it must divide height and width.
        heads: number of heads.
        head_width: channels of each head (d); absent: C / heads.
        positions: "relative" learns b; "none" leaves it out.
        gamma: γ at the start.
    """

    window: int = option(4, low=2)
    heads: int = option(4, low=1)
    head_width: int | None = option(None, low=1)
    positions: Literal["none", "relative"] = option("relative")
    gamma: float = option(0.0)

    def build(self, site: Site) -> nn.Module:
        """Return the block for features [B, C, H, W] at ``site``. Raise PlacementError if they do not fit the options."""
        width = head_channels(site, self.heads, self.head_width)
        if site.height % self.window or site.width % self.window:
            rule = f"needs a height and width that window = {self.window} divides, got {site.height}×{site.width}"
            fits = [side for side in range(2, gcd(site.height, site.width) + 1) if gcd(site.height, site.width, side) == side]
            closest = min(fits, key=lambda side: abs(side - self.window), default=None)
            raise site.error(rule, f"use window = {closest}" if closest else "place it at another feature size")
        return WindowedBlock(site, self, width)


class WindowedBlock(AttentionBlock):
    """x [B, C, H, W] -> [B, C, H, W]."""

    bias: nn.Parameter | None
    offsets: Tensor

    def __init__(self, site: Site, options: Windowed, width: int) -> None:
        super().__init__(site, options.heads * width, options.heads * width, options.gamma)
        self.heads, self.window, self.scale = options.heads, options.window, width**-0.5
        relative = options.positions == "relative"
        self.bias = nn.Parameter(torch.zeros(options.heads, (2 * options.window - 1) ** 2)) if relative else None
        self.register_buffer("offsets", offsets(options.window), persistent=False)

    def gather(self, x: Tensor) -> Tensor:
        """Return the values that each position gathers: [B, C, H, W] -> [B, values, H, W]."""
        query, key, value = (into_windows(layer(x), self.heads, self.window) for layer in (self.query, self.key, self.value))
        return out_of_windows(plain(query, key, value, self.scale, self._bias()), x.shape[2], x.shape[3])

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Return (the map [B, heads, N, N], whose rows over keys sum to 1 within the query's window, (height, width))."""
        query, key = (into_windows(layer(x), self.heads, self.window) for layer in (self.query, self.key))
        inside = attention_weights(query, key, self.scale, self._bias())
        height, width = x.shape[2:]
        numbers = torch.arange(height * width, device=x.device).view(1, 1, height, width)
        members = into_windows(numbers, 1, self.window)[0, 0, :, :, 0]
        whole = inside.new_zeros(len(x), self.heads, height * width, height * width)
        whole[:, :, members[:, :, None], members[:, None, :]] = inside
        return whole, (height, width)

    def keys_seen(self) -> int:
        """Return the number of positions of a window."""
        return self.window**2

    def values(self, x: Tensor) -> Tensor:
        """Return the values at all positions: [B, C, H, W] -> [B, heads, N, V]."""
        return split(self.value(x), self.heads)

    def _bias(self) -> Tensor | None:
        """[heads, 1, window², window²]."""
        return None if self.bias is None else self.bias[:, self.offsets].unsqueeze(1)


def into_windows(x: Tensor, heads: int, side: int) -> Tensor:
    """Cut x into windows: [B, heads · D, H, W] -> [B, heads, windows, side², D]."""
    cells = x.view(len(x), heads, -1, x.shape[2] // side, side, x.shape[3] // side, side)
    return cells.permute(0, 1, 3, 5, 4, 6, 2).flatten(4, 5).flatten(2, 3)


def out_of_windows(tokens: Tensor, height: int, width: int) -> Tensor:
    """Undo :func:`into_windows`: [B, heads, windows, side², D] -> [B, heads · D, H, W] in channels_last."""
    side = int(tokens.shape[3] ** 0.5)
    cells = tokens.view(*tokens.shape[:2], height // side, width // side, side, side, -1)
    return cells.permute(0, 2, 4, 3, 5, 1, 6).reshape(len(tokens), height, width, -1).permute(0, 3, 1, 2)
