"""1,797 handwritten digits of 8 x 8 pixels, part of the package."""

from __future__ import annotations

from typing import Literal

import attrs
import torch

from ganblocks import Images, ImageSpec, option
from ganblocks_data.memory import in_memory
from ganblocks_data.sheet import cut, decode_sheet, read_resource
from ganblocks_data.splits import tenth

SHEET = "digits.png"
SHEET_SHA256 = "78a4c46cc818c0268549a953f24b433f24e9990bcf37f07f6dc7141ab031af2c"
INDEX = "digits.txt"
INDEX_SHA256 = "f005717118d48c944564500bb03a86ac1a607ecca343cecd69a53218ac600fe2"
TILE = 8
CLASSES = tuple("0123456789")


@attrs.frozen(kw_only=True)
class Digits:
    """Handwritten digits in grey, 1,797 images in ten classes, embedded: the smallest real data set for quick experiments.

    The 17 grey levels v of the source become v * 255 // 16. Larger sizes repeat pixels. A tenth of each class is held out,
    decided by the SHA-256 of the pixels.

    Use it for tests, and to see within seconds whether something trains at all. For conclusions about images use emoji, or
    your own.

    Source: Alpaydin and Kaynak (1998), "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
    doi:10.24432/C50P49 (CC BY 4.0); the test set, in the copy of scikit-learn.

    Options:
        size: height and width in pixels.
    """

    size: Literal[8, 16, 32] = option(8)

    def describe(self) -> ImageSpec:
        """Return the facts of the images."""
        return ImageSpec(channels=1, size=self.size, classes=len(CLASSES), class_names=CLASSES)

    def open(self) -> Images:
        """Decode the sheet. Raise DataError if the installed file is missing or damaged."""
        classes = [int(digit) for digit in read_resource(INDEX, INDEX_SHA256).decode().strip()]
        tiles = cut(decode_sheet(read_resource(SHEET, SHEET_SHA256)), TILE, len(classes))
        held_out = tenth([tile.tobytes().hex() for tile in tiles], classes)
        factor = self.size // TILE
        pixels = torch.from_numpy(tiles.repeat(factor, axis=2).repeat(factor, axis=3))
        return in_memory(pixels, torch.tensor(classes), held_out)
