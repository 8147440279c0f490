"""Erasing a random rectangle of each image."""

from __future__ import annotations

import torch
from torch import Tensor


def corner_ranges(height: int, width: int, ratio: float) -> list[tuple[float, float]]:
    """Return the ranges of a box's first row and column, before rounding down; its centre is anywhere in the image.

    The centre of a box of even size lies between pixels, or on an edge of the image: one position more.
    """
    sizes = ((side, _size(side, ratio)) for side in (height, width))
    return [(-(size // 2), side + 1 - size % 2 - size // 2) for side, size in sizes]


def cut_out(image: Tensor, corner: Tensor, ratio: float, fill: float) -> Tensor:
    """Set a box of ``ratio`` of the sides, from row and column ``corner`` [B, 2], to ``fill`` in image [B, C, H, W]."""
    rows, columns = (_covered(corner[:, axis], image.shape[2 + axis], ratio) for axis in (0, 1))
    return torch.where(rows[:, None, :, None] & columns[:, None, None, :], fill, image)


def _size(side: int, ratio: float) -> int:
    return int(ratio * side + 0.5)


def _covered(first: Tensor, side: int, ratio: float) -> Tensor:
    """Return bool [B, side]: the positions along a side that the box covers, which may extend beyond the image."""
    offset = torch.arange(side, device=first.device) - first[:, None]
    return (offset >= 0) & (offset < _size(side, ratio))
