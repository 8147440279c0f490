"""Weight norms: spectral normalisation, and none."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_weight_norms() -> dict[str, str]:
    """Return the weight norms."""
    return {"spectral": "ganblocks_spectral.spectral:Spectral", "none": "ganblocks_spectral.none:NoWeightNorm"}
