"""Norm: a layer that normalises activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn

    from ganblocks.site import Site


class Norm(Protocol):
    """Maps a feature map to one of equal shape, optionally scaled and shifted by a condition."""

    def build(self, site: Site) -> nn.Module:
        """Return a module with forward(x [B, C, H, W], condition) -> [B, C, H, W].

        ``condition`` follows ``site.condition``: int64 [B] for Classes, float [B, width] for Vector, None for None.
        A norm that ignores conditions takes the argument too. Raises ``site.error(...)`` if it does not fit there.
        """
        ...
