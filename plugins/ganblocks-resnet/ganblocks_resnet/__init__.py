"""The residual generator and discriminator of SNGAN and SAGAN."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_generators() -> dict[str, str]:
    """Return the generator."""
    return {"resnet": "ganblocks_resnet.generator:ResnetGenerator"}


@ganblocks.hookimpl
def ganblocks_discriminators() -> dict[str, str]:
    """Return the discriminator."""
    return {"resnet": "ganblocks_resnet.discriminator:ResnetDiscriminator"}
