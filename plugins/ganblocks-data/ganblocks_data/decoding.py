"""One image file -> one square of 8-bit pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ganblocks import DataError
from ganblocks_data.sheet import Pixels

_DEEP = 65535
"""White in 16 bits."""


def decode(path: Path, size: int, channels: int) -> Pixels:
    """Read an image of any mode, upright, on white; shorter side to ``size`` (antialiased bicubic), centre crop.

    Returns:
        uint8 [channels, size, size], where ``channels`` is 1 (grey) or 3 (RGB).

    Raises:
        DataError: names the file that is no image, is truncated, or has no defined white.
    """
    try:
        with Image.open(path) as image:
            image.draft(None, (3 * size, 3 * size))  # JPEG: shrink while decoding, still three times finer than needed
            ImageOps.exif_transpose(image, in_place=True)
            flat = _on_white(_eight_bit(image)).convert("L" if channels == 1 else "RGB")
    except Exception as error:  # Pillow's decoders raise almost anything on broken files
        raise DataError(f"{path} cannot be read as an image: {error}") from error
    square = ImageOps.fit(flat, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(square).reshape(size, size, channels).transpose(2, 0, 1)


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bits (Pillow's own conversion clips at 255)."""
    if not image.mode.startswith(("I", "F")):
        return image
    deep = np.asarray(image)
    if image.mode == "F" or deep.min() < 0 or deep.max() > _DEEP:
        raise ValueError(f"mode {image.mode} has no defined white; save it with 8 or 16 bits")
    return Image.fromarray(((deep.astype(np.int64) + 128) // 257).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white
