"""A random rectangle of each image erased."""

from __future__ import annotations

import torch
from torch import Tensor

from ganblocks_augments.draws import integers


def cut_out(image: Tensor, draws: Tensor, ratio: float, fill: float) -> Tensor:
    """Set a box of ``ratio`` of the sides to ``fill`` in each image [B, C, H, W]; its centre is anywhere, so it may stick out.

    ``draws`` [B, 2], uniform in [0, 1), say where.
    """
    height, width = image.shape[2:]
    rows, columns = _covered(draws[:, 0], height, ratio), _covered(draws[:, 1], width, ratio)
    box = rows[:, None, :, None] & columns[:, None, None, :]
    return torch.where(box, fill, image)


def _covered(draw: Tensor, length: int, ratio: float) -> Tensor:
    """Which positions along a side the box covers, bool [B, length]."""
    size = int(ratio * length + 0.5)
    centre = integers(draw, length + 1 - size % 2)  # an even box has its centre between pixels: one place more
    offset = torch.arange(length, device=draw.device) - centre[:, None] + size // 2
    return (offset >= 0) & (offset < size)
