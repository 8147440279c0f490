"""The transformer's multi-head attention, over the positions of a feature map."""

from __future__ import annotations

from typing import Literal

from attrs import frozen
from torch import Tensor, nn

from ganblocks import Site, option
from ganblocks_attention.arithmetic import AttentionPath
from ganblocks_attention.block import GlobalBlock
from ganblocks_attention.checks import head_channels
from ganblocks_attention.positions import sinusoids


@frozen(kw_only=True)
class MultiHead:
    """Attend to all positions with several heads, each with channels of its own, and mix their values.

    head_n = softmax(q_n(x) k_n(x)ᵀ / sqrt(d)) v_n(x),  y = x + γ · out(head_1, …, head_heads), where all projections are 1×1
    convolutions without bias, d is the width of a head, and γ is learned. It has 4 · C · heads · d + 1 parameters.

    Use it where one map is not enough: one head can gather shape and another texture. It has 3.2 times the
    weights of SAGAN's attention; take ``residual`` with ``like`` for its control.

    Source: Vaswani et al. (2017), "Attention Is All You Need", arXiv:1706.03762, section 3.2 and equation 1; positions: section
    3.5. The gate γ and the pooling of keys and values are SAGAN's; layer normalisation and the feed-forward part are left out:
    this is the attention alone. The paper has 8 heads for 512 channels.

    Options:
        heads: number of heads.
        head_width: channels of each head (d); absent: C / heads.
        pool: side of the max-pooling of keys and values; 1: none.
        positions: "sinusoidal" adds the encoding of row and column to what is projected; 4 must divide the channels.
        gamma: γ at the start.
        path: "plain" builds the maps, O(N·M) memory; "fused" never does, O(N) memory, and has no second derivative; "auto" is
            plain up to 32×32 positions and where a penalty needs second derivatives, else fused.
    """

    heads: int = option(4, low=1)
    head_width: int | None = option(None, low=1)
    pool: int = option(1, low=1)
    positions: Literal["none", "sinusoidal"] = option("none")
    gamma: float = option(0.0)
    path: AttentionPath = option("auto")

    def build(self, site: Site) -> nn.Module:
        """Return the block for features [B, C, H, W] at ``site``. Raise PlacementError if they do not fit the options."""
        width = head_channels(site, self.heads, self.head_width)
        inner, scale, positions = self.heads * width, width**-0.5, self._positions(site)
        return GlobalBlock(site, inner, inner, self.gamma, self.pool, self.path, self.heads, scale, positions)

    def _positions(self, site: Site) -> Tensor | None:
        if self.positions == "none":
            return None
        if site.channels % 4:
            rule = f"needs channels that 4 divides for a sine and a cosine of row and column, got {site.channels}"
            raise site.error(rule, 'use positions = "none", or a wider network')
        return sinusoids(site.channels, site.height, site.width)
