"""Generator: latents to images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn

    from ganblocks.site import Site
    from ganblocks.values import ImageSpec


class Generator(Protocol):
    """Builds the network that generates images."""

    latent: int
    """Z, the length of the latent vector."""

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        """Return a module with forward(z [B, Z], label int64 [B] | None) -> image [B, image.channels, S, S] in [-1, 1].

        ``site`` is the root of the network (path "generator"): it has the seed, and Classes if the data has labels.
        """
        ...
