"""Twin textures: the images."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import torch
from attrs import frozen
from torch import Tensor

from ganblocks import Images, ImageSpec, option
from ganblocks_twins.layout import Layout

GROUND, LOW, HIGH = 128, 28, 228
"""Grey of the background, and the two greys of cells."""
HELD_OUT = 2_000
Words = npt.NDArray[np.uint64]


@frozen(kw_only=True)
class Twins:
    """Procedural images with the same random texture twice, far apart, on which long range can be measured exactly.

    A texture is a square of cells, each dark or light at random. It appears once near the left edge and once near the right, at
    independent heights. A view of one texture does not show whether the other matches it; the metric ``agreement`` with the
    extractor ``twins`` measures how well a generator matches them.

    Each image is a function of its index (splitmix64): there is no download and no seed. 2,000 images are held out.

    Use it to test whether a block carries information over a distance, with the extractor and the metric of the same plugin. It
    has no classes and says nothing about image quality.

    Source: made for ganblocks; the random bits are those of Steele, Lea and Flood (2014), "Fast Splittable Pseudorandom Number
    Generators", doi:10.1145/2660193.2660195.

    Options:
        size: height and width in pixels.
        cells: cells along the side of a texture: cells² bits.
        cell: pixels along the side of a cell.
        distance: smallest distance in pixels between the same cell of both textures; compare it with receptive fields.
        heights: number of rows at which a texture may begin.
        images: training images.
    """

    size: int = option(16, low=8, high=256)
    cells: int = option(3, low=1, high=7)
    cell: int = option(2, low=1, high=32)
    distance: int = option(10, low=1, high=255)
    heights: int = option(1, low=1, high=256)
    images: int = option(50_000, low=1, high=10_000_000)

    def __attrs_post_init__(self) -> None:
        if rule := self.layout.error():
            raise ValueError(rule)

    @property
    def layout(self) -> Layout:
        """The positions that textures may have."""
        return Layout(self.size, self.cells, self.cell, self.distance, self.heights)

    def describe(self) -> ImageSpec:
        """Return the shape: one channel, no classes."""
        return ImageSpec(channels=1, size=self.size)

    def open(self) -> Images:
        """Return the images, which are computed when they are read."""
        layout = self.layout
        count = self.images + HELD_OUT
        split = {"train": torch.arange(self.images), "held_out": torch.arange(self.images, count)}
        first = draw(torch.arange(64), layout)
        facts = f"twins {layout} {self.images} {hashlib.sha256(first.numpy().tobytes()).hexdigest()}"
        fingerprint = hashlib.sha256(facts.encode()).hexdigest()
        return Images(lambda index: draw(index, layout), torch.zeros(count, dtype=torch.int64), fingerprint, split)


def draw(index: Tensor, layout: Layout) -> Tensor:
    """Return the images uint8 [B, 1, S, S] of indices int64 [B]."""
    corners, bits = corners_of(index, layout), textures(index, layout)
    side = layout.side
    image = torch.full((len(index), 1, layout.size, layout.size), GROUND, dtype=torch.uint8)
    pixels = torch.where(bits, HIGH, LOW).to(torch.uint8).repeat_interleave(layout.cell, 1).repeat_interleave(layout.cell, 2)
    for canvas, texture, positions in zip(image, pixels, corners.tolist(), strict=True):
        for y, x in positions:
            canvas[0, y : y + side, x : x + side] = texture
    return image


def textures(index: Tensor, layout: Layout) -> Tensor:
    """Return, for indices int64 [B], bool [B, cells, cells]: true where a cell is light."""
    words = splitmix64(index.numpy().astype(np.uint64), 0)
    bits = (words[:, None] >> np.arange(layout.cells**2, dtype=np.uint64)) & np.uint64(1)
    return torch.from_numpy(bits.astype(bool)).view(-1, layout.cells, layout.cells)


def corners_of(index: Tensor, layout: Layout) -> Tensor:
    """Return, for indices int64 [B], int64 [B, 2, 2]: row and column of the upper left corners of both textures."""
    words = index.numpy().astype(np.uint64)
    ranges = (layout.heights, layout.slack + 1, layout.heights, layout.slack + 1)
    offsets = [splitmix64(words, stream) % np.uint64(count) for stream, count in enumerate(ranges, start=1)]
    corners = torch.from_numpy(np.stack(offsets, 1).astype(np.int64)).view(-1, 2, 2)
    corners[:, :, 0] += layout.top
    corners[:, 1, 1] += layout.size - layout.side - layout.slack
    return corners


def splitmix64(index: Words, stream: int) -> Words:
    """Return 64 random bits per index and stream (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195)."""
    with np.errstate(over="ignore"):
        z = (index * np.uint64(8) + np.uint64(stream) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
