"""The convolutional networks of DCGAN."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_generators() -> dict[str, str]:
    """Return the generator."""
    return {"dcgan": "ganblocks_dcgan.generator:DcganGenerator"}


@ganblocks.hookimpl
def ganblocks_discriminators() -> dict[str, str]:
    """Return the discriminator."""
    return {"dcgan": "ganblocks_dcgan.discriminator:DcganDiscriminator"}
