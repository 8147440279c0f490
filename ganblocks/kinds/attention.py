"""Attention: any block between two stages of a network whose output has the shape of its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn

    from ganblocks.site import Site


class Attention(Protocol):
    """An attention block, a control of its size, or nothing: they swap by one line of a recipe."""

    def build(self, site: Site) -> nn.Module:
        """Return a module with forward(x [B, C, H, W]) -> [B, C, H, W], C = ``site.channels``.

        Layers go through ``site.layer(...)``, which initialises and weight-normalises them. A block that has a map inherits
        ``AttentionMap`` or ``AppliesMap``. Raises ``site.error(...)`` if it does not fit there.
        """
        ...
