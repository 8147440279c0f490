"""Discriminator: images to scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn

    from ganblocks.site import Site
    from ganblocks.values import ImageSpec


class Discriminator(Protocol):
    """Builds the network that scores images as real or fake."""

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        """Return a module with forward(image [B, image.channels, S, S], label int64 [B] | None) -> Score, in float32.

        ``site`` is the root of the network (path "discriminator").
        """
        ...
