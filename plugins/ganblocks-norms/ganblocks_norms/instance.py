"""Instance norm."""

from __future__ import annotations

from attrs import frozen
from torch import nn

from ganblocks import Site, option
from ganblocks_norms.group import group_norm


@frozen(kw_only=True)
class Instance:
    """Normalise each channel of each sample over its positions, then scale and shift it.

    y = gain · (x - mean) / sqrt(var + eps) + bias: ``group`` with as many groups as channels. No running statistics.

    Use it for style transfer and image-to-image translation, where contrast must not matter. Where contrast tells real from
    fake, use ``group``: this norm removes contrast.

    Source: Ulyanov et al. (2016), "Instance Normalization", arXiv:1607.08022, equation 3.

    Options:
        eps: added to the variance.
    """

    eps: float = option(1e-5, above=0)

    def build(self, site: Site) -> nn.Module:
        """Return the layer for x [B, C, H, W]. Raise PlacementError if the feature map has a single position."""
        return group_norm(site, site.channels, self.eps)
