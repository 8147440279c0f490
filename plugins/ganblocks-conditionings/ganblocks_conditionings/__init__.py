"""Heads of a discriminator: projection, and none."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_conditionings() -> dict[str, str]:
    return {
        "projection": "ganblocks_conditionings.projection:Projection",
        "none": "ganblocks_conditionings.none:NoConditioning",
    }
