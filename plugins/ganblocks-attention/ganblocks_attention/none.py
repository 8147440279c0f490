"""Nothing where an attention block could be."""

from __future__ import annotations

from attrs import frozen
from torch import nn

from ganblocks import Site


@frozen(kw_only=True)
class Nothing:
    """The identity: y = x. The baseline of the ablation.

    Use it where a variant of a recipe shall have no attention.

    Source: Zhang et al. (2019), "Self-Attention Generative Adversarial Networks", arXiv:1805.08318, table 1, column "no
    attention".
    """

    def build(self, site: Site) -> nn.Module:
        return nn.Identity()
