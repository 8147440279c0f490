"""Random shifts by whole pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from ganblocks_augments.common import uniform


def shift_ranges(height: int, width: int, ratio: float) -> list[tuple[float, float]]:
    """Return the ranges of the shifts down and right, before rounding down: up to ``ratio`` of a side in both directions."""
    reaches = (int(ratio * side + 0.5) for side in (height, width))
    return [(-reach, reach + 1) for reach in reaches]


def draw_shifts(image: Tensor, ratio: float, rng: torch.Generator) -> Tensor:
    """Draw pixels down and right, int64 [B, 2] on the image's device, for each image [B, C, H, W]."""
    shifts = uniform(shift_ranges(image.shape[2], image.shape[3], ratio), len(image), rng)
    return shifts.floor().long().to(image.device, non_blocking=True)


def translate(image: Tensor, shift: Tensor, fill: float) -> Tensor:
    """Shift each image [B, C, H, W] down and right by whole pixels [B, 2]; uncovered pixels become ``fill``."""
    height, width = image.shape[2:]
    down, right = shift.long()[:, :, None].unbind(1)
    rows = torch.arange(height, device=image.device) - down
    columns = torch.arange(width, device=image.device) - right
    # wrap around, so that each pixel is read once and no two gradients are added, then fill what came from the other side
    inner_rows, inner_columns = rows % height, columns % width
    inside = (rows == inner_rows)[:, None, :, None] & (columns == inner_columns)[:, None, None, :]
    index = torch.add(inner_columns[:, None, :], inner_rows[:, :, None], alpha=width).flatten(1)
    moved = image.flatten(2).gather(2, index[:, None].expand(-1, image.shape[1], -1)).view(image.shape)
    return torch.where(inside, moved, fill)
