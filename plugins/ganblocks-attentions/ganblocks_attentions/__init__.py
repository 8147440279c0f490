"""Attention blocks beside SAGAN's: multi-head, non-local, linear and windowed."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_attentions() -> dict[str, str]:
    return {
        "multi_head": "ganblocks_attentions.multi_head:MultiHead",
        "non_local": "ganblocks_attentions.non_local:NonLocal",
        "linear": "ganblocks_attentions.linear:LinearAttention",
        "windowed": "ganblocks_attentions.windowed:Windowed",
    }
