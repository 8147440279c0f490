"""No norm: activations stay as they are."""

from __future__ import annotations

from attrs import frozen
from torch import Tensor, nn

from ganblocks import Site


@frozen(kw_only=True)
class NoNorm:
    """Leave activations as they are: y = x.

    Source: SAGAN's discriminator, which has no norm layers; Zhang et al. (2019), arXiv:1805.08318.
    """

    def build(self, site: Site) -> nn.Module:
        return Identity()


class Identity(nn.Module):
    """x [B, C, H, W] -> x; takes a condition and ignores it."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return x
