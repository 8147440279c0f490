"""Grids of images as PNG files, and as frames of an animation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ganblocks.files import replace_file

SMALLEST_TILE = 64
"""Shorter side in pixels; smaller images are enlarged by an integer factor, without smoothing."""
FRAME = 60
"""Milliseconds of a frame of an animation; a GIF counts in tens of them."""
ANIMATIONS: dict[str, dict[str, Any]] = {".gif": {"format": "GIF"}, ".webp": {"format": "WEBP", "lossless": True}}
"""Suffix -> how Pillow writes it. A GIF has 256 colours per frame, and a WebP has all of them."""


def save_grid(images: Tensor, path: Path, columns: int) -> int:
    """Write images [n, C, H, W], in [-1, 1] or uint8, as a PNG with ``columns`` per row; return the factor of enlargement."""
    drawn, scale = grid_picture(images, columns)
    save_picture(drawn, path)
    return scale


def save_picture(drawn: Image.Image, path: Path) -> None:
    """Write a picture as a PNG."""
    with replace_file(path) as file:
        drawn.save(file, format="PNG")


def save_animation(frames: Iterable[Tensor], path: Path, columns: int) -> int:
    """Write frames as an animation that repeats forever, by the suffix of its path; return the factor of enlargement.

    Args:
        frames: each a grid of images [n, C, H, W], in [-1, 1] or uint8, with ``columns`` per row.
        path: ends with a suffix of :data:`ANIMATIONS`. Pillow joins equal frames in a row to a longer one.
        columns: images per row.
    """
    drawn, scales = zip(*(grid_picture(images, columns) for images in frames), strict=True)
    with replace_file(path) as file:
        options = ANIMATIONS[path.suffix.lower()]
        drawn[0].save(file, save_all=True, append_images=drawn[1:], duration=FRAME, loop=0, **options)
    scale: int = scales[0]
    return scale


def grid_picture(images: Tensor, columns: int) -> tuple[Image.Image, int]:
    """Return images [n, C, H, W], in [-1, 1] or uint8, as one picture, and the factor by which it is enlarged."""
    n, channels, height, width = images.shape
    rows = -(-n // columns)
    tiles = torch.full((rows * columns, channels, height, width), 255, dtype=torch.uint8)
    tiles[:n] = images if images.dtype == torch.uint8 else to_bytes(images)
    grid = tiles.view(rows, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    drawn = picture(grid.reshape(rows * height, columns * width, channels))
    scale = max(1, SMALLEST_TILE // min(height, width))
    return drawn.resize((drawn.width * scale, drawn.height * scale), Image.Resampling.NEAREST), scale


def picture(pixels: Tensor) -> Image.Image:
    """Return uint8 pixels [H, W, C] as a picture: grey for one channel, else the first three as RGB."""
    array = pixels.numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array[..., :3])


def to_bytes(images: Tensor) -> Tensor:
    """Return images [B, C, H, W] in [-1, 1] as uint8, rounded."""
    return images.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
