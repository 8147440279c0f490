"""Conditioning: the head of a discriminator, and how it uses the class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn

    from ganblocks.site import Site


class Conditioning(Protocol):
    """Maps pooled features to a score."""

    def build(self, site: Site) -> nn.Module:
        """Return a module with forward(features [B, C], label int64 [B] | None) -> Score; C = ``site.channels``.

        ``site.condition`` has the number of classes. A head that uses the class in a loss term (an auxiliary classifier)
        inherits ``AddsTerm``. The score includes the features.
        """
        ...
