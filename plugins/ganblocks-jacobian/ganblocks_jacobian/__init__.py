"""Jacobian conditioning of the generator: the clamp and the condition number."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_penalties() -> dict[str, str]:
    """Offer penalties."""
    return {"jacobian_clamp": "ganblocks_jacobian.clamp:JacobianClamp"}


@ganblocks.hookimpl
def ganblocks_diagnostics() -> dict[str, str]:
    """Offer diagnostics."""
    return {"jacobian_condition": "ganblocks_jacobian.condition:JacobianCondition"}
