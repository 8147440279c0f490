"""No attention block."""

from __future__ import annotations

from attrs import frozen
from torch import nn

from ganblocks import Site


@frozen(kw_only=True)
class Nothing:
    """The identity: y = x. The baseline of the ablation.

    Use it for a variant of a recipe without attention.

    Source: Zhang et al. (2019), "Self-Attention Generative Adversarial Networks", arXiv:1805.08318, table 1, column "no
    attention".
    """

    def build(self, site: Site) -> nn.Module:
        """Return the identity on [B, C, H, W]."""
        return nn.Identity()
