"""Layer norm of feature maps."""

from __future__ import annotations

from attrs import frozen
from torch import nn

from ganblocks import Site, option
from ganblocks_norms.group import group_norm


@frozen(kw_only=True)
class Layer:
    """Normalise each sample over all its channels and positions, then scale and shift each channel.

    y = gain · (x - mean) / sqrt(var + eps) + bias: ``group`` with a single group. Gain and bias are per channel, so that the
    layer does not depend on the size of the feature map; ``torch.nn.LayerNorm`` over (C, H, W) would have one per element.

    Use it in place of batch norm in a discriminator under a gradient penalty, as WGAN-GP advises.

    Source: Ba et al. (2016), "Layer Normalization", arXiv:1607.06450, equation 3; over feature maps in Gulrajani et al. (2017),
    arXiv:1704.00028, section 4.

    Options:
        eps: added to the variance.
    """

    eps: float = option(1e-5, above=0)

    def build(self, site: Site) -> nn.Module:
        """Return the layer for x [B, C, H, W]. Raise PlacementError if a sample is a single value."""
        return group_norm(site, 1, self.eps)
