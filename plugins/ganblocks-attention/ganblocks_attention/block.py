"""The modules that the attention blocks share: four projections and a gate; attention to all positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import AppliesMap, Gated, Site
from ganblocks_attention.arithmetic import AttentionPath, attention_weights, fused, fuses, merge, plain, split
from ganblocks_attention.checks import check_keys


class AttentionBlock(nn.Module, AppliesMap, Gated):
    """x [B, C, H, W] -> x + γ · out(gathered values), with 1×1 convolutions without bias."""

    def __init__(self, site: Site, inner: int, values: int, gamma: float) -> None:
        super().__init__()
        channels = site.channels
        self.query = site.layer(nn.Conv2d(channels, inner, 1, bias=False), "query")
        self.key = site.layer(nn.Conv2d(channels, inner, 1, bias=False), "key")
        self.value = site.layer(nn.Conv2d(channels, values, 1, bias=False), "value")
        self.out = site.layer(nn.Conv2d(values, channels, 1, bias=False), "out")
        self.gamma = nn.Parameter(torch.tensor(float(gamma)))

    def forward(self, x: Tensor) -> Tensor:
        """Return x [B, C, H, W] plus the gated attention to it."""
        return self._plus(x, self.gather(x))

    def gather(self, x: Tensor) -> Tensor:
        """Return the values that each position gathers: [B, C, H, W] -> [B, values, H, W]."""
        raise NotImplementedError

    def with_map(self, x: Tensor, attention: Tensor) -> Tensor:
        """Return forward(x) [B, C, H, W] with ``attention`` [B, heads, N, M] as the map."""
        values = self.values(x)
        return self._plus(x, merge(attention.to(values.dtype) @ values, x.shape[2], x.shape[3]))

    def values(self, x: Tensor) -> Tensor:
        """Return the values at the keys: [B, C, H, W] -> [B, heads, M, V]."""
        return split(self.value(x))

    def _plus(self, x: Tensor, gathered: Tensor) -> Tensor:
        attended: Tensor = self.out(gathered)
        return x + self.gamma * attended


class GlobalBlock(AttentionBlock):
    """Attention of every position to all positions, or to all max-pooled cells of pool × pool positions.

    ``inner`` and ``values`` count the channels of all heads together. Raise what ``check_keys`` and ``fuses`` raise.
    """

    positions: Tensor | None

    def __init__(
        self,
        site: Site,
        inner: int,
        values: int,
        gamma: float,
        pool: int,
        path: AttentionPath,
        heads: int = 1,
        scale: float = 1.0,
        positions: Tensor | None = None,
    ) -> None:
        check_keys(site, pool)
        super().__init__(site, inner, values, gamma)
        self.heads, self.pool, self.scale, self.fused = heads, pool, float(scale), fuses(site, path)
        self.register_buffer("positions", positions, persistent=False)

    def gather(self, x: Tensor) -> Tensor:
        """Return the values that each position gathers: [B, C, H, W] -> [B, values, H, W]."""
        x_placed = self._placed(x)
        query, key, value = self.query(x_placed), self._pooled(self.key(x_placed)), self._pooled(self.value(x_placed))
        attend = fused if self.fused else plain
        gathered = attend(split(query, self.heads), split(key, self.heads), split(value, self.heads), self.scale)
        return merge(gathered, x.shape[2], x.shape[3])

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Return ([B, heads, N, M] with rows over keys that sum to 1, (height, width) of the key grid), float32 at least."""
        x_placed = self._placed(x)
        key = self._pooled(self.key(x_placed))
        attention = attention_weights(split(self.query(x_placed), self.heads), split(key, self.heads), self.scale)
        return attention, (key.shape[2], key.shape[3])

    def values(self, x: Tensor) -> Tensor:
        """Return the values at the keys: [B, C, H, W] -> [B, heads, M, V]."""
        return split(self._pooled(self.value(self._placed(x))), self.heads)

    def _placed(self, x: Tensor) -> Tensor:
        return x if self.positions is None else x + self.positions.to(x.dtype)

    def _pooled(self, x: Tensor) -> Tensor:
        return x if self.pool == 1 else functional.max_pool2d(x, self.pool)
