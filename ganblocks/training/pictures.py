"""Images as a picture that a person can look at."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ganblocks.files import replace_file

SMALLEST_TILE = 64
"""Pixels of the shorter side: smaller images are enlarged by a whole factor, without smoothing."""


def save_grid(images: Tensor, path: Path, columns: int) -> None:
    """Write images [n, C, H, W] in [-1, 1] as a PNG of ``columns`` tiles per row, row by row."""
    n, channels, height, width = images.shape
    rows = -(-n // columns)
    tiles = torch.full((rows * columns, channels, height, width), 255, dtype=torch.uint8)
    tiles[:n] = to_bytes(images)
    grid = tiles.view(rows, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    pixels = grid.reshape(rows * height, columns * width, channels).numpy()
    picture = Image.fromarray(pixels[..., 0] if channels == 1 else pixels[..., :3])
    scale = max(1, SMALLEST_TILE // min(height, width))
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    with replace_file(path) as file:
        picture.save(file, format="PNG")


def to_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1] as uint8, rounded to the nearest."""
    return images.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
