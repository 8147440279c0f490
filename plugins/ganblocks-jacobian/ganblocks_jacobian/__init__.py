"""Jacobian conditioning of the generator: the clamp and the condition number."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_penalties() -> dict[str, str]:
    return {"jacobian_clamp": "ganblocks_jacobian.clamp:JacobianClamp"}


@ganblocks.hookimpl
def ganblocks_metrics() -> dict[str, str]:
    return {"jacobian_condition": "ganblocks_jacobian.condition:JacobianCondition"}
