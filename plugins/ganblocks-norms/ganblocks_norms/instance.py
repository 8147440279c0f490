"""Instance norm."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import gt, instance_of
from torch import nn

from ganblocks import Site
from ganblocks_norms.group import group_norm


@frozen(kw_only=True)
class Instance:
    """Normalise each channel of each sample over its positions, then scale and shift it.

    y = gain · (x - mean) / sqrt(var + eps) + bias: ``group`` with as many groups as channels. No running statistics.

    Use it for style and image-to-image work, where contrast shall not matter. Where contrast tells real from fake it hides it;
    use ``group``.

    Source: Ulyanov et al. (2016), "Instance Normalization", arXiv:1607.08022, equation 3.

    Options:
        eps: added to the variance.
    """

    eps: float = field(default=1e-5, validator=[instance_of((int, float)), gt(0)])

    def build(self, site: Site) -> nn.Module:
        """Raises ``PlacementError`` where the feature map has a single position."""
        return group_norm(site, site.channels, self.eps)
