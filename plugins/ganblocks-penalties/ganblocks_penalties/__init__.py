"""Penalties on the discriminator's slope: WGAN-GP's, R1 and R2."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_penalties() -> dict[str, str]:
    return {
        "gradient_penalty": "ganblocks_penalties.gradient_penalty:GradientPenalty",
        "r1": "ganblocks_penalties.r1:R1",
        "r2": "ganblocks_penalties.r2:R2",
    }
