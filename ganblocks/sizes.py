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
"""Maximum height and width of a first feature map: larger ones leave too little to the blocks."""
USUAL_START = 4
"""Shorter side of a first feature map if the image allows it: the papers' networks begin at 4×4."""
MOST_DOUBLINGS = 10
"""Limit of the search for a size that works: 8 · 2¹⁰ pixels are more than any of these networks is built for."""


@frozen
class Doublings:
    """How a network doubles a first feature map to the size of an image, or halves an image to a feature map."""

    start: Size
    """Size of the first feature map: at most 8 on each side."""
    count: int

    @classmethod
    def all(cls, size: Size, fewest: int = 1) -> list[Doublings]:
        """Return every way to images of ``size`` in at least ``fewest`` doublings, the usual one first.

        The usual one starts with a shorter side of 4, or else has the fewest doublings. Empty if no first feature map of at
        most 8×8 works.
        """
        height, width = sides(size)
        counts = [n for n in range(fewest, max(height, width).bit_length()) if not (height % 2**n or width % 2**n)]
        ways = [cls(sized(height >> n, width >> n), n) for n in counts if max(height, width) <= LARGEST_START << n]
        return sorted(ways, key=lambda way: (shorter(way.start) != USUAL_START, way.count))

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The sizes of the first feature map and after each doubling; the last is the image's."""
        height, width = sides(self.start)
        return tuple(sized(height << n, width << n) for n in range(self.count + 1))


def sides(size: Size) -> tuple[int, int]:
    """Return (height, width)."""
    return (size, size) if isinstance(size, int) else size


def sized(height: int, width: int) -> Size:
    """Return the size with these sides."""
    return height if height == width else (height, width)


def shorter(size: Size) -> int:
    """Return the shorter side, by which options such as ``attention_at`` name a feature map."""
    return min(sides(size))


def in_words(size: Size) -> str:
    """Return a size as text, such as 64×128."""
    height, width = sides(size)
    return f"{height}×{width}"


def as_size(value: Any) -> Size:
    """Convert an option to a size: a pair of equal sides becomes one number. Raise ValueError if it is no size."""
    pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(pair) != 2 or not all(type(side) is int and side > 0 for side in pair):
        raise ValueError("'size' must be a number of pixels above 0, or [height, width]")
    return sized(*pair)


def nearest_sizes(size: Size, fits: Callable[[Size], bool]) -> list[Size]:
    """Return the nearest smaller and the nearest larger size that a network can double to and that fits.

    Args:
        size: the size that does not fit.
        fits: whether another size does.

    """
    height, width = sides(size)
    ordered = sorted({*_reached(square=height == width)}, key=lambda other: _distance(size, other))
    smaller = (other for other in ordered if sides(other)[0] <= height and sides(other)[1] <= width)
    larger = (other for other in ordered if sides(other)[0] >= height and sides(other)[1] >= width)
    nearest = (next(filter(fits, candidates), None) for candidates in (smaller, larger))
    return [other for other in nearest if other is not None]


def _reached(square: bool) -> Iterator[Size]:
    """Iterate over all sizes to which first feature maps of at most 8×8 double."""
    starts = range(1, LARGEST_START + 1)
    for n in range(MOST_DOUBLINGS + 1):
        yield from (sized(h << n, w << n) for h in starts for w in starts if h == w or not square)


def _distance(one: Size, other: Size) -> tuple[int, tuple[int, int]]:
    """Return the distance summed over sides; the height decides ties."""
    (height, width), (high, wide) = sides(one), sides(other)
    return abs(height - high) + abs(width - wide), (high, wide)
