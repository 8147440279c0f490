"""The convolutional networks of DCGAN."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_generators() -> dict[str, str]:
    return {"dcgan": "ganblocks_dcgan.generator:DcganGenerator"}


@ganblocks.hookimpl
def ganblocks_discriminators() -> dict[str, str]:
    return {"dcgan": "ganblocks_dcgan.discriminator:DcganDiscriminator"}
