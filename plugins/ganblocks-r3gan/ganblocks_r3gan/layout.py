"""Stages: how many channels and residual branches each size has, and which sizes have attention."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from attrs import frozen

from ganblocks import Attention, ImageSpec, Site, Size, WeightNorm, in_words, option, shorter, socket


@frozen
class Stage:
    """The feature maps of one size."""

    size: Size
    channels: int
    blocks: int

    @property
    def name(self) -> str:
        """Name of the stage in the network."""
        return f"stage{shorter(self.size)}"


@frozen(kw_only=True)
class Backbone:
    """Options that both networks have."""

    width: int = option(768, low=1)
    widths: tuple[int, ...] | None = option(None, low=1, min_items=1)
    blocks: tuple[int, ...] | None = option(None, low=1, min_items=1)
    expansion: int = option(2, low=1)
    group_width: int = option(16, low=1)
    attention_at: tuple[int, ...] = option((), low=1)
    weight_norm: WeightNorm = socket("weight_norm", default="none")
    attention: Attention = socket("attention", default="none")

    def stages(self, image: ImageSpec, site: Site) -> list[Stage]:
        """Return the stages from the smallest to the image.

        Raise UnfitSize if no doublings lead to the image, PlacementError if widths, blocks, groups or ``attention_at`` do not
        fit.
        """
        sizes = site.doublings(image.size, fewest=0)[0].sizes
        channels = _per_stage(self.widths or [self.width] * len(sizes), "widths", sizes, site)
        blocks = _per_stage(self.blocks or [2] * len(sizes), "blocks", sizes, site)
        for width in channels:
            if width * self.expansion % self.group_width:
                common = gcd(*(width * self.expansion for width in channels))
                widest = next(group for group in range(self.group_width, 0, -1) if common % group == 0)
                rule = f"{width} · {self.expansion} channels cannot be split into groups of {self.group_width}"
                raise site.error(rule, f"set group_width = {widest}")
        site.expect_sizes("attention_at", self.attention_at, sizes)
        return [Stage(*row) for row in zip(sizes, channels, blocks, strict=True)]


def _per_stage(values: Sequence[int], option: str, sizes: Sequence[Size], site: Site) -> Sequence[int]:
    """Return ``values``. Raise PlacementError if there is not one for each size."""
    if len(values) != len(sizes):
        rule = f"{option} has {len(values)} numbers, but there are {len(sizes)} stages, of {', '.join(map(in_words, sizes))}"
        example = [*values[: len(sizes)], *[values[-1]] * (len(sizes) - len(values))]
        raise site.error(rule, f"name one for each, from the smallest on, such as {option} = {example}")
    return values
