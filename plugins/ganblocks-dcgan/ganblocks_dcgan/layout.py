"""Options that both networks have, and the channels and sizes of their feature maps."""

from __future__ import annotations

from attrs import frozen
from torch import nn

from ganblocks import Attention, ImageSpec, Initialization, Norm, Site, Size, WeightNorm, option, shorter, socket


@frozen
class FeatureMap:
    """Size and channels of one feature map."""

    size: Size
    channels: int


@frozen(kw_only=True)
class Backbone:
    """Options that both networks have."""

    width: int = option(64, low=1)
    bias: bool = option(False)
    attention_at: tuple[int, ...] = option((), low=1)
    norm: Norm = socket("norm", default="batch")
    weight_norm: WeightNorm = socket("weight_norm", default="none")
    attention: Attention = socket("attention", default="self_attention")
    initialization: Initialization = socket("initialization", default="normal")

    def feature_maps(self, image: ImageSpec, site: Site) -> list[FeatureMap]:
        """Return the feature maps, the smallest first: ``width`` channels at half the image size, doubled at each half of that.

        Raise UnfitSize if no map of at most 8×8 leads to the image, PlacementError if ``attention_at`` names another size.
        """
        sizes = site.doublings(image.size)[0].sizes[:-1]
        site.expect_sizes("attention_at", self.attention_at, sizes)
        return [FeatureMap(size, self.width << (len(sizes) - n)) for n, size in enumerate(sizes, start=1)]

    def attention_block(self, site: Site) -> nn.Module:
        """Build the attention block of a feature map; the identity if ``attention_at`` does not name its size."""
        return site.at("attention").build(self.attention) if shorter(site.size) in self.attention_at else nn.Identity()
