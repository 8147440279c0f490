"""SAGAN's self-attention block."""

from __future__ import annotations

from typing import Literal

import torch
from attrs import field, frozen
from attrs.validators import ge, gt, in_, instance_of
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import AttentionMap, Gated, Site
from ganblocks_self_attention.channels import check_channels

_at_least_one = [instance_of(int), ge(1)]
_paths = ("auto", "fused", "plain")

LARGEST_PLAIN = 1024
"""Positions up to which ``auto`` builds the map: at 32×32 and below that is as fast as the fused kernel."""


@frozen(kw_only=True)
class SelfAttention:
    """Every position gathers values from all positions, weighted by how well its query fits their keys.

    β[j, i] = softmax over i of (scale · k(x_i)ᵀ q(x_j)),  y_j = x_j + γ · out(Σ_i β[j, i] v(x_i)), where q, k, v and out are
    1×1 convolutions without bias, and γ is learned.

    Use it once in each network, in the middle: at 16×16 or 32×32 positions in images of 32 to 128 pixels. Its cost grows with
    the fourth power of the side; smaller maps are seen whole by convolutions.

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

    reduction: int = field(default=8, validator=_at_least_one)
    value_ratio: int = field(default=2, validator=_at_least_one)
    pool: int = field(default=2, validator=_at_least_one)
    gamma: float = field(default=0.0, validator=instance_of((int, float)))
    scale: float = field(default=1.0, validator=[instance_of((int, float)), gt(0)])
    path: Literal["auto", "fused", "plain"] = field(default="auto", validator=in_(_paths))

    def build(self, site: Site) -> nn.Module:
        check_channels(site, self.reduction, self.value_ratio)
        if site.height % self.pool or site.width % self.pool:
            rule = f"needs a height and width that pool = {self.pool} divides, got {site.height}×{site.width}"
            raise site.error(rule, "use pool = 1")
        if site.height * site.width == self.pool**2:
            rule = f"has one key at {site.height}×{site.width} with pool = {self.pool}: there is nothing to choose from"
            raise site.error(rule, "use pool = 1" if self.pool > 1 else "place it at a larger feature size")
        if self.path == "fused" and site.twice_differentiable:
            raise site.error("the fused path has no second derivative, which a penalty needs here", 'use path = "auto"')
        return SelfAttentionBlock(site, self, self._fused(site))

    def _fused(self, site: Site) -> bool:
        if self.path != "auto":
            return self.path == "fused"
        return not site.twice_differentiable and site.height * site.width > LARGEST_PLAIN


class SelfAttentionBlock(nn.Module, AttentionMap, Gated):
    """x [B, C, H, W] -> [B, C, H, W]."""

    def __init__(self, site: Site, options: SelfAttention, fused: bool) -> None:
        super().__init__()
        channels, inner, values = site.channels, site.channels // options.reduction, site.channels // options.value_ratio
        self.query = site.layer(nn.Conv2d(channels, inner, 1, bias=False), "query")
        self.key = site.layer(nn.Conv2d(channels, inner, 1, bias=False), "key")
        self.value = site.layer(nn.Conv2d(channels, values, 1, bias=False), "value")
        self.out = site.layer(nn.Conv2d(values, channels, 1, bias=False), "out")
        self.gamma = nn.Parameter(torch.tensor(float(options.gamma)))
        self.pool, self.scale, self.fused = options.pool, float(options.scale), fused

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = tokens(self.query(x)), tokens(self._pooled(self.key(x))), tokens(self._pooled(self.value(x)))
        gathered = fused(query, key, value, self.scale) if self.fused else plain(query, key, value, self.scale)
        features = gathered.mT.view(len(x), -1, *x.shape[2:])
        attended: Tensor = self.out(features)
        return x + self.gamma * attended

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """([B, 1, N, M] with rows over keys that sum to 1, (height, width) of the key grid), in float32 or better."""
        pooled = self._pooled(self.key(x))
        scores = weights(tokens(self.query(x)), tokens(pooled), self.scale)
        return scores.unsqueeze(1), (pooled.shape[2], pooled.shape[3])

    def _pooled(self, x: Tensor) -> Tensor:
        return x if self.pool == 1 else functional.max_pool2d(x, self.pool)


def tokens(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, N, C]: a view where x is in channels_last."""
    return x.flatten(2).mT


def weights(query: Tensor, key: Tensor, scale: float) -> Tensor:
    """Softmax over keys of the scaled scores: [B, N, D], [B, M, D] -> [B, N, M].

    In float32 at least: scores are not divided by sqrt(D), and large ones lose their differences in half precision.
    """
    scores = query @ key.mT
    exact = torch.promote_types(scores.dtype, torch.float32)
    return torch.softmax(scores.to(exact) if scale == 1 else scores.to(exact) * scale, dim=-1)


def plain(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Attention through its map: [B, N, D], [B, M, D], [B, M, V] -> [B, N, V]. Differentiable as often as one likes."""
    return weights(query, key, scale).to(value.dtype) @ value


def fused(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Attention without its map: the same value as :func:`plain`, in memory that grows with N and not with N·M.

    Fused kernels want queries, keys and values of one width: the narrower side is padded with zeros, which change no score and
    add only columns that are cut off again.
    """
    width = max(query.shape[-1], value.shape[-1])
    q, k, v = (functional.pad(part, (0, width - part.shape[-1])).unsqueeze(1) for part in (query, key, value))
    gathered = functional.scaled_dot_product_attention(q, k, v, scale=scale)
    return gathered.squeeze(1)[..., : value.shape[-1]]
