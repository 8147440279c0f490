"""Update rules, which own the order of turns, and optimizers: torch's, and gradient clipping around one."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_update_rules() -> dict[str, str]:
    """Return the update rules."""
    return {
        "alternating": "ganblocks_update_rules.alternating:Alternating",
        "consensus": "ganblocks_update_rules.consensus:Consensus",
        "extragradient": "ganblocks_update_rules.extragradient:Extragradient",
        "lookahead": "ganblocks_update_rules.lookahead:Lookahead",
        "optimistic": "ganblocks_update_rules.optimistic:Optimistic",
        "simultaneous": "ganblocks_update_rules.simultaneous:Simultaneous",
        "ttur": "ganblocks_update_rules.ttur:TTUR",
    }


@ganblocks.hookimpl
def ganblocks_optimizers() -> dict[str, str]:
    """Return the optimizers."""
    return {
        "adam": "ganblocks_update_rules.optimizers:Adam",
        "adamw": "ganblocks_update_rules.optimizers:AdamW",
        "clipped": "ganblocks_update_rules.clipped:Clipped",
        "nadam": "ganblocks_update_rules.optimizers:NAdam",
        "radam": "ganblocks_update_rules.optimizers:RAdam",
        "rmsprop": "ganblocks_update_rules.optimizers:RMSprop",
        "sgd": "ganblocks_update_rules.optimizers:SGD",
    }
