"""Grids of images as PNG files."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ganblocks.files import replace_file

SMALLEST_TILE = 64
"""Shorter side in pixels; smaller images are enlarged by an integer factor, without smoothing."""


def save_grid(images: Tensor, path: Path, columns: int) -> int:
    """Write images [n, C, H, W], in [-1, 1] or uint8, as a PNG with ``columns`` per row; return the factor of enlargement."""
    save_picture(draw_grid(images, columns), path)
    return _enlargement(images)


def save_picture(drawn: Image.Image, path: Path) -> None:
    """Write a picture as a PNG."""
    with replace_file(path) as file:
        drawn.save(file, format="PNG")


def draw_grid(images: Tensor, columns: int) -> Image.Image:
    """Return images [n, C, H, W], in [-1, 1] or uint8, as one picture with ``columns`` per row, small ones enlarged."""
    n, channels, height, width = images.shape
    rows = -(-n // columns)
    tiles = torch.full((rows * columns, channels, height, width), 255, dtype=torch.uint8)
    tiles[:n] = images if images.dtype == torch.uint8 else to_bytes(images)
    grid = tiles.view(rows, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    drawn = picture(grid.reshape(rows * height, columns * width, channels))
    scale = _enlargement(images)
    return drawn.resize((drawn.width * scale, drawn.height * scale), Image.Resampling.NEAREST)


def _enlargement(images: Tensor) -> int:
    """Return the integer factor by which images [n, C, H, W] are enlarged."""
    return max(1, SMALLEST_TILE // min(images.shape[2:]))


def picture(pixels: Tensor) -> Image.Image:
    """Return uint8 pixels [H, W, C] as a picture: grey for one channel, else the first three as RGB."""
    array = pixels.numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array[..., :3])


def to_bytes(images: Tensor) -> Tensor:
    """Return images [B, C, H, W] in [-1, 1] as uint8, rounded."""
    return images.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
