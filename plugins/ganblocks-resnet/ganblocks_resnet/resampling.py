"""Resampling by two, folded into the 3×3 convolution beside it: the same function with less than half of the arithmetic."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import without_autocast

Upsampling = Literal["nearest", "bilinear"]
FOLD_FROM = 1024
"""Positions in a batch (B · H · W) from which on folding an upsampling is faster: the 4×4 kernel costs the same for any batch.
Measured on a CPU, forward and backward together, folding takes 2.5 times as long at 128 positions, the same time at 1024 and
0.6 of the time at 4096. Folding a downsampling is faster from the smallest sizes on: four times as many positions enter it."""


def upsample(x: Tensor, mode: Upsampling = "nearest") -> Tensor:
    """[B, C, H, W] -> [B, C, 2H, 2W]. Bilinear weighs the four nearest positions, and repeats those at the border."""
    return functional.interpolate(x, scale_factor=2, mode=mode, align_corners=None if mode == "nearest" else False)


def downsample(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, C, H/2, W/2], the means of 2×2 positions."""
    return functional.avg_pool2d(x, 2)


def upsample_then(conv: nn.Module, x: Tensor, mode: Upsampling = "nearest") -> Tensor:
    """conv(upsample(x)) for a 3×3 convolution of padding 1, weight-normalised or not: [B, C, H, W] -> [B, D, 2H, 2W]."""
    folds = mode == "nearest" and x.shape[0] * x.shape[2] * x.shape[3] >= FOLD_FROM
    return folded_upsample_then(conv, x) if folds else cast("Tensor", conv(upsample(x, mode)))


def folded_upsample_then(conv: nn.Module, x: Tensor) -> Tensor:
    """conv(upsample(x)), [B, C, H, W] -> [B, D, 2H, 2W], with 16 products per input, channel and output channel, not 36.

    Each output depends on at most 2×2 different inputs, so this is a transposed convolution of stride 2. Its 4×4 kernel is
    the mirrored 3×3 kernel summed over windows of 2×2.
    """
    kernel = _window_sums(conv).flip(2, 3).transpose(0, 1)
    return functional.conv_transpose2d(x, kernel, _bias(conv), stride=2, padding=1)


def then_downsample(conv: nn.Module, x: Tensor) -> Tensor:
    """downsample(conv(x)) for a 3×3 convolution of padding 1, weight-normalised or not: [B, C, H, W] -> [B, D, H/2, W/2].

    This is a convolution of stride 2 whose 4×4 kernel is the mean of the 3×3 kernel over windows of 2×2: 4 products per input,
    channel and output channel instead of 9.
    """
    return functional.conv2d(x, _window_sums(conv) / 4, _bias(conv), stride=2, padding=1)


def _window_sums(conv: nn.Module) -> Tensor:
    """Return the sums of a kernel [D, C, 3, 3], with a border of zeros, over windows of 2×2: [D, C, 4, 4] in channels_last.

    They are a product with a fixed matrix. (Average pooling is slower, and its gradient is wrong on CUDA in channels_last:
    pytorch issues 107201 and 188344.)
    """
    kernel = cast("Tensor", conv.weight)
    with without_autocast(kernel):
        rows = kernel.permute(0, 2, 3, 1).flatten(1, 2)  # [D, 9, C], a view in channels_last
        sums = torch.matmul(_WINDOWS.to(rows), rows)
        return sums.view(len(sums), 4, 4, -1).permute(0, 3, 1, 2)


def _bias(conv: nn.Module) -> Tensor | None:
    return cast("Tensor | None", conv.bias)


def _windows() -> Tensor:
    """Return the matrix [16, 9] of sums over windows of 2×2 of a 3×3 kernel with a border of zeros."""
    along = torch.zeros(4, 3)  # entry i of a padded side sums entries i - 1 and i of the kernel
    for entry in range(3):
        along[entry : entry + 2, entry] = 1
    return torch.kron(along, along)


_WINDOWS = _windows()
