"""What all blocks of this plugin share: four projections, and a gate."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import AttentionMap, Gated, Site
from ganblocks_attentions.arithmetic import fused, merge, plain, split, weights


class AttentionBlock(nn.Module, AttentionMap, Gated):
    """x [B, C, H, W] -> x + γ · out(what is gathered of the values), with 1×1 convolutions without bias."""

    def __init__(self, site: Site, inner: int, values: int, gamma: float) -> None:
        super().__init__()
        channels = site.channels
        self.query = site.layer(nn.Conv2d(channels, inner, 1, bias=False), "query")
        self.key = site.layer(nn.Conv2d(channels, inner, 1, bias=False), "key")
        self.value = site.layer(nn.Conv2d(channels, values, 1, bias=False), "value")
        self.out = site.layer(nn.Conv2d(values, channels, 1, bias=False), "out")
        self.gamma = nn.Parameter(torch.tensor(float(gamma)))

    def forward(self, x: Tensor) -> Tensor:
        attended: Tensor = self.out(self.gather(x))
        return x + self.gamma * attended

    def gather(self, x: Tensor) -> Tensor:
        """The values that each position gathers: [B, C, H, W] -> [B, values, H, W]."""
        raise NotImplementedError


class GlobalBlock(AttentionBlock):
    """Every position attends to all positions, or to all cells of pool × pool of them."""

    positions: Tensor | None

    def __init__(
        self,
        site: Site,
        *,
        heads: int,
        width: int,
        gamma: float,
        pool: int,
        scale: float,
        fused: bool,
        positions: Tensor | None = None,
    ) -> None:
        super().__init__(site, heads * width, heads * width, gamma)
        self.heads, self.pool, self.scale, self.fused = heads, pool, scale, fused
        self.register_buffer("positions", positions, persistent=False)

    def gather(self, x: Tensor) -> Tensor:
        placed = self._placed(x)
        query, key, value = self.query(placed), self._pooled(self.key(placed)), self._pooled(self.value(placed))
        attend = fused if self.fused else plain
        gathered = attend(split(query, self.heads), split(key, self.heads), split(value, self.heads), self.scale)
        return merge(gathered, x.shape[2], x.shape[3])

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """([B, heads, N, M] with rows over keys that sum to 1, (height, width) of the key grid), in float32 or better."""
        placed = self._placed(x)
        key = self._pooled(self.key(placed))
        found = weights(split(self.query(placed), self.heads), split(key, self.heads), self.scale)
        return found, (key.shape[2], key.shape[3])

    def _placed(self, x: Tensor) -> Tensor:
        return x if self.positions is None else x + self.positions.to(x.dtype)

    def _pooled(self, x: Tensor) -> Tensor:
        return x if self.pool == 1 else functional.max_pool2d(x, self.pool)
