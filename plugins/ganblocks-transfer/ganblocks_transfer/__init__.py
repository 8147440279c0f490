"""Starting from trained networks: a discriminator whose first blocks stay frozen."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_discriminators() -> dict[str, str]:
    """Return the discriminator."""
    return {"frozen": "ganblocks_transfer.frozen:Frozen"}
