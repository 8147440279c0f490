"""How many channels stand at which size: the standard tables, and the places of attention.

Multipliers count in units of ``width``. A table belongs to a number of doublings: images of 64, 96 and 64×128 pixels, which
come from first feature maps of 4×4, 6×6 and 4×8 in four doublings, have one table. Those of 3 to 7 doublings are the tables of
the SNGAN, SAGAN and BigGAN code at 32 to 512 pixels; those of 1 and 2, which nobody published, continue the equal stages of 32.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from attrs import frozen

from ganblocks import Doublings, ImageSpec, Site, Size, UnfitSize, as_size, in_words, shorter, sides

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
    """One residual block's place in a network."""

    name: str
    in_channels: int
    out_channels: int
    in_size: Size
    out_size: Size


def generator_stages(image: ImageSpec, site: Site, width: int, multipliers: Sequence[int] | None) -> list[Stage]:
    """The blocks from the first feature map to the image.

    Raises UnfitSize where no first feature map leads to the image, and PlacementError where the number of multipliers does not.
    """
    ways = Doublings.all(image.size)
    if not ways:
        raise _unfit(image, site, "needs images to which a first map of at most 8×8 can be doubled")
    if multipliers is None:
        chosen, way = _standard(GENERATOR.get(ways[0].count), GENERATOR[max(GENERATOR)], ways[0], image, site), ways[0]
    else:
        chosen, way = multipliers, _way_of(multipliers, ways, image, site)
    return _stages(chosen[0] * width, [m * width for m in chosen[1:]], way.sizes)


def discriminator_stages(
    image: ImageSpec, site: Site, width: int, multipliers: Sequence[int] | None, halvings: int | None
) -> list[Stage]:
    """The blocks from the image on. Raises UnfitSize or PlacementError where size, multipliers and halvings do not fit."""
    chosen, halved = _down(image, site, multipliers, halvings)
    if halved > len(chosen):
        hint = f"set halvings = {len(chosen)}, or name {halved} multipliers"
        raise site.error(f"{len(chosen)} blocks cannot halve the size {halved} times", hint)
    if halved > (most := _halvable(image.size)):
        raise site.error(f"{in_words(image.size)} pixels cannot be halved {halved} times", f"set halvings = {most}")
    sizes = [_halved(image.size, min(i, halved)) for i in range(len(chosen) + 1)]
    return _stages(image.channels, [m * width for m in chosen], sizes)


def attended(site: Site, stages: Sequence[Stage], sizes: Collection[int]) -> set[str]:
    """Names of the blocks that attention follows: for each size the first block whose output has it, as in SAGAN's code.

    A feature map that is no square goes by its shorter side. Raises PlacementError for a size that never occurs.
    """
    site.expect_sizes("attention_at", sizes, [stage.out_size for stage in stages])
    first = {shorter(stage.out_size): stage.name for stage in reversed(stages)}
    return {first[size] for size in sizes}


def _down(image: ImageSpec, site: Site, multipliers: Sequence[int] | None, halvings: int | None) -> tuple[Sequence[int], int]:
    """Multipliers and halvings: those that are given, or the standard table's."""
    if multipliers is not None and halvings is not None:
        return multipliers, halvings
    ways = Doublings.all(image.size)
    if not ways:
        raise _unfit(image, site, "needs images that can be halved down to at most 8×8")
    usual, halved = DISCRIMINATOR.get(ways[0].count, (None, ways[0].count))
    if multipliers is None:
        multipliers = _standard(usual, DISCRIMINATOR[max(DISCRIMINATOR)][0], ways[0], image, site)
    return multipliers, halved if halvings is None else halvings


def _way_of(multipliers: Sequence[int], ways: Sequence[Doublings], image: ImageSpec, site: Site) -> Doublings:
    """The way to the image that has a block for each multiplier but the first."""
    blocks = len(multipliers) - 1
    if found := [way for way in ways if way.count == blocks]:
        return found[0]
    named = f"{len(multipliers)} multipliers make {blocks} blocks"
    rule = f"{named}, which lead from no map of at most 8×8 to {in_words(image.size)}"
    possible = " or ".join(f"{way.count + 1} (from {in_words(way.start)} on)" for way in ways)
    nearest = min((way.count + 1 for way in ways), key=lambda count: abs(count - len(multipliers)))
    example = f"multipliers = {_resized(multipliers, nearest)}"
    raise site.error(rule, f"name {possible}, such as {example}, or leave multipliers out")


def _standard(
    table: Sequence[int] | None, longest: Sequence[int], way: Doublings, image: ImageSpec, site: Site
) -> Sequence[int]:
    """The table. Raises PlacementError where the image is so large that nobody published one."""
    if table is None:
        rule = f"has no standard table for images of {in_words(image.size)} pixels"
        raise site.error(rule, f"name your own, such as multipliers = {_resized(longest, way.count + 1)}")
    return table


def _resized(multipliers: Sequence[int], count: int) -> list[int]:
    """So many of them: the first repeated, or the first ones left out."""
    return [multipliers[0]] * (count - len(multipliers)) + list(multipliers[-count:])


def _unfit(image: ImageSpec, site: Site, rule: str) -> UnfitSize:
    return site.unfit(image.size, rule, lambda size: bool(Doublings.all(size)))


def _halvable(size: Size) -> int:
    """How often both sides can be halved without remainder."""
    both = sides(size)[0] | sides(size)[1]
    return (both & -both).bit_length() - 1


def _halved(size: Size, times: int) -> Size:
    height, width = sides(size)
    return as_size((height >> times, width >> times))


def _stages(in_channels: int, out_channels: Sequence[int], sizes: Sequence[Size]) -> list[Stage]:
    places = zip((in_channels, *out_channels[:-1]), out_channels, sizes[:-1], sizes[1:], strict=True)
    return [Stage(f"block{i}", *place) for i, place in enumerate(places, start=1)]
