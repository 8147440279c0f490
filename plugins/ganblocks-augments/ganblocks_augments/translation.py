"""Random shifts by whole pixels."""

from __future__ import annotations

import torch
from torch import Tensor


def shift_ranges(height: int, width: int, ratio: float) -> list[tuple[float, float]]:
    """Where the shifts down and right lie, before rounding down to whole pixels: up to ``ratio`` of a side either way."""
    reaches = (int(ratio * side + 0.5) for side in (height, width))
    return [(-reach, reach + 1) for reach in reaches]


def draw_shifts(image: Tensor, ratio: float, rng: torch.Generator) -> Tensor:
    """Whole pixels down and right for each image [B, C, H, W]: int64 [B, 2] on the image's device, drawn on the processor."""
    ranges = shift_ranges(image.shape[2], image.shape[3], ratio)
    low, high = torch.tensor(ranges, dtype=torch.float64, device="cpu").unbind(1)
    places = torch.lerp(low, high, torch.rand(len(image), 2, generator=rng, dtype=torch.float64, device="cpu"))
    return places.floor().long().to(image.device, non_blocking=True)


def translate(image: Tensor, shift: Tensor, fill: float) -> Tensor:
    """Shift each image [B, C, H, W] down and right by whole pixels [B, 2]; ``fill`` comes in from outside."""
    height, width = image.shape[2:]
    down, right = shift.long()[:, :, None].unbind(1)
    rows = torch.arange(height, device=image.device) - down
    columns = torch.arange(width, device=image.device) - right
    # read around the edge, so that each pixel is read once and no two gradients meet, and put the fill over what came round
    inner_rows, inner_columns = rows % height, columns % width
    inside = (rows == inner_rows)[:, None, :, None] & (columns == inner_columns)[:, None, None, :]
    index = torch.add(inner_columns[:, None, :], inner_rows[:, :, None], alpha=width).flatten(1)
    moved = image.flatten(2).gather(2, index[:, None].expand(-1, image.shape[1], -1)).view(image.shape)
    return torch.where(inside, moved, fill)
