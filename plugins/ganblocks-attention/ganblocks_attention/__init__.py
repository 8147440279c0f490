"""Attention blocks: SAGAN's, multi-head, non-local, linear, windowed; controls of equal size; none."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1
GANBLOCKS_FORMER_NAMES = ("self_attention", "attentions")


@ganblocks.hookimpl
def ganblocks_attentions() -> dict[str, str]:
    """Return the attention components."""
    return {
        "self_attention": "ganblocks_attention.self_attention:SelfAttention",
        "multi_head": "ganblocks_attention.multi_head:MultiHead",
        "non_local": "ganblocks_attention.non_local:NonLocal",
        "linear": "ganblocks_attention.linear:LinearAttention",
        "windowed": "ganblocks_attention.windowed:Windowed",
        "global_context": "ganblocks_attention.global_context:GlobalContext",
        "squeeze_excitation": "ganblocks_attention.squeeze_excitation:SqueezeExcitation",
        "residual": "ganblocks_attention.residual:Residual",
        "none": "ganblocks_attention.none:Nothing",
    }
