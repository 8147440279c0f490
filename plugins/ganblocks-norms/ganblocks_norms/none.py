"""No norm."""

from __future__ import annotations

from attrs import frozen
from torch import Tensor, nn

from ganblocks import Site


@frozen(kw_only=True)
class NoNorm:
    """Leave activations unchanged: y = x.

    Use it in discriminators under spectral norm or a gradient penalty.

    Source: Zhang et al. (2019), "SAGAN", arXiv:1805.08318, whose discriminator has no norm layers.
    """

    def build(self, site: Site) -> nn.Module:
        """Return the identity on x [B, C, H, W]."""
        return Identity()


class Identity(nn.Module):
    """x [B, C, H, W] -> x; takes a condition and ignores it."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return x [B, C, H, W]."""
        return x
