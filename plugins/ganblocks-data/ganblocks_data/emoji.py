"""1,906 emoji in nine classes, part of the package."""

from __future__ import annotations

from typing import Literal

import attrs
import torch

from ganblocks import Images, ImageSpec, option
from ganblocks_data.memory import in_memory
from ganblocks_data.sheet import average, cut, decode_sheet, read_resource
from ganblocks_data.splits import tenth

SHEET = "emoji.webp"
SHEET_SHA256 = "50940f9c5426b270fd4f7fccedcba4f8a83275517824fa2164ba4e924bcf2a39"
INDEX = "emoji.tsv"
INDEX_SHA256 = "16899f516ae49c02019f5591db74d3b158a96922e80b91a4279dced96272618a"
TILE = 64
CLASSES = (
    "Smileys & Emotion",
    "People & Body",
    "Animals & Nature",
    "Food & Drink",
    "Travel & Places",
    "Activities",
    "Objects",
    "Symbols",
    "Flags",
)
"""The groups of Unicode's emoji list, in its order, without "Component"."""


@attrs.frozen(kw_only=True)
class Emoji:
    """Google's Noto emoji on white: 1,906 base glyphs in nine classes, embedded in the package.

    The 64-pixel glyphs of emoji-datasource-google 16.0.0, without skin tone variations. Smaller sizes are exact means of 2x2 or
    4x4 pixels, halves rounded up. A tenth of each class is held out, decided by the SHA-256 of the code points; glyphs that
    show the same drawing, mirrored or not (some flags, families, "facing right"), stay on one side of the split.

    Use it for small runs in colour with classes, as most shipped recipes of that size do. It is small, so most runs need
    augmentation, and scores on it are not comparable with any paper's.

    Source: Google (2025), "Noto Emoji", version 2.048 (Apache-2.0), https://github.com/googlefonts/noto-emoji; through
    Henderson, "emoji-datasource-google", version 16.0.0 (MIT), https://github.com/iamcal/emoji-data.

    Options:
        size: height and width in pixels.
    """

    size: Literal[16, 32, 64] = option(32)

    def describe(self) -> ImageSpec:
        """Return the facts of the images."""
        return ImageSpec(channels=3, size=self.size, classes=len(CLASSES), class_names=CLASSES)

    def open(self) -> Images:
        """Decode the sheet. Raise DataError if the installed file is missing or damaged."""
        index = read_resource(INDEX, INDEX_SHA256).decode().splitlines()[1:]
        labels, _, drawings, _ = zip(*(line.split("\t") for line in index), strict=True)
        classes = [int(label) for label in labels]
        sheet = average(decode_sheet(read_resource(SHEET, SHEET_SHA256)), TILE // self.size)
        pixels = torch.from_numpy(cut(sheet, self.size, len(index)))
        return in_memory(pixels, torch.tensor(classes), tenth(drawings, classes))
