"""Decode one image file to 8-bit pixels of a given size, and report what was changed."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path
from stat import S_ISREG
from threading import Lock
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ganblocks import DataError, Size, sides
from ganblocks_data.sheet import Pixels

FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpeg", ".jpg", ".jfif"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
}
"""Accepted formats and their suffixes. Pillow reads many more, but each decoder adds attack surface for hostile files."""
MOST_PIXELS = 89_478_485
"""Largest image that is decoded: Pillow's own limit, above which it warns of decompression bombs."""
LARGE = 1 << 24
"""Pixels above which files are decoded one at a time, whatever the number of threads, to bound memory."""

QUARTER_TURNS = range(5, 9)
"""EXIF orientations that exchange height and width."""
_WHITE_16_BIT = 65535
_ONE_AT_A_TIME = Lock()
_MAGIC = {
    "GIF": rb"GIF8",
    "TIFF": rb"II\*\x00|MM\x00\*",
    "an icon": rb"\x00\x00\x01\x00",
    "PSD": rb"8BPS",
    "PDF": rb"%PDF",
    "SVG": rb"<svg",
    "XML": rb"<\?xm",
    "a zip archive": rb"PK\x03\x04",
    "gzip": rb"\x1f\x8b",
    "PNM": rb"P[56][ \n]",
    "DDS": rb"DDS ",
    "AVIF or HEIF": rb"(?s:.{4})ftyp",
}
"""Format -> pattern of the first bytes, for error messages."""


class Decoded(NamedTuple):
    """A decoded image."""

    pixels: Pixels
    """uint8 [channels, H, W]."""
    changes: tuple[str, ...]
    """What was changed; equal changes have equal texts."""


def examine(path: Path, size: Size, channels: int) -> Decoded:
    """Read an image of any mode: upright, on white, resized to cover ``size`` (antialiased bicubic), cropped at the centre.

    Args:
        path: a PNG, JPEG, WebP or BMP file.
        size: height and width in pixels.
        channels: 1 (grey) or 3 (RGB).

    Raises:
        DataError: names the file if it is no image, truncated, animated, too large, or has no defined white.
    """
    try:
        with _opened(path) as image, _ONE_AT_A_TIME if image.width * image.height > LARGE else nullcontext():
            changes = _changes(path, image, size, channels)
            height, width = _stored_size(image, size)
            image.draft(None, (3 * width, 3 * height))  # JPEG: shrink while decoding, still three times finer than needed
            ImageOps.exif_transpose(image, in_place=True)
            flat = _on_white(_eight_bit(image))
            mode = "L" if channels == 1 else "RGB"
            flat = flat if flat.mode == mode else flat.convert(mode)
    except Exception as error:  # Pillow's decoders raise almost anything on broken files
        raise DataError(f"{path} cannot be read as an image: {error or type(error).__name__}") from error
    height, width = sides(size)
    fitted = flat if flat.size == (width, height) else ImageOps.fit(flat, (width, height), Image.Resampling.BICUBIC)
    return Decoded(np.asarray(fitted).reshape(height, width, channels).transpose(2, 0, 1), changes)


def _opened(path: Path) -> Image.Image:
    """Open a file and read its header only. Raise ValueError if the rest must not be decoded."""
    status = path.stat()
    if not S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")
    if not status.st_size:
        raise ValueError("it is empty")
    try:
        image = Image.open(path, formats=tuple(FORMATS))
    except UnidentifiedImageError as error:
        raise ValueError(f"it is {_kind_of(path)}") from error
    if (pixels := image.width * image.height) > MOST_PIXELS:
        raise ValueError(f"it has {pixels:,} pixels, and at most {MOST_PIXELS:,} are decoded; make it smaller")
    if image.format != "MPO" and (frames := getattr(image, "n_frames", 1)) > 1:  # MPO: a photo with a second picture behind it
        raise ValueError(f"it is animated: {frames} frames; save one of them as an image")
    return image


def _kind_of(path: Path) -> str:
    """Describe a file that is none of the accepted formats, by its first bytes."""
    with path.open("rb") as file:
        start = file.read(12)
    kind = next((kind for kind, magic in _MAGIC.items() if re.match(magic, start)), "")
    return (
        f"{kind}, and only PNG, JPEG, WebP and BMP are read" if kind else "no PNG, JPEG, WebP or BMP, or damaged at its start"
    )


def _changes(path: Path, image: Image.Image, size: Size, channels: int) -> tuple[str, ...]:
    """Return what decoding will change beyond what ``size`` and ``channels`` say."""
    known = FORMATS["JPEG" if image.format == "MPO" else str(image.format)]
    raw = str(tiles[0][3]) if (tiles := getattr(image, "tile", ())) else ""
    grey = image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")
    applies = {
        f"{image.format} whatever its suffix says": path.suffix.lower() not in known,
        "transparency put on white": image.has_transparency_data,
        "16 bits to 8": image.mode.startswith("I") or ";16" in raw,
        "1 bit to 8": image.mode == "1",
        "palette replaced by its colours": image.mode in ("P", "PA"),
        "CMYK to RGB": image.mode == "CMYK",
        "grey to RGB": grey and channels == 3,
        "colour to grey": not grey and channels == 1,
    }
    height, width = _stored_size(image, size)  # last: it decodes a PNG, whose EXIF may come after the pixels
    applies["enlarged"] = image.height < height or image.width < width
    applies["turned upright (EXIF)"] = _orientation(image) not in (0, 1)
    return tuple(change for change, applied in applies.items() if applied)


def _stored_size(image: Image.Image, size: Size) -> tuple[int, int]:
    """Return (height, width) that an image must cover as it is stored: EXIF may turn it by a quarter."""
    height, width = sides(size)
    return (width, height) if _orientation(image) in QUARTER_TURNS else (height, width)


def _orientation(image: Image.Image) -> object:
    """Return the EXIF orientation, of whatever type it is."""
    return image.getexif().get(0x0112, 1)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 8 bits (Pillow's own conversion clips at 255)."""
    if not image.mode.startswith(("I", "F")):
        return image
    deep = np.asarray(image)
    if image.mode == "F" or deep.min() < 0 or deep.max() > _WHITE_16_BIT:
        raise ValueError(f"mode {image.mode} has no defined white; save it with 8 or 16 bits")
    return Image.fromarray(((deep.astype(np.int64) + 128) // 257).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white
