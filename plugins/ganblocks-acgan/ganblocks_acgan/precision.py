"""Precision."""

from __future__ import annotations

import torch
from torch import Tensor


def full_precision(x: Tensor) -> Tensor:
    """In float32, or in float64 where it is that already: what leaves a network under autocast is not rounded to 8 bits."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
