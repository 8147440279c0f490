"""Sizes of images and of feature maps, and those that a network reaches by doubling or halving.

A size is one number for a square, and (height, width) for any other rectangle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen

Size = int | tuple[int, int]
"""Height and width in pixels or positions: one number where they are equal."""

LARGEST_START = 8
"""Height and width of a first feature map, at most: larger ones leave too little to the blocks."""
USUAL_START = 4
"""The shorter side of a first feature map, where the image allows it: the papers' networks all begin at 4×4."""
MOST_DOUBLINGS = 10
"""That a size is looked for which works: 8 · 2¹⁰ pixels are more than any of these networks is built for."""


@frozen
class Doublings:
    """How a network doubles from a first feature map to an image, along both axes alike; or halves the other way."""

    start: Size
    """The first feature map: at most 8 on each side."""
    count: int

    @classmethod
    def all(cls, size: Size, fewest: int = 1) -> list[Doublings]:
        """Every way to images of ``size`` in at least ``fewest`` doublings, the usual one first.

        Usual is that which begins with a shorter side of 4; where there is none, that with the fewest doublings. Empty where
        no first feature map of at most 8×8 leads there.
        """
        height, width = sides(size)
        counts = [n for n in range(fewest, max(height, width).bit_length()) if not (height % 2**n or width % 2**n)]
        ways = [cls(sized(height >> n, width >> n), n) for n in counts if max(height, width) <= LARGEST_START << n]
        return sorted(ways, key=lambda way: (shorter(way.start) != USUAL_START, way.count))

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The first feature map's, and that after each doubling; the last is the image's."""
        height, width = sides(self.start)
        return tuple(sized(height << n, width << n) for n in range(self.count + 1))


def sides(size: Size) -> tuple[int, int]:
    """(height, width)."""
    return (size, size) if isinstance(size, int) else size


def sized(height: int, width: int) -> Size:
    """The size of these sides."""
    return height if height == width else (height, width)


def shorter(size: Size) -> int:
    """The shorter side, by which options such as ``attention_at`` name a feature map."""
    return min(sides(size))


def in_words(size: Size) -> str:
    """As people write it: 64×128."""
    height, width = sides(size)
    return f"{height}×{width}"


def as_size(value: Any) -> Size:
    """A converter for options that are a size: a pair of equal sides becomes one number.

    Raises ValueError for what is no size.
    """
    pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(pair) != 2 or not all(type(side) is int and side > 0 for side in pair):
        raise ValueError("'size' must be a number of pixels above 0, or [height, width]")
    return sized(*pair)


def nearest_sizes(size: Size, fits: Callable[[Size], bool]) -> list[Size]:
    """The nearest size that lies within ``size`` and the nearest that it lies within, of those to which networks double.

    Args:
        size: what does not fit.
        fits: whether another size does.
    """
    height, width = sides(size)
    ordered = sorted({*_reached(square=height == width)}, key=lambda other: _distance(size, other))
    smaller = (each for each in ordered if sides(each)[0] <= height and sides(each)[1] <= width)
    larger = (each for each in ordered if sides(each)[0] >= height and sides(each)[1] >= width)
    found = (next((each for each in part if fits(each)), None) for part in (smaller, larger))
    return [each for each in found if each is not None]


def _reached(square: bool) -> Iterator[Size]:
    """All sizes to which first feature maps of at most 8×8 double."""
    starts = range(1, LARGEST_START + 1)
    for n in range(MOST_DOUBLINGS + 1):
        yield from (sized(h << n, w << n) for h in starts for w in starts if h == w or not square)


def _distance(one: Size, other: Size) -> tuple[int, tuple[int, int]]:
    """By the sum over sides; ties are decided by the height."""
    (height, width), (high, wide) = sides(one), sides(other)
    return abs(height - high) + abs(width - wide), (high, wide)
