"""How many channels stand where, and which sizes follow from kernels without padding.

At 128 pixels the tables are those of the paper's ImageNet networks; at 32 pixels, with a width of 96, the generator's channels
are those of its CIFAR-10 networks. The other sizes, which nobody published, leave stages out.
"""

from __future__ import annotations

from collections.abc import Sequence

from ganblocks import Site

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


def generator_multipliers(size: int, site: Site, multipliers: Sequence[int] | None) -> Sequence[int]:
    """Those that are given, or the table's. Raises Misfit where they do not lead to the size."""
    chosen = GENERATOR.get(size) if multipliers is None else multipliers
    if chosen is None:
        known = ", ".join(map(str, GENERATOR))
        raise site.misfit(f"has no standard table for images of {size} pixels, only for {known}", "set multipliers")
    if size != LAST_KERNEL * 2 ** (len(chosen) - 1):
        rule = f"{len(chosen)} multipliers lead to {LAST_KERNEL * 2 ** (len(chosen) - 1)} pixels, not to {size}"
        raise site.misfit(rule, f"name one multiplier for {LAST_KERNEL} pixels, and one more for each doubling")
    return chosen


def discriminator_multipliers(size: int, multipliers: Sequence[int] | None) -> Sequence[int]:
    """Those that are given, or as many of the table's as the size has room for."""
    if multipliers is not None:
        return multipliers
    return DISCRIMINATOR if size >= 16 else DISCRIMINATOR[:4]


def discriminator_sizes(size: int, count: int, padding: int, site: Site) -> list[int]:
    """The size after each convolution: strides are 2, 1, 2, 1, ... Raises Misfit where maps become too small."""
    sizes, now = [], size
    for i in range(count):
        now = (now - 1) // 2 + 1 if i % 2 == 0 else now - 2 + 2 * padding
        sizes.append(now)
        if now < SMALLEST:
            rule = f"convolution {i + 1} of {count} leaves {max(now, 0)}×{max(now, 0)} of {size} pixels, and a head needs 2×2"
            raise site.misfit(rule, "name fewer multipliers, or set padding = 1")
    return sizes
