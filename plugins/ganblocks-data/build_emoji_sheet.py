"""Rebuild ``ganblocks_data/emoji.webp`` and ``emoji.tsv`` from the npm package emoji-datasource-google, bit for bit.

    npm pack emoji-datasource-google@16.0.0
    python plugins/ganblocks-data/build_emoji_sheet.py emoji-datasource-google-16.0.0.tgz

Base glyphs only: no skin tone variations, nothing of the category "Component", nothing that Google did not draw. Composited on
white, in Unicode's order, in one lossless WebP (Pillow 13.0.0 with libwebp 1.6.0 wrote the committed file; about a minute).
The exit code is 1 if the result differs from the committed files.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ganblocks_data import emoji
from ganblocks_data.sheet import Pixels, average, cut, decode_sheet
from PIL import Image

PACKAGE = "emoji-datasource-google"
VERSION = "16.0.0"
PACKAGE_SHA256 = "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438"
PIXELS_SHA256 = "98fdc94238572349086435a42a168321c09d7f0da69cd274073f90f4113e4582"
"""Of the decoded sheet: distinguishes another encoder from other pictures."""
COLUMNS = 44
SAME_DRAWING = 0.1
"""Mean difference, of 255, below which two 16-pixel thumbnails show one drawing. Mirrored pairs such as "walking" and "walking
facing right" differ by less than 0.08; the closest two different drawings differ by 0.49."""

Glyph = dict[str, Any]


def select(entries: Sequence[Glyph]) -> list[Glyph]:
    """Return the base glyphs that Google drew, in Unicode's order, without the skin tones nested in them."""
    chosen = [entry for entry in entries if entry["has_img_google"] and entry["category"] != "Component"]
    return sorted(chosen, key=lambda entry: int(entry["sort_order"]))


def on_white(png: bytes) -> Pixels:
    """Decode a glyph on white to [64, 64, 3]."""
    with Image.open(io.BytesIO(png)) as image:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
    return np.asarray(white.convert("RGB"))


def lay_out(tiles: Sequence[Pixels]) -> Pixels:
    """Arrange tiles [H, W, C] in one sheet, row by row, filled up with white."""
    height, width, channels = tiles[0].shape
    rows = -(-len(tiles) // COLUMNS)
    sheet = np.full((rows, COLUMNS, height, width, channels), 255, np.uint8)
    sheet.reshape(-1, height, width, channels)[: len(tiles)] = tiles
    return sheet.transpose(0, 2, 1, 3, 4).reshape(rows * height, COLUMNS * width, channels)


def drawings(sheet: Pixels, count: int) -> list[int]:
    """Return, for each tile, the first tile with the same drawing, mirrored or not: nearly always itself."""
    thumbnails = cut(average(sheet, 4), emoji.TILE // 4, count).astype(np.float32)
    firsts: list[int] = []
    for index, tile in enumerate(thumbnails):
        earlier = thumbnails[: index + 1]  # and itself, at distance 0
        distance = np.minimum(abs(earlier - tile).mean((1, 2, 3)), abs(earlier - tile[:, :, ::-1]).mean((1, 2, 3)))
        firsts.append(int(np.argmax(distance < SAME_DRAWING)))
    return firsts


def index_text(glyphs: Sequence[Glyph], firsts: Sequence[int]) -> str:
    """Return one line per tile: class, code points, code points of the first tile with the same drawing, short name."""
    lines = ["class\tcode_points\tdrawing\tshort_name"]
    for glyph, first in zip(glyphs, firsts, strict=True):
        label = emoji.CLASSES.index(glyph["category"])
        lines.append(f"{label}\t{glyph['unified']}\t{glyphs[first]['unified']}\t{glyph['short_name']}")
    return "\n".join(lines) + "\n"


def encode(sheet: Pixels) -> bytes:
    """Encode to lossless WebP, verified by decoding."""
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, "WEBP", lossless=True, quality=100, method=6, exact=True)
    if not np.array_equal(decode_sheet(stream.getvalue()), sheet):
        raise SystemExit("this Pillow's WebP encoder is not lossless")
    return stream.getvalue()


def build(package: tarfile.TarFile) -> tuple[Pixels, str]:
    """Build sheet and index from an open npm package."""

    def member(name: str) -> bytes:
        file = package.extractfile(f"package/{name}")
        assert file is not None, f"{name} is no plain file"
        return file.read()

    if (version := json.loads(member("package.json"))["version"]) != VERSION:
        raise SystemExit(f"this is version {version} of {PACKAGE}; the sheet is built from {VERSION}")
    glyphs = select(json.loads(member("emoji.json")))
    sheet = lay_out([on_white(member(f"img/google/64/{glyph['image']}")) for glyph in glyphs])
    return sheet, index_text(glyphs, drawings(sheet, len(glyphs)))


def differences(package: bytes, sheet: Pixels, encoded: bytes, index: str) -> list[str]:
    """Return what differs from the committed files."""
    wanted = {
        PACKAGE: (package, PACKAGE_SHA256),
        "pixels": (sheet.tobytes(), PIXELS_SHA256),
        emoji.SHEET: (encoded, emoji.SHEET_SHA256),
        emoji.INDEX: (index.encode(), emoji.INDEX_SHA256),
    }
    sums = {name: (hashlib.sha256(content).hexdigest(), known) for name, (content, known) in wanted.items()}
    return [f"{name}: SHA-256 {actual}, committed {known}" for name, (actual, known) in sums.items() if actual != known]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both files; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help=f"{PACKAGE}-{VERSION}.tgz")
    parser.add_argument("--out", type=Path, default=Path(emoji.__file__).parent, help="folder to write to")
    options = parser.parse_args(arguments)
    content = options.package.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(content)) as package:
        sheet, index = build(package)
    encoded = encode(sheet)
    (options.out / emoji.SHEET).write_bytes(encoded)
    (options.out / emoji.INDEX).write_bytes(index.encode())
    changed = differences(content, sheet, encoded, index)
    print("\n".join(changed) or "as committed", file=sys.stderr if changed else sys.stdout)
    return 1 if changed else 0


if __name__ == "__main__":
    raise SystemExit(main())
