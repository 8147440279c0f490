"""Twin textures: the images."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from attrs import field, frozen
from attrs.validators import ge, instance_of, le
from torch import Tensor

from ganblocks import Images, ImageSpec
from ganblocks_twins.layout import Layout

GROUND, LOW, HIGH = 128, 28, 228
"""Grey of what lies around the textures, and the two greys of their cells."""
HELD_OUT = 2_000
Words = npt.NDArray[np.uint64]


def _count(default: int, low: int, high: int) -> Any:
    return field(default=default, validator=[instance_of(int), ge(low), le(high)])


@frozen(kw_only=True)
class Twins:
    """The same random texture in two far-apart places: procedural images on which long range can be measured exactly.

    A texture is a square of cells, each dark or light at random. It stands once near the left edge and once near the right, at
    heights that are drawn apart. Whoever sees only one of the two knows nothing of the other; how far a generator makes them
    agree is read by the metric ``agreement`` through the extractor ``twins``.

    Each image follows from its index alone (splitmix64): nothing is downloaded, and no seed decides. 2,000 images are held out.

    Use it to ask whether a block carries information over a distance, with the extractor and the metric of the same plugin. It
    has no classes, and says nothing about how good images look.

    Source: made for ganblocks; the random bits are those of Steele, Lea and Flood (2014), "Fast Splittable Pseudorandom Number
    Generators", doi:10.1145/2660193.2660195.

    Options:
        size: height and width in pixels.
        cells: cells along the side of a texture: cells² bits.
        cell: pixels along the side of a cell.
        distance: pixels between the same cell of both textures, at least; compare it with receptive fields.
        heights: at how many rows a texture may begin.
        images: training images.
    """

    size: int = _count(16, 8, 256)
    cells: int = _count(3, 1, 7)
    cell: int = _count(2, 1, 32)
    distance: int = _count(10, 1, 255)
    heights: int = _count(1, 1, 256)
    images: int = _count(50_000, 1, 10_000_000)

    def __attrs_post_init__(self) -> None:
        if complaint := self.layout.complaint():
            raise ValueError(complaint)

    @property
    def layout(self) -> Layout:
        return Layout(self.size, self.cells, self.cell, self.distance, self.heights)

    def describe(self) -> ImageSpec:
        return ImageSpec(channels=1, size=self.size)

    def open(self) -> Images:
        """Nothing is read."""
        layout = self.layout
        count = self.images + HELD_OUT
        split = {"train": torch.arange(self.images), "held_out": torch.arange(self.images, count)}
        first = drawn(torch.arange(64), layout)
        facts = f"twins {layout} {self.images} {hashlib.sha256(first.numpy().tobytes()).hexdigest()}"
        fingerprint = hashlib.sha256(facts.encode()).hexdigest()
        return Images(lambda index: drawn(index, layout), torch.zeros(count, dtype=torch.int64), fingerprint, split)


def drawn(index: Tensor, layout: Layout) -> Tensor:
    """int64 [B] -> uint8 [B, 1, S, S]."""
    places, bits = placed(index, layout), textures(index, layout)
    side = layout.side
    image = torch.full((len(index), 1, layout.size, layout.size), GROUND, dtype=torch.uint8)
    pixels = torch.where(bits, HIGH, LOW).to(torch.uint8).repeat_interleave(layout.cell, 1).repeat_interleave(layout.cell, 2)
    for one, texture, corners in zip(image, pixels, places.tolist(), strict=True):
        for y, x in corners:
            one[0, y : y + side, x : x + side] = texture
    return image


def textures(index: Tensor, layout: Layout) -> Tensor:
    """int64 [B] -> bool [B, cells, cells]: true where a cell is light."""
    words = splitmix64(index.numpy().astype(np.uint64), 0)
    bits = (words[:, None] >> np.arange(layout.cells**2, dtype=np.uint64)) & np.uint64(1)
    return torch.from_numpy(bits.astype(bool)).view(-1, layout.cells, layout.cells)


def placed(index: Tensor, layout: Layout) -> Tensor:
    """int64 [B] -> int64 [B, 2, 2]: row and column of the upper left corner of the left and of the right texture."""
    words = index.numpy().astype(np.uint64)
    ranges = (layout.heights, layout.slack + 1, layout.heights, layout.slack + 1)
    drawn = [splitmix64(words, stream) % np.uint64(count) for stream, count in enumerate(ranges, start=1)]
    corners = torch.from_numpy(np.stack(drawn, 1).astype(np.int64)).view(-1, 2, 2)
    corners[:, :, 0] += layout.top
    corners[:, 1, 1] += layout.size - layout.side - layout.slack
    return corners


def splitmix64(index: Words, stream: int) -> Words:
    """64 random bits for each index, and others for each stream (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195)."""
    with np.errstate(over="ignore"):
        z = (index * np.uint64(8) + np.uint64(stream) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
