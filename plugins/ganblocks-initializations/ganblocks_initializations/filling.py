"""The part that all rules share: weights are drawn on the CPU, outputs first, and biases are zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn


@torch.no_grad()
def fill_with(layer: nn.Module, draw: Callable[[Tensor], object]) -> None:
    """Set ``layer.weight`` to what ``draw`` writes into a tensor [N, ...] of N outputs, and ``layer.bias``, if any, to zero.

    That tensor is contiguous, on the CPU and at least float32, whatever the weight is, so that equal seeds give equal weights
    on every device and in every memory format. An embedding's outputs are its classes. Transposed convolutions, which store
    (in, out, kernel), are transposed.
    """
    weight = cast("Tensor", layer.weight)
    transposed = isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
    target = weight.transpose(0, 1) if transposed else weight
    fresh = torch.empty(target.shape, dtype=torch.promote_types(weight.dtype, torch.float32), device="cpu")
    draw(fresh)
    target.copy_(fresh)
    if isinstance(bias := getattr(layer, "bias", None), Tensor):
        bias.zero_()
