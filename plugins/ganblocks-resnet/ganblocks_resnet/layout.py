"""How many channels stand at which size: the standard tables, and the places of attention.

Multipliers count in units of ``width``. The tables are those of the SNGAN, SAGAN and BigGAN code; at 8 and 16 pixels, which
nobody published, they continue the equal stages of 32 pixels.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from attrs import frozen

from ganblocks import ImageSpec, Site

START = 4
"""Height and width of the generator's first feature map."""

GENERATOR: dict[int, tuple[int, ...]] = {
    8: (1, 1),
    16: (1, 1, 1),
    32: (1, 1, 1, 1),
    64: (16, 8, 4, 2, 1),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
}
"""Image size -> multipliers at 4×4 and after each block."""

DISCRIMINATOR: dict[int, tuple[tuple[int, ...], int]] = {
    8: ((1, 1, 1), 1),
    16: ((1, 1, 1, 1), 2),
    32: ((1, 1, 1, 1), 2),
    64: ((1, 2, 4, 8, 16), 4),
    128: ((1, 2, 4, 8, 16, 16), 5),
    256: ((1, 2, 4, 8, 8, 16, 16), 6),
}
"""Image size -> multipliers after each block, and how many blocks, from the first, halve the size."""


@frozen
class Stage:
    """One residual block's place in a network."""

    name: str
    in_channels: int
    out_channels: int
    in_size: int
    out_size: int


def generator_stages(image: ImageSpec, site: Site, width: int, multipliers: Sequence[int] | None) -> list[Stage]:
    """The blocks from 4×4 to the image. Raises Misfit where the size or the number of multipliers cannot be."""
    size = image.size
    chosen = GENERATOR.get(size) if multipliers is None else multipliers
    if chosen is None:
        raise site.misfit(
            f"has no standard table for images of {size} pixels, only for {_listed(GENERATOR)}", "set multipliers"
        )
    blocks = len(chosen) - 1
    if size != START * 2**blocks:
        rule = f"{len(chosen)} multipliers make {blocks} blocks, which lead to {START * 2**blocks} pixels, not to {size}"
        raise site.misfit(rule, f"name one multiplier for {START}×{START} and one for each block, which doubles the size")
    return _stages(chosen[0] * width, [m * width for m in chosen[1:]], [START * 2**i for i in range(blocks + 1)])


def discriminator_stages(
    image: ImageSpec, site: Site, width: int, multipliers: Sequence[int] | None, halvings: int | None
) -> list[Stage]:
    """The blocks from the image on. Raises Misfit where size, multipliers and halvings do not fit."""
    size = image.size
    if size not in DISCRIMINATOR and (multipliers is None or halvings is None):
        rule = f"has no standard table for images of {size} pixels, only for {_listed(DISCRIMINATOR)}"
        raise site.misfit(rule, "set multipliers and halvings")
    chosen = DISCRIMINATOR[size][0] if multipliers is None else multipliers
    halved = DISCRIMINATOR[size][1] if halvings is None else halvings
    if halved > len(chosen):
        raise site.misfit(f"{len(chosen)} blocks cannot halve the size {halved} times", "set halvings, or more multipliers")
    if size % 2**halved:
        raise site.misfit(f"{size} pixels cannot be halved {halved} times", f"set halvings to {_halvable(size)} or less")
    sizes = [size // 2 ** min(i, halved) for i in range(len(chosen) + 1)]
    return _stages(image.channels, [m * width for m in chosen], sizes)


def attended(site: Site, stages: Sequence[Stage], sizes: Collection[int]) -> set[str]:
    """Names of the blocks that attention follows: for each size the first block whose output has it, as in SAGAN's code.

    Raises Misfit for a size that never occurs.
    """
    first = {stage.out_size: stage.name for stage in reversed(stages)}
    if missing := sorted(set(sizes) - set(first)):
        rule = f"attention_at names {_listed(missing)}, but feature maps after the blocks have sizes {_listed(sorted(first))}"
        raise site.misfit(rule, "set attention_at to one of them")
    return {first[size] for size in sizes}


def _stages(in_channels: int, out_channels: Sequence[int], sizes: Sequence[int]) -> list[Stage]:
    places = zip((in_channels, *out_channels[:-1]), out_channels, sizes[:-1], sizes[1:], strict=True)
    return [Stage(f"block{i}", *place) for i, place in enumerate(places, start=1)]


def _halvable(size: int) -> int:
    """How often ``size`` can be halved without remainder: the number of trailing zeros in binary."""
    return (size & -size).bit_length() - 1


def _listed(numbers: Collection[int]) -> str:
    return ", ".join(str(number) for number in numbers)
