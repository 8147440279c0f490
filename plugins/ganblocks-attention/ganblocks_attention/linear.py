"""Attention whose time and memory grow with the number of positions, not with its square."""

from __future__ import annotations

from typing import Literal

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import relu

from ganblocks import Site, full_precision, option
from ganblocks_attention.arithmetic import merge, split
from ganblocks_attention.block import AttentionBlock
from ganblocks_attention.checks import check_keys, largest_divisor, share


@frozen(kw_only=True)
class LinearAttention:
    """Sum up all values once for each feature of the keys, and let every position read from the sums.

    y = x + γ · out(φ(q) (ψ(k)ᵀ v)): the product in brackets is [D, V] whatever the size of the map, so that memory is O(N). The
    map that it implies, φ(q) ψ(k)ᵀ, has rows that sum to 1. With "softmax", φ is a softmax over the channels of each query, and
    ψ one over the positions of each channel of the keys; with "elu", both are elu + 1, divided by the sum over all keys.

    Use it at large feature sizes, 64×64 and above, where N×N weights are too many. Its map has rank D = C / reduction at most,
    so it tells global patterns apart better than single positions; at small sizes ``self_attention`` costs no more.

    Source: "softmax": Shen et al. (2021), "Efficient Attention: Attention with Linear Complexities", arXiv:1812.01243;
    "elu": Katharopoulos et al. (2020), "Transformers are RNNs", arXiv:2006.16236, section 3.2. The ratios and the gate γ
    are SAGAN's, so that it has as many parameters as ``self_attention``: 1.25 C² + 1.

    Options:
        reduction: C / reduction channels in queries and keys.
        value_ratio: C / value_ratio channels in values.
        feature_map: "softmax" or "elu".
        gamma: γ at the start.
    """

    reduction: int = option(8, low=1)
    value_ratio: int = option(2, low=1)
    feature_map: Literal["softmax", "elu"] = option("softmax")
    gamma: float = option(0.0)

    def build(self, site: Site) -> nn.Module:
        """Return the block for features [B, C, H, W] at ``site``. Raise PlacementError if they do not fit the options."""
        inner, values = share(site, "reduction", self.reduction), share(site, "value_ratio", self.value_ratio)
        check_keys(site, pool=1)
        if inner == 1:
            rule = f"has queries of one channel at {site.channels} channels, and normalised they are all equal"
            fits = [f"use reduction = {largest_divisor(site.channels, site.channels // 2)}"] if site.channels > 1 else []
            raise site.error(rule, ", or ".join([*fits, "a wider network"]))
        return LinearBlock(site, inner, values, self.gamma, self.feature_map)


class LinearBlock(AttentionBlock):
    """x [B, C, H, W] -> [B, C, H, W]; only ``attention_map`` builds the map."""

    def __init__(self, site: Site, inner: int, values: int, gamma: float, feature_map: str) -> None:
        super().__init__(site, inner, values, gamma)
        self.features = softmax_features if feature_map == "softmax" else elu_features

    def gather(self, x: Tensor) -> Tensor:
        """Return the values that each position gathers: [B, C, H, W] -> [B, values, H, W]."""
        value = split(self.value(x))
        query, key = (features.to(value.dtype) for features in self._features(x))
        return merge(query @ (key.mT @ value), x.shape[2], x.shape[3])

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Return the implied map [B, 1, N, N], whose rows over keys sum to 1, in float32 at least, and (height, width)."""
        query, key = self._features(x)
        with torch.autocast(x.device.type, enabled=False):
            return query @ key.mT, (x.shape[2], x.shape[3])

    def _features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.features(full_precision(split(self.query(x))), full_precision(split(self.key(x))))


def softmax_features(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Return both as softmax, [B, 1, N, D] -> [B, 1, N, D]: queries over channels, keys over positions."""
    return query.softmax(-1), key.softmax(-2)


def elu_features(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Return elu + 1 of both, [B, 1, N, D] -> [B, 1, N, D], with queries scaled so that products sum to 1 over keys."""
    query, key = elu_plus_one(query), elu_plus_one(key)
    query, key = query / query.sum(-1, keepdim=True), key / key.sum((-2, -1), keepdim=True)  # both cancel: no underflow below
    return query / (query * key.sum(-2, keepdim=True)).sum(-1, keepdim=True), key


def elu_plus_one(x: Tensor) -> Tensor:
    """Return elu(x) + 1 for x of any shape: exp(x) below 0, so that it does not cancel to 0 below -17 in float32."""
    return x.clamp(max=0).exp() + relu(x)
