"""Stages: how many channels and residual branches stand at which size, and where attention stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from attrs import field, frozen
from attrs.validators import and_, deep_iterable, ge, instance_of, min_len, optional

from ganblocks import Attention, ImageSpec, Site, WeightNorm, socket

START = 4
"""Height and width of the smallest feature map, the basis."""
_count = [instance_of(int), ge(1)]
_counts = deep_iterable(_count, instance_of(tuple))


@frozen
class Stage:
    """The feature maps of one size."""

    size: int
    channels: int
    blocks: int

    @property
    def name(self) -> str:
        return f"stage{self.size}"


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
        """From 4×4 up to the image. Raises Misfit where size, widths, blocks, groups or places of attention do not fit."""
        sizes = _sizes(image.size, site)
        channels = _each(self.widths, "widths", self.width, sizes, site)
        blocks = _each(self.blocks, "blocks", 2, sizes, site)
        for width in channels:
            if width * self.expansion % self.group_width:
                rule = f"{width} · {self.expansion} channels cannot be split into groups of {self.group_width}"
                raise site.misfit(rule, "set group_width to a divisor of width · expansion")
        if missing := sorted(set(self.attention_at) - set(sizes)):
            rule = f"attention_at names {_listed(missing)}, but feature maps have sizes {_listed(sizes)}"
            raise site.misfit(rule, "set attention_at to one of them")
        return [Stage(*each) for each in zip(sizes, channels, blocks, strict=True)]


def _sizes(size: int, site: Site) -> list[int]:
    if size < START or size & (size - 1):
        raise site.misfit(f"doubles from {START}×{START} on, so images cannot be {size} pixels wide", "use 4, 8, 16, 32, …")
    return [START << i for i in range((size // START).bit_length())]


def _each(chosen: Sequence[int] | None, name: str, usual: int, sizes: Sequence[int], site: Site) -> Sequence[int]:
    """One number for each size."""
    if chosen is None:
        return [usual] * len(sizes)
    if len(chosen) != len(sizes):
        rule = f"{name} has {len(chosen)} numbers, but there are {len(sizes)} stages, of sizes {_listed(sizes)}"
        raise site.misfit(rule, "name one for each, from the smallest on")
    return chosen


def _listed(numbers: Collection[int]) -> str:
    return ", ".join(str(number) for number in numbers)
