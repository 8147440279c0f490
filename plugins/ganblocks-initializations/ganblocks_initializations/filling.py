"""What all rules share: a weight is drawn on the processor, outputs first, and its bias is zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn


@torch.no_grad()
def fill_with(layer: nn.Module, draw: Callable[[Tensor], object]) -> None:
    """Set ``layer.weight`` to what ``draw`` writes into a fresh tensor, and ``layer.bias`` to zero, if there is one.

    The fresh tensor is contiguous, on the processor and at least float32, whatever the weight is, so that equal seeds give
    equal weights on every device and in every memory format. Its first dimension is the layer's outputs (for an embedding,
    classes): transposed convolutions, which store (in, out, kernel), are turned.
    """
    weight = cast("Tensor", layer.weight)
    turned = isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
    target = weight.transpose(0, 1) if turned else weight
    fresh = torch.empty(target.shape, dtype=torch.promote_types(weight.dtype, torch.float32), device="cpu")
    draw(fresh)
    target.copy_(fresh)
    if isinstance(bias := getattr(layer, "bias", None), Tensor):
        bias.zero_()
