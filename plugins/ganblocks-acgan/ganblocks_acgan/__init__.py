"""The networks of AC-GAN."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_generators() -> dict[str, str]:
    return {"acgan": "ganblocks_acgan.generator:AcganGenerator"}


@ganblocks.hookimpl
def ganblocks_discriminators() -> dict[str, str]:
    return {"acgan": "ganblocks_acgan.discriminator:AcganDiscriminator"}
