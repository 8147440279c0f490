"""Nothing where an attention block could be."""

from __future__ import annotations

from attrs import frozen
from torch import nn

from ganblocks import Site


@frozen(kw_only=True)
class Nothing:
    """The identity: y = x. The baseline of the ablation.

    Source: the column "no attention" of table 1 of SAGAN, arXiv:1805.08318.
    """

    def build(self, site: Site) -> nn.Module:
        return nn.Identity()
