"""How many channels stand where, and which sizes follow from kernels without padding.

At 128 pixels the tables are those of the paper's ImageNet networks; at 32 pixels, with a width of 96, the generator's channels
are those of its CIFAR-10 networks. The other sizes, which nobody published, leave stages out.
"""

from __future__ import annotations

from collections.abc import Sequence

from ganblocks import Site, Size, as_size, in_words, shorter, sides

KERNEL, LAST_KERNEL = 5, 8
"""Of the generator's transposed convolutions, all of stride 2: 1 -> 5 -> 13 -> 29 -> 61, and the last one 61 -> 128."""

GENERATOR: dict[int, tuple[int, ...]] = {
    8: (1,),
    16: (2, 1),
    32: (4, 2, 1),
    64: (6, 4, 3, 1),
    128: (12, 6, 4, 3, 1),
}
"""Image size -> multipliers at 1×1 and after each stage but the last, which makes the image."""

DISCRIMINATOR = (1, 2, 4, 8, 16, 32)
"""Multipliers after each convolution; below 16 pixels the first four."""

SMALLEST = 2
"""Height and width of the discriminator's last map, at least: a map of 1×1 is a vector, which batch norm cannot norm alone."""


def generator_multipliers(size: Size, site: Site, multipliers: Sequence[int] | None) -> Sequence[int]:
    """Those that are given, or the table's.

    Raises UnfitSize for a size that no number of stages leads to, and PlacementError where those that are given do not lead to it.
    """
    count = _stages_to(size)
    if not count or not isinstance(size, int):
        rule = f"needs images of {LAST_KERNEL}×{LAST_KERNEL} pixels, doubled any number of times"
        raise site.unfit(size, rule, lambda other: bool(_stages_to(other)))
    chosen = GENERATOR.get(size) if multipliers is None else multipliers
    longest = GENERATOR[max(GENERATOR)]
    example = f"multipliers = {[longest[0]] * (count - len(longest)) + list(longest[-count:])}"
    if chosen is None:
        known = ", ".join(map(str, GENERATOR))
        raise site.error(f"has no standard table for images of {size} pixels, only for {known}", f"name your own: {example}")
    if len(chosen) != count:
        rule = f"{len(chosen)} multipliers lead to {LAST_KERNEL * 2 ** (len(chosen) - 1)} pixels, not to {size}"
        one = f"one for {LAST_KERNEL} pixels, and one more for each doubling"
        raise site.error(rule, f"name {count}, {one}, such as {example}")
    return chosen


def _stages_to(size: Size) -> int:
    """How many multipliers lead to ``size``; 0 where none do."""
    doublings = size // LAST_KERNEL if isinstance(size, int) and size % LAST_KERNEL == 0 else 0
    return doublings.bit_length() if doublings & (doublings - 1) == 0 else 0


def discriminator_multipliers(size: Size, multipliers: Sequence[int] | None) -> Sequence[int]:
    """Those that are given, or as many of the table's as the size has room for."""
    if multipliers is not None:
        return multipliers
    return DISCRIMINATOR if shorter(size) >= 16 else DISCRIMINATOR[:4]


def discriminator_padding(size: Size, padding: int | None) -> int:
    """Of the convolutions of stride 1: that which is given, or none from 64 pixels on."""
    return (0 if shorter(size) >= 64 else 1) if padding is None else padding


def discriminator_sizes(size: Size, multipliers: Sequence[int], padding: int, site: Site) -> list[Size]:
    """The size after each convolution: strides are 2, 1, 2, 1, ...

    Raises UnfitSize where the first leaves too little, and PlacementError where a later one does.
    """
    columns = [_after_each(side, len(multipliers), padding) for side in sides(size)]
    fitting = min(sum(side >= SMALLEST for side in column) for column in columns)
    if not fitting:
        rule = f"needs images of which the first convolution leaves {SMALLEST}×{SMALLEST}"
        raise site.unfit(size, rule, lambda other: _after_each(shorter(other), 1, padding)[0] >= SMALLEST)
    if fitting < len(multipliers):
        left = "×".join(str(max(column[fitting], 0)) for column in columns)
        rule = f"convolution {fitting + 1} of {len(multipliers)} leaves {left} of {in_words(size)} pixels, and a head needs 2×2"
        padded = not padding and _after_each(shorter(size), len(multipliers), 1)[-1] >= SMALLEST
        fewer = f"name fewer: multipliers = {list(multipliers[:fitting])}"
        raise site.error(rule, "set padding = 1" if padded else fewer)
    return [as_size(pair) for pair in zip(*columns, strict=True)]


def _after_each(side: int, count: int, padding: int) -> list[int]:
    """A side after each convolution; once it is too small it stays so."""
    sides = []
    for i in range(count):
        side = (side - 1) // 2 + 1 if i % 2 == 0 else side - 2 + 2 * padding
        sides.append(side)
    return sides
