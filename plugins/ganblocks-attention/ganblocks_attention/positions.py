"""Where a position is: sines and cosines that are added to features, and the offsets between positions."""

from __future__ import annotations

import torch
from torch import Tensor

LONGEST = 10_000.0
"""Wavelengths grow from 2π to this many times 2π."""


def sinusoids(channels: int, height: int, width: int) -> Tensor:
    """[channels, H, W]: the first half of the channels encodes the row, the second half the column; 4 divides channels.

    Each half is the transformer's encoding of one coordinate p: sin(p / 10000^(2i/d)), cos(p / 10000^(2i/d)) in turn.
    """
    rows = _encoded(height, channels // 2)[:, :, None].expand(-1, -1, width)
    columns = _encoded(width, channels // 2)[:, None, :].expand(-1, height, -1)
    return torch.cat([rows, columns])


def offsets(side: int) -> Tensor:
    """int64 [side², side²]: which of the (2 side - 1)² offsets in a plane leads from a key (column) to a query (row)."""
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    down, right = (each.flatten()[:, None] - each.flatten() + side - 1 for each in (row, column))
    return down * (2 * side - 1) + right


def _encoded(count: int, width: int) -> Tensor:
    """[width, count], width an even number."""
    waves = LONGEST ** -(torch.arange(0, width, 2) / width)
    angles = waves[:, None] * torch.arange(count)
    return torch.stack([angles.sin(), angles.cos()], 1).flatten(0, 1)
