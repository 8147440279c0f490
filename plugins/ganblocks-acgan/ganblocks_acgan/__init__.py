"""The networks of AC-GAN."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_generators() -> dict[str, str]:
    """Return the generator."""
    return {"acgan": "ganblocks_acgan.generator:AcganGenerator"}


@ganblocks.hookimpl
def ganblocks_discriminators() -> dict[str, str]:
    """Return the discriminator."""
    return {"acgan": "ganblocks_acgan.discriminator:AcganDiscriminator"}
