"""Scaled dot-product attention over tokens, with heads: through its map, and without it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ganblocks import Site

LARGEST_PLAIN = 1024
"""Positions up to which ``auto`` builds the map: at 32×32 and below that is as fast as the fused kernel."""


def fuses(site: Site, path: str) -> bool:
    """Whether the path that is named, or the one that "auto" takes here, is the fused one. Raises PlacementError where it cannot be."""
    if path == "fused" and site.twice_differentiable:
        raise site.error("the fused path has no second derivative, which a penalty needs here", 'use path = "auto"')
    if path != "auto":
        return path == "fused"
    return not site.twice_differentiable and site.height * site.width > LARGEST_PLAIN


def split(x: Tensor, heads: int = 1) -> Tensor:
    """[B, heads · D, H, W] -> [B, heads, N, D], a view."""
    return x.flatten(2).view(len(x), heads, -1, x.shape[2] * x.shape[3]).mT


def merge(tokens: Tensor, height: int, width: int) -> Tensor:
    """[B, heads, N, D] -> [B, heads · D, H, W] in channels_last: :func:`split`, undone."""
    return tokens.transpose(1, 2).reshape(len(tokens), height, width, -1).permute(0, 3, 1, 2)


def exact(x: Tensor) -> Tensor:
    """x in float32 at least: in half precision large scores lose their differences."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def weights(query: Tensor, key: Tensor, scale: float, bias: Tensor | None = None) -> Tensor:
    """Softmax over keys of the scaled scores, bias added: [..., N, D], [..., M, D] -> [..., N, M], in float32 at least."""
    scores = exact(query @ key.mT)
    scores = scores if scale == 1 else scores * scale
    return torch.softmax(scores if bias is None else scores + bias, dim=-1)


def plain(query: Tensor, key: Tensor, value: Tensor, scale: float, bias: Tensor | None = None) -> Tensor:
    """Attention through its map: [..., N, D], [..., M, D], [..., M, V] -> [..., N, V]. Differentiable as often as one likes."""
    return weights(query, key, scale, bias).to(value.dtype) @ value


def fused(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """The same value as :func:`plain`, in memory that grows with N and not with N·M."""
    return functional.scaled_dot_product_attention(query, key, value, scale=scale)
