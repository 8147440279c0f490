"""How many channels stand at which size, the same in both networks, and where attention may stand."""

from __future__ import annotations

from collections.abc import Collection

from attrs import frozen

from ganblocks import Doublings, ImageSpec, Site, Size, shorter


@frozen
class Stage:
    """One feature map."""

    size: Size
    channels: int


def feature_maps(image: ImageSpec, site: Site, width: int) -> list[Stage]:
    """From the smallest on: ``width`` channels at half the image's size, and twice as many at each half of that.

    Raises UnfitSize where halving leads to no map of at most 8×8.
    """
    ways = Doublings.all(image.size)
    if not ways:
        rule = "needs images that can be halved down to at most 8×8"
        raise site.unfit(image.size, rule, lambda size: bool(Doublings.all(size)))
    sizes = ways[0].sizes[:-1]
    return [Stage(size, width << (len(sizes) - n)) for n, size in enumerate(sizes, start=1)]


def is_attended(size: Size, wanted: Collection[int]) -> bool:
    """Whether ``attention_at`` names a map of this size: by its shorter side."""
    return shorter(size) in wanted
