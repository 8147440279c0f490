"""Images as a picture that a person can look at."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ganblocks.files import replace_file

SMALLEST_TILE = 64
"""Pixels of the shorter side: smaller images are enlarged by a whole factor, without smoothing."""


def save_grid(images: Tensor, path: Path, columns: int) -> int:
    """Write images [n, C, H, W], in [-1, 1] or bytes, as a PNG of ``columns`` tiles per row, row by row.

    Returns how many times they are enlarged.
    """
    n, channels, height, width = images.shape
    rows = -(-n // columns)
    tiles = torch.full((rows * columns, channels, height, width), 255, dtype=torch.uint8)
    tiles[:n] = images if images.dtype == torch.uint8 else to_bytes(images)
    grid = tiles.view(rows, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    drawn = picture(grid.reshape(rows * height, columns * width, channels))
    scale = max(1, SMALLEST_TILE // min(height, width))
    drawn = drawn.resize((drawn.width * scale, drawn.height * scale), Image.Resampling.NEAREST)
    with replace_file(path) as file:
        drawn.save(file, format="PNG")
    return scale


def picture(pixels: Tensor) -> Image.Image:
    """uint8 [H, W, C] as a picture: grey where there is one channel, else the first three as colours."""
    array = pixels.numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array[..., :3])


def to_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1] as uint8, rounded to the nearest."""
    return images.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
