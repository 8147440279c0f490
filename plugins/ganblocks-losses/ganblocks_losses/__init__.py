"""Adversarial losses: hinge, non-saturating, minimax, least squares, Wasserstein, and two relativistic ones."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_losses() -> dict[str, str]:
    """Return the losses."""
    return {
        "hinge": "ganblocks_losses.hinge:Hinge",
        "non_saturating": "ganblocks_losses.non_saturating:NonSaturating",
        "minimax": "ganblocks_losses.minimax:Minimax",
        "least_squares": "ganblocks_losses.least_squares:LeastSquares",
        "wasserstein": "ganblocks_losses.wasserstein:Wasserstein",
        "relativistic_paired": "ganblocks_losses.relativistic_paired:RelativisticPaired",
        "relativistic_average": "ganblocks_losses.relativistic_average:RelativisticAverage",
    }
