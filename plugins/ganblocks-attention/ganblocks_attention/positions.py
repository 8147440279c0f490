"""Position encodings: sines and cosines that are added to features, and the offsets between positions."""

from __future__ import annotations

import torch
from torch import Tensor

LONGEST = 10_000.0
"""Wavelengths grow from 2π to this many times 2π."""


def sinusoids(channels: int, height: int, width: int) -> Tensor:
    """Return the encoding [C, H, W], its first half of the row, its second of the column; 4 divides C = ``channels``.

    Each half is the transformer's encoding of one coordinate p: sin(p / 10000^(2i/d)) and cos(p / 10000^(2i/d)), alternating.
    """
    rows = _encoded(height, channels // 2)[:, :, None].expand(-1, -1, width)
    columns = _encoded(width, channels // 2)[:, None, :].expand(-1, height, -1)
    return torch.cat([rows, columns])


def offsets(side: int) -> Tensor:
    """Return int64 [N, N], N = side²: which of (2 side - 1)² offsets leads from a key (column) to a query (row)."""
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    down, right = (axis.flatten()[:, None] - axis.flatten() + side - 1 for axis in (row, column))
    return down * (2 * side - 1) + right


def _encoded(count: int, width: int) -> Tensor:
    """[width, count], width an even number."""
    waves = LONGEST ** -(torch.arange(0, width, 2) / width)
    angles = waves[:, None] * torch.arange(count)
    return torch.stack([angles.sin(), angles.cos()], 1).flatten(0, 1)
