"""From pooled features to a score, in full precision."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganblocks import Score


def score(features: Tensor, linear: nn.Module, class_weight: Tensor | None = None) -> Score:
    """<w + class_weight, φ> + b for features φ [B, C], with w [1, C] and b of ``linear``, and class_weight [B, C] or nothing.

    The weights are read and multiplied here: under autocast a call of the layer would round logits to bfloat16's 8 bits.
    """
    weight: Tensor = linear.weight  # type: ignore[assignment]
    bias: Tensor | None = linear.bias  # type: ignore[assignment]
    if class_weight is not None:
        weight = weight + class_weight
    logits = (features.to(torch.promote_types(features.dtype, torch.float32)) * weight).sum(dim=1)
    return Score(logits if bias is None else logits + bias, features=features)
