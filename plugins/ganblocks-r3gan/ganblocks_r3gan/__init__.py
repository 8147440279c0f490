"""R3GAN's networks, and the head of its discriminator."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_generators() -> dict[str, str]:
    """Return the generator."""
    return {"r3gan": "ganblocks_r3gan.generator:R3Generator"}


@ganblocks.hookimpl
def ganblocks_discriminators() -> dict[str, str]:
    """Return the discriminator."""
    return {"r3gan": "ganblocks_r3gan.discriminator:R3Discriminator"}


@ganblocks.hookimpl
def ganblocks_conditionings() -> dict[str, str]:
    """Return the head."""
    return {"inner_product": "ganblocks_r3gan.inner_product:InnerProduct"}
