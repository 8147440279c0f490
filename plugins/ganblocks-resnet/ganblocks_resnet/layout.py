"""Channels and sizes of the blocks, and which blocks attention follows.

Multipliers count in units of ``width``. A table belongs to a number of doublings: images of 64, 96 and 64×128 pixels, which
are four doublings of 4×4, 6×6 and 4×8, share one table. The tables of 3 to 7 doublings are those of the SNGAN, SAGAN and BigGAN
code at 32 to 512 pixels. Those of 1 and 2 are unpublished; they continue the equal stages of 32.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from attrs import frozen

from ganblocks import Doublings, ImageSpec, Site, Size, as_size, in_words, shorter, sides

GENERATOR: dict[int, tuple[int, ...]] = {
    1: (1, 1),
    2: (1, 1, 1),
    3: (1, 1, 1, 1),
    4: (16, 8, 4, 2, 1),
    5: (16, 16, 8, 4, 2, 1),
    6: (16, 16, 8, 8, 4, 2, 1),
    7: (16, 16, 8, 8, 4, 2, 1, 1),
}
"""Doublings -> multipliers of the first feature map and after each block."""

DISCRIMINATOR: dict[int, tuple[tuple[int, ...], int]] = {
    1: ((1, 1, 1), 1),
    2: ((1, 1, 1, 1), 2),
    3: ((1, 1, 1, 1), 2),
    4: ((1, 2, 4, 8, 16), 4),
    5: ((1, 2, 4, 8, 16, 16), 5),
    6: ((1, 2, 4, 8, 8, 16, 16), 6),
    7: ((1, 1, 2, 4, 8, 8, 16, 16), 7),
}
"""The generator's doublings -> multipliers after each block, and how many blocks, from the first, halve the size."""


@frozen
class Stage:
    """One residual block: channels and sizes of its input and output."""

    name: str
    in_channels: int
    out_channels: int
    in_size: Size
    out_size: Size


def generator_stages(image: ImageSpec, site: Site, width: int, multipliers: Sequence[int] | None) -> list[Stage]:
    """Return the blocks from the first feature map to the image.

    Raise UnfitSize if no first feature map leads to the image, PlacementError if the number of multipliers does not.
    """
    ways = site.doublings(image.size)
    if multipliers is None:
        way, longest = ways[0], GENERATOR[max(GENERATOR)]
        multipliers = _published(GENERATOR.get(way.count), longest, way, image, site)
    else:
        way = _way_of(multipliers, ways, image, site)
    return _stages(multipliers[0] * width, [m * width for m in multipliers[1:]], way.sizes)


def discriminator_stages(
    image: ImageSpec, site: Site, width: int, multipliers: Sequence[int] | None, halvings: int | None
) -> list[Stage]:
    """Return the blocks from the image on. Raise UnfitSize or PlacementError if size, multipliers and halvings do not fit."""
    if multipliers is None or halvings is None:
        way = site.doublings(image.size)[0]
        table, usual = DISCRIMINATOR.get(way.count, (None, way.count))
        if multipliers is None:
            multipliers = _published(table, DISCRIMINATOR[max(DISCRIMINATOR)][0], way, image, site)
        halvings = usual if halvings is None else halvings
    if halvings > len(multipliers):
        hint = f"set halvings = {len(multipliers)}, or name {halvings} multipliers"
        raise site.error(f"{len(multipliers)} blocks cannot halve the size {halvings} times", hint)
    sizes = _halved(image.size, halvings, len(multipliers), site)
    return _stages(image.channels, [m * width for m in multipliers], sizes)


def blocks_with_attention(site: Site, stages: Sequence[Stage], sizes: Collection[int]) -> set[str]:
    """Return the names of the blocks that attention follows: the first with an output of each size, as in SAGAN's code.

    The size of a feature map is its shorter side. Raise PlacementError for a size that does not occur.
    """
    site.expect_sizes("attention_at", sizes, [stage.out_size for stage in stages])
    first = {shorter(stage.out_size): stage.name for stage in reversed(stages)}
    return {first[size] for size in sizes}


def _way_of(multipliers: Sequence[int], ways: Sequence[Doublings], image: ImageSpec, site: Site) -> Doublings:
    """Return the way to the image that has one block per multiplier but the first."""
    blocks = len(multipliers) - 1
    if matches := [way for way in ways if way.count == blocks]:
        return matches[0]
    made = f"{len(multipliers)} multipliers make {blocks} blocks"
    rule = f"{made}, which lead from no map of at most 8×8 to {in_words(image.size)}"
    possible = " or ".join(f"{way.count + 1} (from {in_words(way.start)} on)" for way in ways)
    nearest = min((way.count + 1 for way in ways), key=lambda count: abs(count - len(multipliers)))
    example = f"multipliers = {_resized(multipliers, nearest)}"
    raise site.error(rule, f"name {possible}, such as {example}, or leave multipliers out")


def _published(
    table: Sequence[int] | None, longest: Sequence[int], way: Doublings, image: ImageSpec, site: Site
) -> Sequence[int]:
    """Return the table. Raise PlacementError if there is none because the image is too large."""
    if table is None:
        rule = f"has no standard table for images of {in_words(image.size)} pixels"
        raise site.error(rule, f"name your own, such as multipliers = {_resized(longest, way.count + 1)}")
    return table


def _resized(multipliers: Sequence[int], count: int) -> list[int]:
    """Return ``count`` multipliers: the first is repeated, or the first ones are left out."""
    return [multipliers[0]] * (count - len(multipliers)) + list(multipliers[-count:])


def _halved(size: Size, halvings: int, blocks: int, site: Site) -> list[Size]:
    """Return the size of the image and after each block, of which the first ``halvings`` halve it."""
    height, width = sides(size)
    both = height | width
    if both % 2**halvings:
        most = (both & -both).bit_length() - 1
        raise site.error(f"{in_words(size)} pixels cannot be halved {halvings} times", f"set halvings = {most}")
    return [as_size((height >> n, width >> n)) for n in (min(i, halvings) for i in range(blocks + 1))]


def _stages(in_channels: int, out_channels: Sequence[int], sizes: Sequence[Size]) -> list[Stage]:
    rows = zip((in_channels, *out_channels[:-1]), out_channels, sizes[:-1], sizes[1:], strict=True)
    return [Stage(f"block{i}", *row) for i, row in enumerate(rows, start=1)]
