"""Options that both networks have, and their channels and sizes.

At 128 pixels the tables are those of the paper's ImageNet networks. At 32 pixels with width 96 the generator's channels are
those of its CIFAR-10 networks. The other sizes are unpublished: they leave stages out.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from ganblocks import Initialization, Norm, Site, Size, WeightNorm, as_size, in_words, option, shorter, sides, socket

KERNEL, LAST_KERNEL = 5, 8
"""Kernels of the generator's transposed convolutions, all of stride 2: 1 -> 5 -> 13 -> 29 -> 61, and the last one 61 -> 128."""

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
"""Smallest side of the discriminator's last map: batch norm cannot normalise a single map of 1×1."""


@frozen(kw_only=True)
class Backbone:
    """Options that both networks have."""

    multipliers: tuple[int, ...] | None = option(None, low=1, min_items=1)
    norm: Norm = socket("norm", default="batch")
    weight_norm: WeightNorm = socket("weight_norm", default="none")
    initialization: Initialization = socket("initialization", default="normal")


@frozen
class Convolution:
    """One convolution of the discriminator, with the channels and the size of its output."""

    channels: int
    size: Size
    stride: int
    padding: int


def generator_multipliers(size: Size, site: Site, multipliers: Sequence[int] | None) -> Sequence[int]:
    """Return the given multipliers, or those of the table.

    Raise UnfitSize if no number of stages leads to ``size``, PlacementError if the given number does not.
    """
    count = _stages_to(size)
    if not count:
        rule = f"needs images of {LAST_KERNEL}×{LAST_KERNEL} pixels, doubled any number of times"
        raise site.unfit(size, rule, lambda other: bool(_stages_to(other)))
    chosen = GENERATOR.get(shorter(size), ()) if multipliers is None else multipliers
    if len(chosen) == count:
        return chosen
    longest = GENERATOR[max(GENERATOR)]
    example = f"multipliers = {[longest[0]] * (count - len(longest)) + list(longest[-count:])}"
    if not chosen:
        known = ", ".join(map(str, GENERATOR))
        raise site.error(f"has no standard table for images of {size} pixels, only for {known}", f"name your own: {example}")
    rule = f"{len(chosen)} multipliers lead to {LAST_KERNEL * 2 ** (len(chosen) - 1)} pixels, not to {size}"
    raise site.error(rule, f"name {count}, one for {LAST_KERNEL} pixels and one more per doubling, such as {example}")


def _stages_to(size: Size) -> int:
    """Return how many multipliers lead to ``size``; 0 if no number does."""
    factor, rest = divmod(size, LAST_KERNEL) if isinstance(size, int) else (0, 0)
    return 0 if rest or factor & (factor - 1) else factor.bit_length()


def discriminator_convolutions(
    size: Size, width: int, multipliers: Sequence[int] | None, padding: int | None, site: Site
) -> list[Convolution]:
    """Return the convolutions from the image on, of strides 2, 1, 2, 1, ...; the tables fill in what is None.

    Raise UnfitSize if the first convolution leaves less than 2×2, PlacementError if a later one does.
    """
    padding = (0 if shorter(size) >= 64 else 1) if padding is None else padding
    multipliers = (DISCRIMINATOR if shorter(size) >= 16 else DISCRIMINATOR[:4]) if multipliers is None else multipliers
    sizes = list(zip(*(_sides_after(side, len(multipliers), padding) for side in sides(size)), strict=True))
    fitting = sum(min(pair) >= SMALLEST for pair in sizes)
    if not fitting:
        rule = f"needs images of which the first convolution leaves {SMALLEST}×{SMALLEST}"
        raise site.unfit(size, rule, lambda other: _sides_after(shorter(other), 1, padding)[0] >= SMALLEST)
    if fitting < len(multipliers):
        left = "×".join(str(max(side, 0)) for side in sizes[fitting])
        rule = f"convolution {fitting + 1} of {len(multipliers)} leaves {left} of {in_words(size)} pixels, and a head needs 2×2"
        padded = not padding and _sides_after(shorter(size), len(multipliers), 1)[-1] >= SMALLEST
        fewer = f"name fewer: multipliers = {list(multipliers[:fitting])}"
        raise site.error(rule, "set padding = 1" if padded else fewer)
    layers = [(2, 1), (1, padding)] * len(multipliers)
    return [Convolution(width * m, as_size(pair), *layer) for m, pair, layer in zip(multipliers, sizes, layers, strict=False)]


def _sides_after(side: int, count: int, padding: int) -> list[int]:
    """Return one side of the feature map after each convolution; once below 2 it stays there."""
    lengths = []
    for i in range(count):
        side = (side - 1) // 2 + 1 if i % 2 == 0 else side - 2 + 2 * padding
        lengths.append(side)
    return lengths
