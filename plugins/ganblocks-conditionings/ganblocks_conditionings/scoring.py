"""Scores of pooled features, in float32 at least."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import Score, full_precision, without_autocast


def score(features: Tensor, linear: nn.Module, class_weight: Tensor | None = None) -> Score:
    """Return <w + class_weight, φ> + b for features φ [B, C], with w [1, C] and b of ``linear``, and class_weight [B, C].

    The products are computed here, because under autocast calling the layer would round logits to bfloat16.
    """
    weight: Tensor = linear.weight  # type: ignore[assignment]
    bias: Tensor | None = linear.bias  # type: ignore[assignment]
    if class_weight is not None:
        weight = weight + class_weight
    logits = (full_precision(features) * weight).sum(dim=1)
    return Score(logits if bias is None else logits + bias, features=features)


def linear(features: Tensor, layer: nn.Module) -> Tensor:
    """Return W φ + b, [B, D], for features φ [B, C], with W [D, C] and b of ``layer``; in float32 at least, always."""
    weight: Tensor = layer.weight  # type: ignore[assignment]
    bias: Tensor | None = layer.bias  # type: ignore[assignment]
    dtype = torch.promote_types(torch.promote_types(features.dtype, weight.dtype), torch.float32)
    with without_autocast(features):
        return functional.linear(features.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype))
