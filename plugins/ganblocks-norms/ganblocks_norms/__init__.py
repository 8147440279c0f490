"""Feature norms: batch, conditional batch, instance, layer, group, and none."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_norms() -> dict[str, str]:
    """Return the norms."""
    return {
        "batch": "ganblocks_norms.batch:Batch",
        "conditional_batch": "ganblocks_norms.conditional_batch:ConditionalBatch",
        "instance": "ganblocks_norms.instance:Instance",
        "layer": "ganblocks_norms.layer:Layer",
        "group": "ganblocks_norms.group:Group",
        "none": "ganblocks_norms.none:NoNorm",
    }
