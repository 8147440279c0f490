"""Conditioning: the head of a discriminator, and how it uses the class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn

    from ganblocks.site import Site


class Conditioning(Protocol):
    """Turns pooled features into a score."""

    def build(self, site: Site) -> nn.Module:
        """A module with forward(features [B, C], label int64 [B] | None) -> Score; C = ``site.channels``.

        ``site.condition`` says how many classes there are. A head whose class knowledge enters as a loss term (an auxiliary
        classifier) inherits ``AddsTerm``. The score carries the features.
        """
        ...
