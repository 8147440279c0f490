"""One attention map for all queries: the global context block."""

from __future__ import annotations

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import AppliesMap, Attention, Gated, Site, full_precision, option, socket
from ganblocks_attention.arithmetic import merge, split
from ganblocks_attention.checks import check_keys
from ganblocks_attention.sizing import bottleneck_width


@frozen(kw_only=True)
class GlobalContext:
    """Gather one mean of all positions, weighted by one attention map for all queries, and add the same vector everywhere.

    α = softmax over positions j of (W_k x_j),  context = Σ_j α_j x_j,  y_i = x_i + γ · W_v2 relu(LN(W_v1 context)), where W_k
    (here named key) has one output, W_v1 (reduce) has h, LN is a layer norm over these h channels of one sample, with gains
    and biases, W_v2 (expand) has C, and γ is learned. It has C + 2h (C + 1) + 1 parameters. Time and memory grow with the
    number of positions, not with its square. The layer norm removes the scale of W_v1, also under a weight norm, and that of
    the context, so that the size of what is added hardly depends on the size of x.

    Use it beside an attention block whose map hardly depends on the query: if that selects nothing per position, this block
    should do as well. Therefore it has by default as many parameters as ``self_attention`` with its defaults, where h is
    5C/8 - 1 (within 0.7 % from 16 channels on). With ``like`` it has as many as whatever block stands there, γ included, to
    within 2.5 %; building fails where no integer h comes that close. The paper's block is much smaller: ``reduction`` = 16
    gives C²/8 + 9C/8 + 1 parameters.

    Source: Cao et al. (2019), "GCNet: Non-local Networks Meet Squeeze-Excitation Networks and Beyond", arXiv:1904.11492,
    figure 4(d) and equation 5: its default, with attention pooling and fusion by addition. γ = 1 gives the paper's equation.
    There the block starts as the identity because W_v2 starts at 0; here through the gate γ, as all attention blocks here. In
    the published code the three convolutions have biases; here they have none (W_k's would cancel in the softmax).

    Options:
        reduction: C / reduction channels in the bottleneck (h), 16 in the paper; absent: as many parameters as ``like``.
        like: the attention block that it replaces, with its options; absent: self_attention with its defaults.
        gamma: γ at the start.
    """

    reduction: int | None = option(None, low=1)
    like: Attention | None = socket("attention", optional=True)
    gamma: float = option(0.0)

    def build(self, site: Site) -> nn.Module:
        """Return the block for features [B, C, H, W] at ``site``. Raise PlacementError if they do not fit the options."""
        check_keys(site, pool=1)
        channels = site.channels
        hidden = bottleneck_width(site, lambda width: channels + 2 * width * (channels + 1), self.reduction, self.like)
        return ContextBlock(site, hidden, self.gamma)


class ContextBlock(nn.Module, AppliesMap, Gated):
    """x [B, C, H, W] -> x + γ · transform(context of x), one vector [C] for all positions of a sample."""

    def __init__(self, site: Site, hidden: int, gamma: float) -> None:
        super().__init__()
        self.key = site.layer(nn.Conv2d(site.channels, 1, 1, bias=False), "key")
        self.reduce = site.layer(nn.Linear(site.channels, hidden, bias=False), "reduce")
        self.norm = nn.LayerNorm(hidden)
        self.expand = site.layer(nn.Linear(hidden, site.channels, bias=False), "expand")
        self.gamma = nn.Parameter(torch.tensor(float(gamma)))

    def forward(self, x: Tensor) -> Tensor:
        """Return x [B, C, H, W] plus the gated transform of its context, the same at every position."""
        context = (self._weights(x).to(x.dtype) @ x.flatten(2).mT)[:, 0]
        return x + self.gamma * self.transform(context)[:, :, None, None]

    def transform(self, context: Tensor) -> Tensor:
        """Return what is added for a context, before the gate: [..., C] -> [..., C]."""
        transformed: Tensor = self.expand(functional.relu(self.norm(self.reduce(context))))
        return transformed

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Return the map [B, 1, N, N], all of whose rows are equal and sum to 1, in float32 at least, and (height, width)."""
        height, width = x.shape[2:]
        return self._weights(x)[:, None].repeat(1, 1, height * width, 1), (height, width)

    def with_map(self, x: Tensor, attention: Tensor) -> Tensor:
        """Return forward(x) [B, C, H, W] with ``attention`` [B, 1, N, N] as the map: a context for each row of it."""
        context = attention.to(x.dtype) @ split(x)
        return x + self.gamma * merge(self.transform(context), x.shape[2], x.shape[3])

    def _weights(self, x: Tensor) -> Tensor:
        """[B, 1, N], which sum to 1 over positions."""
        return torch.softmax(full_precision(self.key(x).flatten(2)), -1)
