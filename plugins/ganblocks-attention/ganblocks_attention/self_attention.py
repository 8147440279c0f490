"""SAGAN's self-attention block."""

from __future__ import annotations

from attrs import frozen
from torch import nn

from ganblocks import Site, option
from ganblocks_attention.arithmetic import AttentionPath
from ganblocks_attention.block import GlobalBlock
from ganblocks_attention.checks import share


@frozen(kw_only=True)
class SelfAttention:
    """Let every position gather values from all positions, weighted by how well its query matches their keys.

    β[j, i] = softmax over i of (scale · k(x_i)ᵀ q(x_j)),  y_j = x_j + γ · out(Σ_i β[j, i] v(x_i)), where q, k, v and out are
    1×1 convolutions without bias, and γ is learned.

    Use it once in each network, in the middle: at 16×16 or 32×32 positions in images of 32 to 128 pixels. Its cost grows with
    the fourth power of the side; on smaller maps convolutions see everything.

    Source: Zhang et al. (2019), "Self-Attention Generative Adversarial Networks", arXiv:1805.08318, section 3. The text has
    values of C/8 channels and pools nothing (value_ratio = 8, pool = 1); the published code has values of C/2 and pools keys
    and values 2×2, as BigGAN and others do after it: that is the default.

    Options:
        reduction: C / reduction channels in queries and keys.
        value_ratio: C / value_ratio channels in values.
        pool: side of the max-pooling of keys and values; 1: none.
        gamma: γ at the start.
        scale: factor of the scores; SAGAN has none, so 1. The transformer's is 1 / sqrt(C / reduction).
        path: "plain" builds the map, O(N·M) memory; "fused" never does, O(N) memory, and has no second derivative; "auto"
            is plain up to 32×32 positions and where a penalty needs second derivatives, else fused.
    """

    reduction: int = option(8, low=1)
    value_ratio: int = option(2, low=1)
    pool: int = option(2, low=1)
    gamma: float = option(0.0)
    scale: float = option(1.0, above=0)
    path: AttentionPath = option("auto")

    def build(self, site: Site) -> nn.Module:
        """Return the block for features [B, C, H, W] at ``site``. Raise PlacementError if they do not fit the options."""
        inner, values = share(site, "reduction", self.reduction), share(site, "value_ratio", self.value_ratio)
        return GlobalBlock(site, inner, values, self.gamma, self.pool, self.path, scale=self.scale)
