"""Scaled dot-product attention over tokens, with heads: through its map, and without it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from ganblocks import Site, full_precision

AttentionPath = Literal["auto", "fused", "plain"]
"""How attention is computed; see :func:`fuses`."""
LARGEST_PLAIN = 1024
"""Positions up to which ``auto`` builds the map: at 32×32 and below that is as fast as the fused kernel."""


def fuses(site: Site, path: AttentionPath) -> bool:
    """Return whether the fused kernel is used here. Raise PlacementError if "fused" meets a penalty of second derivatives."""
    if path == "fused" and site.twice_differentiable:
        raise site.error("the fused path has no second derivative, which a penalty needs here", 'use path = "auto"')
    if path != "auto":
        return path == "fused"
    return not site.twice_differentiable and site.height * site.width > LARGEST_PLAIN


def split(x: Tensor, heads: int = 1) -> Tensor:
    """Return tokens: [B, heads · D, H, W] -> [B, heads, N, D], a view."""
    return x.flatten(2).view(len(x), heads, -1, x.shape[2] * x.shape[3]).mT


def merge(tokens: Tensor, height: int, width: int) -> Tensor:
    """Undo :func:`split`: [B, heads, N, D] -> [B, heads · D, H, W] in channels_last."""
    return tokens.transpose(1, 2).reshape(len(tokens), height, width, -1).permute(0, 3, 1, 2)


def attention_weights(query: Tensor, key: Tensor, scale: float, bias: Tensor | None = None) -> Tensor:
    """Return the softmax over keys of scaled scores plus bias: [B, heads, N, D], [B, heads, M, D] -> [B, heads, N, M]."""
    scores = full_precision(query @ key.mT)  # in half precision large scores lose their differences
    scores = scores if scale == 1 else scores * scale
    return torch.softmax(scores if bias is None else scores + bias, dim=-1)


def plain(query: Tensor, key: Tensor, value: Tensor, scale: float, bias: Tensor | None = None) -> Tensor:
    """Attend through the map: [B, heads, N, D], [B, heads, M, D], [B, heads, M, V] -> [B, heads, N, V]."""
    return attention_weights(query, key, scale, bias).to(value.dtype) @ value


def fused(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Return what :func:`plain` returns, [B, heads, N, V], in memory that grows with N and not with N·M.

    Fused kernels need queries, keys and values of one width: the narrower side is padded with zeros, which change no score and
    add only columns that are cut off again.
    """
    width = max(query.shape[-1], value.shape[-1])
    q, k, v = (functional.pad(part, (0, width - part.shape[-1])) for part in (query, key, value))
    return functional.scaled_dot_product_attention(q, k, v, scale=scale)[..., : value.shape[-1]]
