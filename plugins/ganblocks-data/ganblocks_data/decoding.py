"""One image file -> 8-bit pixels of one size, and what had to be changed on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
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
"""What is read, and its suffixes. Pillow reads many more formats; each decoder is one more way in for hostile files."""
MOST_PIXELS = 89_478_485
"""Of a file that is decoded at all: Pillow's own limit, from which on it warns of decompression bombs."""
LARGE = 1 << 24
"""Pixels from which on files are decoded one at a time, whatever the number of threads, so that memory stays bounded."""

QUARTER_TURNS = range(5, 9)
"""EXIF orientations that exchange height and width."""
_DEEP = 65535
"""White in 16 bits."""
_ALONE = Lock()
_MAGIC = {
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\0\0\1\0": "an icon",
    b"8BPS": "PSD",
    b"%PDF": "PDF",
    b"<svg": "SVG",
    b"<?xm": "XML",
    b"PK\3\4": "a zip archive",
    b"\x1f\x8b": "gzip",
    b"P5 ": "PNM",
    b"P6 ": "PNM",
    b"P5\n": "PNM",
    b"P6\n": "PNM",
    b"DDS ": "DDS",
}


class Decoded(NamedTuple):
    """An image as the data set gives it."""

    pixels: Pixels
    """uint8 [channels, H, W]."""
    changes: tuple[str, ...]
    """In words that are equal for equal changes."""


def decode(path: Path, size: Size, channels: int) -> Pixels:
    """The pixels alone of :func:`examine`."""
    return examine(path, size, channels).pixels


def examine(path: Path, size: Size, channels: int) -> Decoded:
    """Read an image of any mode, upright, on white; resized until it covers ``size`` (antialiased bicubic), centre crop.

    Args:
        path: a PNG, JPEG, WebP or BMP file.
        size: height and width in pixels.
        channels: 1 (grey) or 3 (RGB).

    Raises:
        DataError: names the file that is no image, is truncated, animated or too large, or has no defined white.
    """
    try:
        with _opened(path) as image, _turn(image):
            changes = tuple(_changes(path, image, size, channels))
            height, width = _lying(image, size)
            image.draft(None, (3 * width, 3 * height))  # JPEG: shrink while decoding, still three times finer than needed
            ImageOps.exif_transpose(image, in_place=True)
            flat = _on_white(_eight_bit(image)).convert("L" if channels == 1 else "RGB")
    except Exception as error:  # Pillow's decoders raise almost anything on broken files
        raise DataError(f"{path} cannot be read as an image: {error or type(error).__name__}") from error
    height, width = sides(size)
    fitted = ImageOps.fit(flat, (width, height), Image.Resampling.BICUBIC)
    return Decoded(np.asarray(fitted).reshape(height, width, channels).transpose(2, 0, 1), changes)


def _opened(path: Path) -> Image.Image:
    """The header alone is read here. Raises ValueError, which says why the rest should not be."""
    facts = path.stat()
    if not S_ISREG(facts.st_mode):
        raise ValueError("it is no regular file")
    if not facts.st_size:
        raise ValueError("it is empty")
    try:
        image = Image.open(path, formats=tuple(FORMATS))
    except UnidentifiedImageError as error:
        raise ValueError(f"it is {_kind_of(path)}") from error
    if (pixels := image.width * image.height) > MOST_PIXELS:
        raise ValueError(f"it has {pixels:,} pixels, and at most {MOST_PIXELS:,} are decoded; make it smaller")
    if image.format != "MPO" and (frames := getattr(image, "n_frames", 1)) > 1:  # MPO: a photo with a second picture behind it
        raise ValueError(f"it is animated: {frames} frames; save the one that you mean")
    return image


def _kind_of(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(12)
    kind = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), "")
    kind = "AVIF or HEIF" if start[4:8] == b"ftyp" else kind
    return (
        f"{kind}, and only PNG, JPEG, WebP and BMP are read" if kind else "no PNG, JPEG, WebP or BMP, or damaged at its start"
    )


def _turn(image: Image.Image) -> AbstractContextManager[object]:
    return _ALONE if image.width * image.height > LARGE else nullcontext()


def _changes(path: Path, image: Image.Image, size: Size, channels: int) -> Iterator[str]:
    """What is about to be changed, as far as it says more than ``size`` and ``channels`` do."""
    known = FORMATS["JPEG" if image.format == "MPO" else str(image.format)]
    if path.suffix.lower() not in known:
        yield f"{image.format} whatever its suffix says"
    if image.has_transparency_data:
        yield "transparency put on white"
    yield from _depth(image)
    if image.mode in ("P", "PA"):
        yield "palette replaced by its colours"
    elif image.mode == "CMYK":
        yield "CMYK to RGB"
    grey = image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")
    if grey and channels == 3:
        yield "grey to RGB"
    elif not grey and channels == 1:
        yield "colour to grey"
    height, width = _lying(image, size)  # late: it decodes a PNG, whose EXIF may come after the pixels
    if image.height < height or image.width < width:
        yield "enlarged"
    if _orientation(image) not in (0, 1):
        yield "turned upright (EXIF)"


def _lying(image: Image.Image, size: Size) -> tuple[int, int]:
    """(height, width) that an image must cover as it lies in its file: EXIF may turn it by a quarter."""
    height, width = sides(size)
    return (width, height) if _orientation(image) in QUARTER_TURNS else (height, width)


def _orientation(image: Image.Image) -> object:
    """EXIF's, whatever stands there."""
    return image.getexif().get(0x0112, 1)


def _depth(image: Image.Image) -> Iterator[str]:
    tiles = getattr(image, "tile", ())
    raw = str(tiles[0][3]) if tiles else ""
    if image.mode.startswith("I") or ";16" in raw:
        yield "16 bits to 8"
    elif image.mode == "1":
        yield "1 bit to 8"


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
