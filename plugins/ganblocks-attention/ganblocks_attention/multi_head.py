"""The transformer's multi-head attention, over the positions of a feature map."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen
from attrs.validators import ge, in_, instance_of, optional
from torch import Tensor, nn

from ganblocks import Site
from ganblocks_attention.block import GlobalBlock
from ganblocks_attention.checks import head_channels
from ganblocks_attention.positions import sinusoids

_at_least_one = [instance_of(int), ge(1)]
_paths = ("auto", "fused", "plain")


@frozen(kw_only=True)
class MultiHead:
    """Several heads attend to all positions, each with channels of its own, and their values are mixed.

    head_n = softmax(q_n(x) k_n(x)ᵀ / sqrt(d)) v_n(x),  y = x + γ · out(head_1, …, head_heads), where all projections are 1×1
    convolutions without bias, d is the width of a head, and γ is learned. It has 4 · C · heads · d + 1 parameters.

    Use it where one map per position is too few: to gather shape with one head and texture with another. It has 3.2 times the
    weights of SAGAN's attention; take ``residual`` with ``like`` for its control.

    Source: Vaswani et al. (2017), "Attention Is All You Need", arXiv:1706.03762, section 3.2 and equation 1; positions: section
    3.5. The gate γ and the pooling of keys and values are SAGAN's; layer normalisation and the feed-forward part are left out:
    this is the attention alone. The paper has 8 heads for 512 channels.

    Options:
        heads: how many.
        head_width: channels of each head (d); absent: C / heads.
        pool: side of the max-pooling of keys and values; 1: none.
        positions: "sinusoidal" adds the encoding of row and column to what is projected; 4 must divide the channels.
        gamma: γ at the start.
        path: "plain" builds the maps, O(N·M) memory; "fused" never does, O(N) memory, and has no second derivative; "auto" is
            plain up to 32×32 positions and where a penalty needs second derivatives, else fused.
    """

    heads: int = field(default=4, validator=_at_least_one)
    head_width: int | None = field(default=None, validator=optional(_at_least_one))
    pool: int = field(default=1, validator=_at_least_one)
    positions: Literal["none", "sinusoidal"] = field(default="none", validator=in_(("none", "sinusoidal")))
    gamma: float = field(default=0.0, validator=instance_of((int, float)))
    path: Literal["auto", "fused", "plain"] = field(default="auto", validator=in_(_paths))

    def build(self, site: Site) -> nn.Module:
        """Return the block for feature maps [B, C, H, W] at ``site``. Raise PlacementError if they do not fit the options."""
        width = head_channels(site, self.heads, self.head_width)
        channels, positions = self.heads * width, self._positions(site)
        return GlobalBlock(site, self, channels, channels, self.heads, width**-0.5, positions)

    def _positions(self, site: Site) -> Tensor | None:
        if self.positions == "none":
            return None
        if site.channels % 4:
            rule = f"needs channels that 4 divides for a sine and a cosine of row and column, got {site.channels}"
            raise site.error(rule, 'use positions = "none", or a wider network')
        return sinusoids(site.channels, site.height, site.width)
