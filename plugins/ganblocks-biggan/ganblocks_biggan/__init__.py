"""BigGAN's generator: shared embedding and hierarchical latent."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_generators() -> dict[str, str]:
    """Return the generator."""
    return {"biggan": "ganblocks_biggan.generator:BigGANGenerator"}
