"""Rebuild ``ganblocks_data/digits.png`` and ``digits.txt`` from the ``digits.csv.gz`` of scikit-learn.

    python plugins/ganblocks-data/build_digits_sheet.py .../sklearn/datasets/data/digits.csv.gz

Each of its 1,797 lines holds 64 grey levels from 0 to 16, row by row, and the digit. The exit code is 1 if the pixels or
digits differ from the committed ones. (Pillow 13.0.0 wrote the committed PNG; another zlib may compress the same pixels
differently.)
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from build_emoji_sheet import lay_out
from ganblocks_data import digits
from ganblocks_data.sheet import Pixels
from PIL import Image

SOURCE_SHA256 = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"


def build(source: bytes) -> tuple[Pixels, str]:
    """Return the sheet [H, W], and one digit per tile."""
    table = np.loadtxt(io.BytesIO(gzip.decompress(source)), delimiter=",").astype(np.int64)
    levels = (table[:, :-1] * 255 // 16).astype(np.uint8).reshape(-1, digits.TILE, digits.TILE, 1)
    return lay_out(list(levels))[:, :, 0], "".join(map(str, table[:, -1])) + "\n"


def encode(sheet: Pixels) -> bytes:
    """Encode to PNG."""
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both files; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="digits.csv.gz")
    parser.add_argument("--out", type=Path, default=Path(digits.__file__).parent, help="folder to write to")
    options = parser.parse_args(arguments)
    source = options.source.read_bytes()
    sheet, index = build(source)
    encoded = encode(sheet)
    (options.out / digits.SHEET).write_bytes(encoded)
    (options.out / digits.INDEX).write_bytes(index.encode())
    wanted = {source: SOURCE_SHA256, encoded: digits.SHEET_SHA256, index.encode(): digits.INDEX_SHA256}
    same = all(hashlib.sha256(content).hexdigest() == known for content, known in wanted.items())
    print("as committed" if same else "not as committed", file=sys.stdout if same else sys.stderr)
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
