"""A random rectangle of each image erased."""

from __future__ import annotations

import torch
from torch import Tensor


def corner_ranges(height: int, width: int, ratio: float) -> list[tuple[float, float]]:
    """Where the first row and column of a box lie, before they are rounded down; its centre is anywhere in the image.

    The centre of a box of even size lies between pixels, or on an edge of the image: one place more.
    """
    sizes = ((side, _size(side, ratio)) for side in (height, width))
    return [(-(size // 2), side + 1 - size % 2 - size // 2) for side, size in sizes]


def cut_out(image: Tensor, corner: Tensor, ratio: float, fill: float) -> Tensor:
    """Set a box of ``ratio`` of the sides to ``fill`` in each image [B, C, H, W], from row and column ``corner`` [B, 2] on."""
    rows, columns = (_covered(corner[:, axis], image.shape[2 + axis], ratio) for axis in (0, 1))
    return torch.where(rows[:, None, :, None] & columns[:, None, None, :], fill, image)


def _size(side: int, ratio: float) -> int:
    return int(ratio * side + 0.5)


def _covered(first: Tensor, side: int, ratio: float) -> Tensor:
    """Which positions along a side the box covers, bool [B, side]; it may begin before the image and end behind it."""
    offset = torch.arange(side, device=first.device) - first[:, None]
    return (offset >= 0) & (offset < _size(side, ratio))
