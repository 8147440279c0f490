"""The non-local block, with embedded Gaussians."""

from __future__ import annotations

from attrs import frozen
from torch import nn

from ganblocks import Site, option
from ganblocks_attention.arithmetic import AttentionPath
from ganblocks_attention.block import GlobalBlock
from ganblocks_attention.checks import share


@frozen(kw_only=True)
class NonLocal:
    """Add to every position the mean of all positions, weighted by an embedded Gaussian of each pair.

    f(x_i, x_j) = exp(θ(x_i)ᵀ φ(x_j)),  y_i = x_i + γ · W_z Σ_j f(x_i, x_j) g(x_j) / Σ_j f(x_i, x_j), where θ, φ, g (here named
    query, key and value) and W_z (out) are 1×1 convolutions without bias. With its default ratio it has 2 C² + 1 parameters.

    Use it to compare with the block that SAGAN's attention descends from: the same form with C/2 channels throughout where
    SAGAN's queries and keys have C/8. For new networks ``self_attention`` or ``multi_head`` are the usual choices.

    Source: Wang et al. (2018), "Non-local Neural Networks", arXiv:1711.07971, sections 3.2 and 3.3, equation 6. There the block
    starts as the identity through a batch norm after W_z whose scale starts at 0; here through the gate γ, so that samples do
    not mix. The published layers have biases; these have none, as no attention block here has.

    Options:
        reduction: C / reduction channels in θ, φ and g.
        pool: side of the max-pooling after φ and g (the paper's subsampling trick, which it uses throughout); 1: none.
        gamma: γ at the start.
        path: "plain" builds the map, O(N·M) memory; "fused" never does, O(N) memory, and has no second derivative; "auto" is
            plain up to 32×32 positions and where a penalty needs second derivatives, else fused.
    """

    reduction: int = option(2, low=1)
    pool: int = option(2, low=1)
    gamma: float = option(0.0)
    path: AttentionPath = option("auto")

    def build(self, site: Site) -> nn.Module:
        """Return the block for features [B, C, H, W] at ``site``. Raise PlacementError if they do not fit the options."""
        inner = share(site, "reduction", self.reduction)
        return GlobalBlock(site, inner, inner, self.gamma, self.pool, self.path)
