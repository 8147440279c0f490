"""Random shifts by whole pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from ganblocks_augments.draws import integers


def translate(image: Tensor, draws: Tensor, ratio: float, fill: float) -> Tensor:
    """Shift each image [B, C, H, W] down and right by up to ``ratio`` of its sides, either way; ``fill`` comes in from outside.

    ``draws`` [B, 2], uniform in [0, 1), say how far.
    """
    height, width = image.shape[2:]
    rows = _sources(draws[:, 0], height, ratio)[:, :, None]
    columns = _sources(draws[:, 1], width, ratio)[:, None, :]
    inside = ((rows >= 0) & (rows < height) & (columns >= 0) & (columns < width))[:, None]
    # wrapped around, each pixel is read once: the gradient scatters without two writes to one place
    index = (rows % height * width + columns % width).flatten(1)[:, None].expand(-1, image.shape[1], -1)
    moved = image.flatten(2).gather(2, index).view(image.shape)
    return torch.where(inside, moved, fill)


def _sources(draw: Tensor, length: int, ratio: float) -> Tensor:
    """The position that each position along a side is read from, int64 [B, length]; outside the side where nothing is there."""
    reach = int(ratio * length + 0.5)
    shift = integers(draw, 2 * reach + 1) - reach
    return torch.arange(length, device=draw.device) - shift[:, None]
