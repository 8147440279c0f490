"""Self-attention, the residual block of equal size that is its control, and nothing."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_attentions() -> dict[str, str]:
    return {
        "self_attention": "ganblocks_self_attention.self_attention:SelfAttention",
        "residual": "ganblocks_self_attention.residual:Residual",
        "none": "ganblocks_self_attention.none:Nothing",
    }
