"""Penalties on the discriminator's slope, memory and consistency, and on angles between the rows of weights."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_penalties() -> dict[str, str]:
    """Return the penalties."""
    return {
        "balanced_consistency": "ganblocks_penalties.balanced_consistency:BalancedConsistency",
        "consistency": "ganblocks_penalties.consistency:Consistency",
        "dragan": "ganblocks_penalties.dragan:Dragan",
        "gradient_penalty": "ganblocks_penalties.gradient_penalty:GradientPenalty",
        "latent_consistency": "ganblocks_penalties.latent_consistency:LatentConsistency",
        "lecam": "ganblocks_penalties.lecam:LeCam",
        "orthogonal": "ganblocks_penalties.orthogonal:Orthogonal",
        "r1": "ganblocks_penalties.r1:R1",
        "r2": "ganblocks_penalties.r2:R2",
    }
