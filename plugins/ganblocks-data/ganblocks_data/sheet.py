"""Sheets of images that are part of this package: checked by their SHA-256, and cut into images."""

from __future__ import annotations

import hashlib
import io
from importlib.resources import files
from itertools import product

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from ganblocks import DataError

Pixels = npt.NDArray[np.uint8]


def read_resource(name: str, sha256: str) -> bytes:
    """Return the bytes of a file of this package. Raise DataError if it is missing or damaged."""
    try:
        content = (files(__package__) / name).read_bytes()
    except OSError as error:
        raise DataError(f"the installed ganblocks lacks its file {name} ({error}); install it again") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"the installed ganblocks has a damaged {name} (its SHA-256 is not {sha256}); install it again")
    return content


def decode_sheet(content: bytes) -> Pixels:
    """Decode a picture to uint8 [H, W, C]. Its SHA-256 is known, so a failure means that Pillow lacks the format."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            pixels = np.asarray(picture)
    except UnidentifiedImageError as error:
        raise DataError("this Pillow was built without WebP; install Pillow from a wheel, or build it with libwebp") from error
    return pixels.reshape(*pixels.shape[:2], -1)


def average(pixels: Pixels, factor: int) -> Pixels:
    """[H, W, C] -> [H / factor, W / factor, C]: the exact mean of each square, rounded to nearest, halves up."""
    if factor == 1:
        return pixels
    total = np.zeros_like(pixels[::factor, ::factor], np.uint16)
    for i, j in product(range(factor), repeat=2):
        total += pixels[i::factor, j::factor]
    return ((total + factor**2 // 2) // factor**2).astype(np.uint8)


def cut(pixels: Pixels, tile: int, count: int) -> Pixels:
    """Return the first ``count`` tiles of a sheet [H, W, C], row by row: [count, C, tile, tile]."""
    height, width, channels = pixels.shape
    tiles = pixels.reshape(height // tile, tile, width // tile, tile, channels).transpose(0, 2, 4, 1, 3)
    return np.ascontiguousarray(tiles.reshape(-1, channels, tile, tile)[:count])
