"""Weight initializations: Xavier, orthogonal, normal."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_initializations() -> dict[str, str]:
    """Return the initializations."""
    return {
        "xavier": "ganblocks_initializations.xavier:Xavier",
        "orthogonal": "ganblocks_initializations.orthogonal:Orthogonal",
        "normal": "ganblocks_initializations.normal:Normal",
    }
