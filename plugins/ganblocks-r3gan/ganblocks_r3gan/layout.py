"""Stages: how many channels and residual branches stand at which size, and where attention stands."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from attrs import field, frozen
from attrs.validators import and_, deep_iterable, ge, instance_of, min_len, optional

from ganblocks import Attention, Doublings, ImageSpec, Site, Size, WeightNorm, in_words, shorter, socket

_count = [instance_of(int), ge(1)]
_counts = deep_iterable(_count, instance_of(tuple))


@frozen
class Stage:
    """The feature maps of one size."""

    size: Size
    channels: int
    blocks: int

    @property
    def name(self) -> str:
        return f"stage{shorter(self.size)}"


@frozen(kw_only=True)
class Backbone:
    """The options that both networks have."""

    width: int = field(default=768, validator=_count)
    widths: tuple[int, ...] | None = field(default=None, validator=optional(and_(_counts, min_len(1))))
    blocks: tuple[int, ...] | None = field(default=None, validator=optional(and_(_counts, min_len(1))))
    expansion: int = field(default=2, validator=_count)
    group_width: int = field(default=16, validator=_count)
    attention_at: tuple[int, ...] = field(default=(), validator=_counts)
    weight_norm: WeightNorm = socket("weight_norm", default="none")
    attention: Attention = socket("attention", default="none")

    def stages(self, image: ImageSpec, site: Site) -> list[Stage]:
        """From the smallest up to the image. Raises UnfitSize where no doublings lead there, PlacementError where widths,
        blocks, groups or places of attention do not fit.
        """
        sizes = _sizes(image.size, site)
        channels = _each(self.widths, "widths", self.width, sizes, site)
        blocks = _each(self.blocks, "blocks", 2, sizes, site)
        for width in channels:
            if width * self.expansion % self.group_width:
                rule = f"{width} · {self.expansion} channels cannot be split into groups of {self.group_width}"
                raise site.error(rule, f"set group_width = {self._widest_groups(channels)}")
        site.expect_sizes("attention_at", self.attention_at, sizes)
        return [Stage(*each) for each in zip(sizes, channels, blocks, strict=True)]

    def _widest_groups(self, channels: Sequence[int]) -> int:
        """The largest width of groups, up to the one that is asked for, that divides the middle of every branch."""
        common = gcd(*(width * self.expansion for width in channels))
        return next(width for width in range(self.group_width, 0, -1) if common % width == 0)


def _sizes(size: Size, site: Site) -> tuple[Size, ...]:
    ways = Doublings.all(size, fewest=0)
    if not ways:
        rule = "needs images that can be halved down to at most 8×8"
        raise site.unfit(size, rule, lambda other: bool(Doublings.all(other, fewest=0)))
    return ways[0].sizes


def _each(chosen: Sequence[int] | None, name: str, usual: int, sizes: Sequence[Size], site: Site) -> Sequence[int]:
    """One number for each size."""
    if chosen is None:
        return [usual] * len(sizes)
    if len(chosen) != len(sizes):
        rule = f"{name} has {len(chosen)} numbers, but there are {len(sizes)} stages, of {', '.join(map(in_words, sizes))}"
        example = [*chosen[: len(sizes)], *[chosen[-1]] * (len(sizes) - len(chosen))]
        raise site.error(rule, f"name one for each, from the smallest on, such as {name} = {example}")
    return chosen
